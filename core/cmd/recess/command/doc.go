// Package command is the command line of Recess, to be mounted into an application's own binary, as
// django-maintenance-mode's "manage.py maintenance_mode on" is part of every Django project. The recess binary is
// nothing but [Main].
//
// # Commands
//
//	on        turn maintenance on, now or from a time on, or change the window that runs
//	off       end what runs and cancel what is planned, or repair a state that makes no sense
//	status    show what runs, what is planned and who did it
//	schedule  plan a further window, or one that recurs
//	cancel    remove planned windows
//	drain     show, or wait, until all instances refuse and what they admitted before has ended
//	run       close the site, drain it, run a command, and open the site again if that succeeds
//	watch     print every change as it happens
//	pass      let single persons in while the site is closed: create, list, revoke, keygen
//	doctor    look at the state and all that follows it, and say what is wrong and what to do
//	repair    write a state anew that the backend has lost or rolled back
//	migrate   prepare a store for the state: make its table or bucket
//
// and version and completion. yes, true and 1 mean on, no, false and 0 mean off, in any case, as in Django's command.
//
// # Exit codes
//
//	0   done; also when it was so already
//	1   failed: refused by RECESS_MODE, by a read-only backend, by the person asked, or the state makes no sense; of
//	    doctor: something is bad
//	2   the command line or its settings make no sense, or a RECESS_ variable is set that nobody knows; nothing was changed
//	3   somebody else changed the state first; nothing was changed
//	4   not every instance was drained in time, one is lost, or none is there
//	5   the backend cannot be reached or written
//	10  "status --exit-code" only: something is refused (0: nothing is)
//
// run exits with the command's own code; with 126 or 127 if it cannot be run, and with 128 and the number of the signal that
// has ended it, as shells do.
//
// # JSON
//
// With --json a command that succeeds writes one document to standard output (watch and drain --wait: one a line; on
// --drain: the change on the first line, then the drain). A command that fails writes nothing there, but for what was written
// before it failed: the error goes to standard error, so that a script that reads a member of the result can never
// take an error for "off". Times are RFC 3339 in UTC, null where there is none. Members are only ever added.
//
//	status    {"state", "exists", "active", "mode", "forced", "epoch", "revision", "running": [WINDOW], "planned": [WINDOW],
//	           "history": [{"revision", "at", "by": ACTOR, "action", "windows": [TEXT], "reason", "replaced"}], "problem"}
//	on, off,
//	schedule,
//	cancel,
//	repair    {"action", "changed", "opened": [WINDOW], "updated": [WINDOW], "ended": [WINDOW], "cancelled": [WINDOW],
//	           "recurring": [WINDOW], "started", "anew", "unasked", "salvaged", "status": as above}
//	watch     {"at", "event", "active", "revision", "window"?: WINDOW, "pass"?: PASS, "action"?, "by"?: ACTOR, "reason"?, "error"?, "status"?};
//	          event is watching, opened, planned, started, updated, ended, expired, cancelled, pass made, link used, pass ended,
//	          unreachable, invalid, lost or recovered
//	doctor    {"state", "healthy", "checks": [{"check", "result", "text", "advice"}], "instances": [{"id", "name", "host",
//	           "pid", "version", "epoch", "revision", "follower", "follower_since", "last_error", "source", "in_flight", "remembers"}]};
//	          result is ok, note, warning or bad; it is written also when the exit code is not 0
//	drain     {"at", "event", "drained", "revision", "windows": [WINDOW], "instances": [{as of doctor, and "phase", "earlier",
//	           "oldest": [{"name", "age_ms"}], "text"}], "trouble"}; event is progress, drained or not_drained, phase is behind, draining, drained, left, lost
//	           or unable
//	pass create  {"pass": PASS, "link", "token"}; link is "" with --token, token without it
//	pass list    {"passes": [PASS], "revision"}
//	pass revoke  {"revoked": [PASS], "passes": [PASS], "revision"}; passes are those that are left
//	pass keygen  {"id", "key"}
//	migrate   {"state", "needed"}
//	explain   {"refused", "reason", "rule", "window", "client", "steps": [{"reason", "rule", "hit"}], "notes", "text"}
//	history   {"revision", "history": [ENTRY as of status]}
//	version   {"version", "go", "platform", "schema"}
//	WINDOW    {"id", "name", "scope", "mode", "starts_at", "ends_at", "hold": null or seconds, "ramp_at": null or INSTANT, "share",
//	           "lease": null or {"ttl_seconds", "renewals"}, "repeat": null or REPEAT, "messages": {TAG: TEXT}, "reason",
//	           "opened_by": ACTOR, "opened_at"}
//	REPEAT    {"cron", "zone", "for_seconds", "after", "next_at": [INSTANT]}; starts_at and ends_at are then those of what
//	           runs or comes next, and next_at the three beginnings after that
//	PASS      {"id", "for", "scope", "window", "occurrence_at", "expires_at", "uses", "key", "issued_by": ACTOR, "issued_at"}
//	ACTOR     {"name", "host", "source"}
//	an error  {"error": {"code", "exit_code", "message", "hint", "status"?}}; code is usage, forced, declined, conflict,
//	          not_drained, no_presence, invalid_state, read_only, inexpressible, interrupted, unreachable or failed; status is the winner's, of a conflict
package command
