package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

var noon = time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC)

func document(windows ...state.Window) state.State {
	return state.State{Version: state.Version, Epoch: 1, Revision: 7, Windows: windows}
}

func TestTheHeadlineSaysWhatVisitorsMeet(t *testing.T) {
	planned := state.Window{ID: "p", Mode: state.Full, Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour)}
	over := state.Window{ID: "o", Mode: state.Full, End: noon}
	for _, c := range []struct {
		name    string
		windows []state.Window
		forced  recess.Force
		active  bool
		want    string
	}{
		{"nothing", nil, 0, false, "Maintenance is OFF: the site is open."},
		{"a window that is over", []state.Window{over}, 0, false, "Maintenance is OFF: the site is open."},
		{"a planned window", []state.Window{planned}, 0, false, "Maintenance is OFF: the site is open. A window is planned."},
		{"two planned windows", []state.Window{planned, planned}, 0, false, "Maintenance is OFF: the site is open. 2 windows are planned."},
		{"an announcement", []state.Window{{ID: "a", Mode: state.Announce}}, 0, false, "Maintenance is OFF: every request passes. An announcement is shown."},
		{"the whole site", []state.Window{{ID: "a", Mode: state.Full}, planned}, 0, true, "Maintenance is ON for the whole site: every request is refused."},
		{"reading stays possible", []state.Window{{ID: "a", Mode: state.ReadOnly}}, 0, true, "Maintenance is ON for the whole site: only reading is possible."},
		{
			"scopes",
			[]state.Window{{ID: "a", Mode: state.Full, Scope: "eu"}, {ID: "b", Mode: state.ReadOnly, Scope: "api"}, {ID: "c", Mode: state.Announce}},
			0, true,
			"Maintenance is ON for scope eu (every request is refused) and scope api (only reading is possible).",
		},
		{
			"a stronger scope in a weaker site",
			[]state.Window{{ID: "a", Mode: state.ReadOnly}, {ID: "b", Mode: state.Full, Scope: "eu"}},
			0, true,
			"Maintenance is ON for the whole site (only reading is possible) and scope eu (every request is refused).",
		},
		{
			"two holds of one scope",
			[]state.Window{{ID: "a", Mode: state.Full, Scope: "eu"}, {ID: "b", Name: "x", Mode: state.Full, Scope: "eu"}},
			0, true,
			"Maintenance is ON for scope eu (every request is refused).",
		},
		{"forced on", nil, recess.ForcedOn, true, "Maintenance is forced ON: every request is refused, whatever the state says."},
		{"forced off", []state.Window{{ID: "a", Mode: state.Full}}, recess.ForcedOff, false, "Maintenance is forced OFF: every request passes, whatever the state says."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schema.StatusOf(document(c.windows...), noon)
			s.Force(c.forced)
			if got := s.Headline(); got != c.want || s.Active != c.active {
				t.Errorf("says %q, active %v, want %q, %v", got, s.Active, c.want, c.active)
			}
		})
	}
}

