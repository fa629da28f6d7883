package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/cmd/recess/internal/qr"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/config"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// passCommands are the commands about bypass passes.
type passCommands struct {
	Create passCreateCommand `cmd:"" help:"Make a pass for one person: a link that hands it over, or the pass itself."`
	List   passListCommand   `cmd:"" help:"Show the passes there are."`
	Revoke passRevokeCommand `cmd:"" help:"Take passes back."`
	Keygen passKeygenCommand `cmd:"" help:"Print a new key for RECESS_PASS_KEYS."`
}

type passCreateCommand struct {
	For    string  `required:"" placeholder:"NAME" help:"Whom the pass is for: a name, for the list and the history."`
	TTL    string  `name:"ttl" default:"4h" placeholder:"D" help:"How long it lets in: ${default} by default, 90 days at most."`
	Scope  string  `placeholder:"NAME" help:"Only into what the windows of this scope close. Without it: what any window closes."`
	Window string  `placeholder:"ID" help:"Only into what this window closes; its id is in status. It ends with the window."`
	URL    *string `name:"url" placeholder:"URL" help:"The address of the service's page for links: https://shop.example/maintenance/pass."`
	To     string  `default:"/" placeholder:"PATH" help:"Where the link leads once it was used: ${default} by default."`
	Uses   *int    `placeholder:"N" help:"How many times the link can be used: once by default."`
	Token  bool    `help:"Print the pass itself instead of a link, for clients without a browser."`
	QR     bool    `name:"qr" help:"Show the link as a QR code too, for phones. Needs a terminal."`
	Reason string  `placeholder:"TEXT" help:"For the history."`
}

type passRevokeCommand struct {
	ID     []string `arg:"" optional:"" name:"id" help:"The passes' ids, as list shows them, or how they begin."`
	For    string   `placeholder:"NAME" help:"All that were made for this person."`
	All    bool     `help:"All there are."`
	Reason string   `placeholder:"TEXT" help:"For the history."`
}

type passKeygenCommand struct {
	ID string `name:"id" placeholder:"NAME" help:"The key's name, another one for each key. Without it: the date of today."`
}

type passListCommand struct{}

// order reads the flags of "pass create". base is the URL of the page for links; nil with --token.
func (c *passCreateCommand) order(s *session) (o recess.PassOrder, base *url.URL, err error) {
	o = recess.PassOrder{For: c.For, Scope: c.Scope, Window: c.Window, Reason: c.Reason, Uses: 1}
	if o.TTL, err = moment.ParseLength(c.TTL); err != nil {
		return o, nil, usage("--ttl: %s", err)
	}
	if o.TTL > recess.MaxPass || o.TTL%time.Second != 0 {
		return o, nil, usage("--ttl: %s: use whole seconds, 90 days (2160h) at most", c.TTL)
	}
	switch {
	case c.Token && (c.URL != nil || c.Uses != nil || c.QR || c.To != "/"):
		return o, nil, usage("--token prints the pass itself: --url, --to, --uses and --qr are about links")
	case c.Token:
		o.Uses = 0
		return o, nil, nil
	case c.QR && (s.globals.JSON || !isTerminal(s.Terminal)):
		return o, nil, usage("--qr draws on a terminal, and this is none: leave it out")
	case c.URL == nil:
		return o, nil, usage("where is the service's page for links? --url https://shop.example/maintenance/pass, or --token for the pass itself")
	case !page.IsOwnPath(c.To):
		return o, nil, usage("--to: %q is no path of the site: write it as in /checkout/cart", c.To)
	}
	if c.Uses != nil {
		if o.Uses = *c.Uses; o.Uses < 1 || o.Uses > state.MaxUses {
			return o, nil, usage("--uses: %d: a link can be used once to %d times", o.Uses, state.MaxUses)
		}
	}
	base, err = linkBase(*c.URL)
	return o, base, err
}

// linkBase reads the address of a page for links.
func linkBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, usage("--url: %q is no address of a page: write it as in https://shop.example/maintenance/pass", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, usage("--url: the address goes without a user, a query and a fragment")
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1":
		return nil, usage("--url: browsers keep a pass only if it comes over https (or from localhost)")
	}
	return u, nil
}

// link is the URL that hands a pass over.
func (c *passCreateCommand) link(base *url.URL, token string) string {
	u := *base
	u.RawQuery = "link=" + token
	if c.To != "/" {
		u.RawQuery += "&to=" + url.QueryEscape(c.To)
	}
	return u.String()
}

func (c *passCreateCommand) run(ctx context.Context, s *session) error {
	o, base, err := c.order(s)
	if err != nil {
		return err
	}
	ring, err := s.ring()
	if err != nil {
		return err
	}
	if ring == nil {
		return usage("there is no key to sign with: set RECESS_PASS_KEYS as the services have it; \"%s pass keygen\" makes a key", s.Program)
	}
	var issued pass.Tokens
	change, err := s.passes(ctx, func(ctx context.Context, ctl *recess.Controller) (change recess.Change, err error) {
		issued, change, err = ctl.IssuePass(ctx, ring, o)
		return change, err
	})
	if err != nil {
		return err
	}
	made := schema.Issued{Pass: schema.PassOf(change.Passes[0])}
	if c.Token {
		made.Token = issued.Pass
	} else {
		made.Link = c.link(base, issued.Link)
	}
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, made, true)
	}
	return c.show(s, &made)
}

