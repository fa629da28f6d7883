package cli

import "strings"

// inWords puts the program's name into a help text.
func inWords(text, program string) string { return strings.ReplaceAll(text, "PROGRAM", program) }

const overview = `Takes a web service into maintenance and back.

Every instance of the service follows one state; these commands change it, from wherever it can be reached.

    PROGRAM on --for 30m --message "Back at 3."
    PROGRAM status
    PROGRAM off`

// details are the longer helps of the commands. Indented lines stay as they are, but for the first line of a text.
var details = map[string]string{
	"on": `Without flags the whole site is closed until somebody says off. If the window runs already it is changed: what you do not mention stays. Saying the same again changes nothing.

Times are RFC 3339 (2027-01-31T14:00:00Z), local (2027-01-31 14:00), or a duration from now (30m, 2h, 1h30m).

    PROGRAM on                                       the whole site, until "off"
    PROGRAM on --for 30m --message "Back soon."      for half an hour from now
    PROGRAM on --start "2027-01-31 22:00" --for 2h   later
    PROGRAM on --until never                         take the end from a window that runs
    PROGRAM on --scope checkout --mode readonly      a part of it, and reading stays possible
    PROGRAM on --hold 20s                            for a restart: requests wait, and go on at "off"
    PROGRAM on --as migration --reason "CH-1234"     a hold of its own, for off --as migration
    PROGRAM on --message-de "Gleich zurück."         the message in another language
    PROGRAM on --drain && ./migrate.sh               begin when nothing runs any more

yes, true and 1 mean the same as on.`,
	"off": `Ends the windows of the whole site, or of --scope, and cancels the planned ones. Windows of other scopes go on, and are named. Of a window that recurs what runs is ended, and the next time it comes again: cancel removes it.

    PROGRAM off
    PROGRAM off --scope checkout
    PROGRAM off --as migration       end one hold; the others go on
    PROGRAM off --ramp 10m           reopen by degrees: all are let in after ten minutes

While it reopens, a visitor who was let in stays in: users are told apart by their names, others by their addresses. A further off opens at once, on closes again.

A state that makes no sense is repaired by off: the broken text is kept, and it is said where. no, false and 0 mean the same as off.`,
	"status": `For people, for programs, and for scripts that only want to know whether something is refused:

    PROGRAM status
    PROGRAM status --json | jq .active
    PROGRAM status --exit-code || echo "not open, or not known"

Exits with 1 if the state makes no sense and with 5 if it cannot be read.`,
	"explain": `Tells for an imagined request what a real one would meet: the windows that cover it, each rule in the order in which they are asked, and how the client's address is found. Nothing is changed and nobody's session is ended.

    PROGRAM explain --path /checkout/cart --ip 192.0.2.7
    PROGRAM explain --path /api/orders --method POST --user alice --role ops
    PROGRAM explain --ip 10.0.0.1 --header "X-Forwarded-For: 203.0.113.9"

Without --service the answer is by the document and by the RECESS_* variables that are set here, so a configuration can be tried before it is deployed. A running service knows also what its code says:

    PROGRAM explain --service https://shop.example/maintenance --token-file token --path /checkout/cart

Exits with 0 whatever the answer is; with --exit-code, with 10 if it is no.`,
	"history": `The document keeps the last fifty changes: when each was made by its writer's clock, by whom and from where, what it did, and why, as far as somebody said so. The newest comes first.

    PROGRAM history
    PROGRAM history --last 3
    PROGRAM history --json | jq -r '.history[] | select(.action == "off") | .by.name'

What a store had before it was lost, or put back, is not known here. For longer than that, keep what "PROGRAM watch --json" writes.`,
	"schedule": `A planned window needs a beginning and an end. Until it begins visitors may be told of it.

    PROGRAM schedule --start "2027-01-31 22:00" --for 2h --message "We are moving house."
    PROGRAM schedule --start 2027-01-31T21:00:00Z --until 2027-01-31T23:00:00Z --scope checkout

A local time that a change of clocks skips or repeats is refused: write it in RFC 3339 then.

A window can recur: --cron says when it begins, --zone by which clocks, --for how long it lasts each time.

    PROGRAM schedule --cron "0 1 * * SUN" --zone Europe/Berlin --for 2h   every Sunday at one
    PROGRAM schedule --cron "30 4 1,15 * *" --zone UTC --for 20m          on the 1st and the 15th

    minute             0-59
    hour               0-23
    day of the month   1-31
    month              1-12 or JAN-DEC
    day of the week    0-7 or SUN-SAT; 0 and 7 are Sunday

A field is a star or a list of values, ranges (MON-FRI) and steps (*/15). If both days are restricted either will do. A time that a change of clocks skips is the moment of the change; one that it repeats counts once, the first time. off ends what runs of it, cancel removes it. The same again changes the one that is there.`,
	"cancel": `Windows are named by their ids.

    PROGRAM cancel w3XQ…          the ids are in status
    PROGRAM cancel --all

A window that runs is ended by off. Of one that recurs what runs goes on to its end, and does not come again.`,
	"drain": `An instance is drained when it refuses for the windows that run now, and every request that it had admitted before has ended. Requests that a rule lets in are not waited for.

    PROGRAM drain                      how far it is; exits with 0 if all are drained, else with 4
    PROGRAM drain --wait --within 2m   until all are, or with exit code 4 after two minutes
    PROGRAM on --drain && ./migrate.sh && PROGRAM off

    behind     it has not seen the change, or does not refuse yet
    draining   requests that it admitted before are still running
    drained    nothing of that runs any more
    left       it has ended in good order
    lost       it is not heard of any more: killed, frozen or cut off
    unable     its policy only reports, or it is of another version

Of the requests of an instance that is draining the oldest are named, by route and age. Streams and jobs always are; other requests where the service runs with RECESS_NAME_REQUESTS=true.

Of a lost instance make sure that it does not run; a further drain does not know of it any more. Instances announce themselves where the state is; one that cannot write there is not seen, and not waited for.`,
	"run": `Closes the site with a window of its own, waits until all instances are drained, runs the command, and opens the site if that succeeds.

    PROGRAM run -- ./migrate.sh
    PROGRAM run --scope checkout --message "Back in a minute." --within 2m -- make migrate
    PROGRAM run --hold 30s -- ./switch-over.sh     visitors wait while it runs, and see no refusal

The command's input, output and exit code are its own, and signals are passed on to it; what PROGRAM says goes to standard error. If the command fails or is killed the site stays closed, and you are told what to type. If it was never started, because the site could not be drained in time (exit code 4) or you pressed ^C, the site is open again.

If this program itself is killed the site stays closed: "PROGRAM off" opens it. With a lease the site then opens by itself:

    PROGRAM run --lease 1m -- ./deploy.sh

The lease is renewed while this program runs. If it is lost, because the state could not be reached or somebody has ended the window, the command is told to end, since requests may run beside it. If the command fails the site stays closed all the same.`,
	"watch": `One line for each change: windows that are opened, planned, changed, ended or cancelled, those whose time has come, passes that are made, used or revoked, and a backend that fails or comes back. With --json each line is a document.

    PROGRAM watch
    PROGRAM watch --json | jq -r .event`,
	"pass": `A pass lets one person in while a window runs, on every instance. Its keys are in RECESS_PASS_KEYS, the same here as at the services.

    export RECESS_PASS_KEYS=$(PROGRAM pass keygen)
    PROGRAM pass create --for alice --url https://shop.example/maintenance/pass
    PROGRAM pass list
    PROGRAM pass revoke pQ7T…`,
	"pass create": `The link is for one person's browser: it shows a button, and the button gives the browser the pass and leads on to the site. It can be used once, or --uses times. Previews of the link spend nothing.

    PROGRAM pass create --for alice --ttl 4h --url https://shop.example/maintenance/pass
    PROGRAM pass create --for "the testers" --uses 5 --to /checkout/cart --url …
    PROGRAM pass create --for alice --qr --url …       a QR code too, for her phone
    PROGRAM pass create --for ci --scope api --token   the pass itself, for "Authorization: Recess …"

The link and the pass are shown once and kept nowhere; the state only says that there is one. A pass without --window lets in until its time is up, whatever windows come and go; with --window it ends with that window, and of one that recurs it is good for the time that runs or comes next.`,
	"pass list": `Shows who has a pass, what it is good for and until when. Nothing that is shown lets anybody in.`,
	"pass revoke": `Takes passes back. Every service refuses them as soon as it sees the change of the state.

    PROGRAM pass revoke pQ7T             by its id, or how that begins
    PROGRAM pass revoke --for alice      all that were made for her
    PROGRAM pass revoke --all

A link that was not used yet is revoked with its pass.`,
	"pass keygen": `A key is a name and 32 random bytes. Every service that is to let the passes in needs it, and whoever makes passes.

    PROGRAM pass keygen
    PROGRAM pass keygen --id 2027-01

To change keys, put the new one before the old one, separated by a comma, and remove the old one when its passes are over.`,
	"doctor": `Reads the document, asks who follows it, compares what they remember, and says what to type next. It changes nothing. The copy that RECESS_SNAPSHOT names is looked at too. In the environment of a service its RECESS_* variables are: whether they can be used, what is let in or trusted that is too wide, whether health checks and operators get in while the site is closed.

    PROGRAM doctor
    PROGRAM doctor --json | jq '.checks[] | select(.result == "bad")'

Exits with 1 if something is bad, and with 5 if the state cannot be read.`,
	"repair": `A store that was emptied, or put back to an older state, does not open the site: the services keep the last state they know, and "PROGRAM doctor" says so. This is how it ends:

    PROGRAM repair --from-instance            what the services know is written anew
    PROGRAM repair --instance web-1           the same, from one of them
    PROGRAM repair --from-file snapshot.json  from a file, when no service is left that knows
    PROGRAM repair --off                      everything ends, and the site opens

A document that makes no sense is replaced too, and its text kept. Windows that have ended in the meantime stay ended.`,
	"migrate": `Some backends keep the state in a table or a bucket that somebody has to make first, with rights that the services need not have. It changes nothing where all is there.

    PROGRAM migrate --state "postgres://admin@db/app"`,
	"completion": `Each shell keeps it in a place of its own:

    source <(PROGRAM completion bash)            in ~/.bashrc
    PROGRAM completion zsh > "${fpath[1]}/_recess"
    PROGRAM completion fish > ~/.config/fish/completions/recess.fish`,
}