func TestAStatusShowsAllThatIsKnown(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	alice := state.Actor{Name: "alice", Host: "web-1", Source: "cli"}
	doc := document(
		state.Window{
			ID: "w1", Name: "hold", Scope: "eu", Mode: state.Full, Start: noon.Add(-time.Hour), End: noon.Add(12 * time.Minute),
			Messages: map[string]string{"": "Back soon", "de": "Gleich\nzurück"}, Reason: "CH-1", OpenedBy: alice, OpenedAt: noon,
		},
		state.Window{ID: "w2", Mode: state.ReadOnly, Start: noon.Add(time.Hour), End: noon.Add(150 * time.Minute)},
	)
	for i := range 7 {
		doc.History = append(doc.History, state.Entry{Revision: int64(i + 1), At: noon, By: alice, Action: "on", Windows: []string{"w1: x"}, Reason: "r" + string(rune('1'+i))})
	}
	var out bytes.Buffer
	p := report.Printer{W: &out, Now: noon, Loc: berlin}
	status := schema.StatusOf(doc, noon)
	p.Status(&status, "file:recess.json in /srv")
	const want = `Maintenance is ON for scope eu (every request is refused).

Running:
  w1  scope eu, full
    held as        hold
    since          2026-11-21 11:00:00 CET (1 hour ago)
    until          2026-11-21 12:12:00 CET (ends in 12 minutes)
    message        Back soon
    message de     Gleich
                   zurück
    reason         CH-1
    opened by      alice on web-1 (cli)

Planned:
  w2  the whole site, readonly
    from           2026-11-21 13:00:00 CET (starts in 1 hour)
    until          2026-11-21 14:30:00 CET (1 hour 30 minutes later)

Last changes:
  2026-11-21 12:00:00 CET  on by alice on web-1 (cli): w1: x – r7
  2026-11-21 12:00:00 CET  on by alice on web-1 (cli): w1: x – r6
  2026-11-21 12:00:00 CET  on by alice on web-1 (cli): w1: x – r5
  2026-11-21 12:00:00 CET  on by alice on web-1 (cli): w1: x – r4
  2026-11-21 12:00:00 CET  on by alice on web-1 (cli): w1: x – r3

State: file:recess.json in /srv, revision 7. Times are local (CET, UTC+01:00).
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// hostile is text that would command or deceive a terminal.
const hostile = "a\x1b[2Jb\u009b1mc\u202ed\u2066e\x07f\u2028g"

func TestAHostileDocumentCannotCommandTheTerminal(t *testing.T) {
	evil := state.Actor{Name: hostile, Host: hostile, Source: hostile}
	doc := document(state.Window{ID: hostile, Name: hostile, Scope: hostile, Mode: hostile, Reason: hostile, OpenedBy: evil, Messages: map[string]string{hostile: hostile}})
	doc.History = []state.Entry{{By: evil, Action: hostile, Windows: []string{hostile}, Reason: hostile}}
	status := schema.StatusOf(doc, noon)
	status.Problem = hostile
	var out bytes.Buffer
	p := report.Printer{W: &out, Now: noon, Loc: time.UTC}
	p.Status(&status, "x")
	if err := p.Event(&report.Event{Event: "opened", Window: &status.Running[0], By: &status.Running[0].OpenedBy, Reason: hostile}, "x"); err != nil {
		t.Fatal(err)
	}
	if err := p.Event(&report.Event{Event: "invalid", Error: hostile}, "x"); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(out.String(), "\x1b\u009b\u202e\u2066\x07\u2028"); i >= 0 {
		t.Errorf("a control character got through: %q", out.String()[max(0, i-40):i+10])
	}
	out.Reset()
	if err := schema.WriteJSON(&out, status, true); err != nil {
		t.Fatal(err)
	}
	var back schema.Status
	if strings.ContainsAny(out.String(), "\x1b\u009b\x07") {
		t.Errorf("a control character got into the JSON: %q", out.String())
	}
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Problem != hostile {
		t.Errorf("the JSON says %q, %v, want %q", back.Problem, err, hostile)
	}
}

func TestCleanKeepsWordsOnTheirLine(t *testing.T) {
	for text, want := range map[string]string{"a b": "a b", "a\n\tb": "a b", "x\xff": "x\uFFFD", "é\u0301 – ü": "é\u0301 – ü"} {
		if got := schema.Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAChangeTellsWhatEndedFromWhatWasCancelled(t *testing.T) {
	running, planned := state.Window{ID: "r", Mode: state.Full}, state.Window{ID: "p", Mode: state.Full, Start: noon.Add(1)}
	c := schema.ChangeOf("off", &recess.Change{Ended: []state.Window{planned, running}}, noon)
	if len(c.Ended) != 1 || c.Ended[0].ID != "r" || len(c.Cancelled) != 1 || c.Cancelled[0].ID != "p" || !c.Changed {
		t.Errorf("ended %v, cancelled %v, changed %v", c.Ended, c.Cancelled, c.Changed)
	}
}

func TestABarNamesTheOldestOfAllAndDoesNotWrap(t *testing.T) {
	busy := func(id string, phase recess.DrainPhase, oldest ...recess.Work) report.DrainInstance {
		return report.DrainInstance{Instance: schema.Instance{ID: id}, Phase: phase, Earlier: 2, Oldest: oldest}
	}
	d := report.Drain{At: noon, Drained: 1, Instances: []report.DrainInstance{
		busy("web-1", recess.Draining, recess.Work{Name: "GET /a", Age: 5_000}),
		busy("web-2", recess.Draining, recess.Work{Name: "GET /b\x1b[2J", Age: 72_000}, recess.Work{Name: "GET /c", Age: 1}),
		busy("web-3", recess.Lost, recess.Work{Name: "GET /d", Age: 99_000}),
		busy("web-4", recess.Drained),
	}}
	var out bytes.Buffer
	p := report.Printer{W: &out, Paint: true, Now: noon, Loc: time.UTC}
	p.DrainBar(&d, noon.Add(-80*time.Second))
	const want = " 1 of 4 instances drained, 4 requests to finish, 1 lost (1m20s), the oldest: GET /b\uFFFD[2J for 1m12s on web-2\x1b[?7h"
	if got := out.String(); !strings.HasPrefix(got, "\r\x1b[K\x1b[?7l") || !strings.HasSuffix(got, want) {
		t.Errorf("the bar is %q, want it to end with %q", got, want)
	}
	out.Reset()
	d.Instances = d.Instances[3:]
	p.DrainBar(&d, noon)
	if strings.Contains(out.String(), "oldest") {
		t.Errorf("nothing is late, and the bar is %q", out.String())
	}
}