// show writes what was made for people. It is shown once, and kept nowhere.
func (c *passCreateCommand) show(s *session, made *schema.Issued) error {
	fmt.Fprintln(s.Out, "Made:")
	s.printer.Pass(&made.Pass)
	if made.Token != "" {
		fmt.Fprintf(s.Out, "\nThe pass, which is shown only now:\n\n  %s\n\nClients send it as \"Authorization: %s …\" or as \"%s: …\".\n",
			made.Token, pass.Scheme, pass.HeaderName)
	} else {
		fmt.Fprintf(s.Out, "\nThe link, which is shown only now:\n\n  %s\n\nWhoever opens it first and presses the button is let in: send it to %s alone.\n",
			made.Link, schema.Clean(made.Pass.For))
	}
	if c.QR {
		drawn, err := qr.Draw(made.Link)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "\n%s", drawn)
	}
	fmt.Fprintf(s.Out, "To take it back: %s pass revoke %s\n", s.Program, schema.Clean(made.Pass.ID))
	return nil
}

func (passListCommand) run(ctx context.Context, s *session) error {
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	now, err := s.controller(backend).State(bounded)
	if err != nil {
		return interrupted(ctx, err)
	}
	passes := schema.PassesOf(&now, s.printer.Now)
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, passes, true)
	}
	s.printer.Passes(passes.Passes)
	return nil
}

func (c *passRevokeCommand) run(ctx context.Context, s *session) error {
	ways := 0
	for _, given := range []bool{len(c.ID) > 0, c.For != "", c.All} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return usage("which passes? Give their ids, as \"%s pass list\" shows them, or --for NAME, or --all", s.Program)
	}
	change, err := s.passes(ctx, func(ctx context.Context, ctl *recess.Controller) (recess.Change, error) {
		ids, err := c.named(ctx, ctl, s.printer.Now)
		if err != nil {
			return recess.Change{}, err
		}
		return ctl.RevokePass(ctx, c.Reason, ids...)
	})
	if err != nil {
		return err
	}
	shown := schema.RevokedOf(&change, s.printer.Now)
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, shown, true)
	}
	for _, p := range shown.Revoked {
		fmt.Fprintf(s.Out, "Revoked: %s, for %s.\n", schema.Clean(p.ID), schema.Clean(p.For))
	}
	fmt.Fprintf(s.Out, "Passes left: %d. Services refuse those that were revoked as soon as they see the change.\n", len(shown.Passes.Passes))
	return nil
}

// named are the ids of the passes that shall go.
func (c *passRevokeCommand) named(ctx context.Context, ctl *recess.Controller, now time.Time) ([]string, error) {
	if len(c.ID) > 0 {
		return c.ID, nil
	}
	current, err := ctl.State(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range current.LivePasses(now) {
		if c.All || p.For == c.For {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) == 0 && c.All {
		return nil, usage("there are no passes: nothing was changed")
	} else if len(ids) == 0 {
		return nil, usage("no pass was made for %q: nothing was changed", c.For)
	}
	return ids, nil
}

func (c *passKeygenCommand) run(_ context.Context, s *session) error {
	id := c.ID
	if id == "" {
		id = s.printer.Now.UTC().Format("2006-01-02")
	}
	key, err := pass.NewKey(id)
	if err != nil {
		return usage("--%s", err)
	}
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, map[string]string{"id": id, "key": key}, true)
	}
	fmt.Fprintln(s.Out, key)
	return nil
}

// passes makes a change of passes.
func (s *session) passes(ctx context.Context, do func(context.Context, *recess.Controller) (recess.Change, error)) (recess.Change, error) {
	if s.forced != recess.NotForced {
		return recess.Change{}, fmt.Errorf("pass: %w", recess.ErrForced) // before the backend is asked
	}
	backend, done, err := s.open(ctx)
	if err != nil {
		return recess.Change{}, err
	}
	defer done()
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	change, err := do(bounded, s.controller(backend))
	return change, interrupted(ctx, err)
}

// ring holds the application's keys, or those of the environment; nil if there are none.
func (s *session) ring() (*pass.Ring, error) {
	if s.Passes != nil {
		return s.Passes, nil
	}
	ring, err := config.PassRing(s.Environ())
	var bad *config.Error
	if errors.As(err, &bad) {
		return nil, usage("%s", strings.TrimPrefix(err.Error(), "config: "))
	}
	return ring, err
}

// passes looks at the passes of the document, and at the keys that are set here.
func (d *doctor) passes() {
	live := d.newest.LivePasses(d.printer.Now)
	ring, err := d.ring()
	text := fmt.Sprintf("%d in the document", len(live))
	switch {
	case err != nil:
		d.find("passes", report.Bad, strings.TrimSpace(err.Error()), "Services with these keys do not start. \"PROGRAM pass keygen\" makes a key.")
	case ring == nil && len(live) > 0:
		d.find("passes", report.Note, text+"; RECESS_PASS_KEYS is not set here, so it cannot be told whether it has their keys", "")
	case ring == nil:
	default:
		if missing := ring.Book(live, d.printer.Now, nil).Unknown(); len(missing) > 0 {
			d.find("passes", report.Warning, fmt.Sprintf("%s, of which %d are signed with keys that RECESS_PASS_KEYS does not have here: %s", text, len(missing), missing[0]),
				"Services with these keys do not let them in. Keep a key as long as passes of it are out.")
			return
		}
		d.find("passes", report.OK, text, "")
	}
}
