package command_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state/memstate"
)

// following starts engines that follow a backend until the test ends.
func following(t *testing.T, b *memstate.Backend, names ...string) []*recess.Engine {
	t.Helper()
	var fleet []*recess.Engine
	for _, name := range names {
		e, err := recess.New(t.Context(), recess.Config{Backend: b, Instance: name, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		fleet = append(fleet, e)
	}
	synctest.Wait()
	return fleet
}

func inABubble(t *testing.T, f func(t *testing.T, b *memstate.Backend, do func(args ...string) run)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t)
		f(t, b, func(args ...string) run {
			return runWith(t.Context(), command.Options{Backend: b}, nil, "", args...)
		})
	})
}

func TestOnReturnsOnceAllIsDrained(t *testing.T) {
	inABubble(t, func(t *testing.T, b *memstate.Backend, do func(args ...string) run) {
		fleet := following(t, b, "web-1", "web-2")
		request := fleet[1].Begin()
		time.AfterFunc(30*time.Second, request.End)
		began := time.Now()
		got := do("on", "--drain")
		if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("it took %v, and a request ended after 30s", took)
		}
		var lines []string // without what is before them, and the instances' random ends
		_, drain, _ := strings.Cut(got.out, "To end it:")
		for line := range strings.Lines(drain) {
			if at := strings.Index(line, "  "); at > 0 {
				words := strings.Fields(line[at:])
				words[1] = words[1][:len("web-1")]
				lines = append(lines, strings.Join(words, " "))
			}
		}
		all := strings.Join(lines, "\n") // it may begin with "behind": who is told of it comes a moment later
		for _, want := range []string{"drained web-1", "draining web-2 has 1 request to finish"} {
			if strings.Count(all, want) != 1 {
				t.Errorf("it does not say %q once:\n%s", want, all)
			}
		}
		if !strings.HasSuffix(all, "\ndrained web-2") {
			t.Errorf("the last word is not about who was the last:\n%s", all)
		}
		if got.code != 0 || got.err != "" || !strings.Contains(got.out, "\n2 of 2 instances drained. Nothing that they admitted before runs any more.\n") {
			t.Errorf("exit code %d\n%s\n%s", got.code, got.out, got.err)
		}
	})
}

func TestADrainThatTakesTooLongExitsWithFour(t *testing.T) {
	inABubble(t, func(t *testing.T, b *memstate.Backend, do func(args ...string) run) {
		fleet := following(t, b, "web-1")
		request := fleet[0].Begin()
		defer request.End()
		began := time.Now()
		got := do("on", "--drain", "--within", "10s")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if got.code != 4 || !strings.Contains(got.err, "not every instance is drained: web-1.") || !strings.Contains(got.err, "has 1 request to finish. RECESS_NAME_REQUESTS=true ") ||
			!strings.Contains(got.err, `"recess drain --wait" goes on waiting`) {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		if got := do("drain"); got.code != 4 || !strings.Contains(got.out, "draining   web-1.") || strings.Count(got.out, "\n") != 1 {
			t.Errorf("one look: exit code %d\n%s", got.code, got.out)
		}
		if len(read(t, b).Windows) != 1 {
			t.Error("maintenance has ended")
		}
	})
}

func TestADrainSaysWhatIsLate(t *testing.T) {
	inABubble(t, func(t *testing.T, b *memstate.Backend, do func(args ...string) run) {
		fleet := following(t, b, "web-1", "web-2")
		request := fleet[0].Begin()
		defer request.End()
		job, err := fleet[1].Enter(recess.WithJobName(t.Context(), "invoices"))
		if err != nil {
			t.Fatal(err)
		}
		defer job.End()
		forged := `{"name":"web-3","follower":"valid","earlier":7,"oldest":[{"name":"GET /a\u001b[2J\nweb-1 is drained\u202e","age_ms":72000}]}`
		time.Sleep(time.Minute)
		got := do("on", "--drain", "--within", "10s")
		if got.code != 4 || strings.Count(got.err, "RECESS_NAME_REQUESTS") != 1 {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		const words = " has 1 request to finish, the oldest: job invoices for 1m"
		if !strings.Contains(got.err, words+"10s") || strings.Count(got.out, words) != 1 {
			t.Errorf("it does not name the job on its way and at its end:\n%s%s", got.out, got.err)
		}
		forgery := func() {
			running := read(t, b).Windows[0].ID
			data := strings.Replace(forged, "{", fmt.Sprintf(`{"epoch":%d,"revision":1000,"running":[%q],`, time.Now().Add(time.Hour).UnixMilli(), running), 1)
			if _, err := b.Announce(t.Context(), "web-3.x", []byte(data), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		forgery()
		got = do("drain")
		if got.code != 4 || strings.ContainsAny(got.out+got.err, "\x1b\u202e") || strings.Count(got.out, "\n") != 3 ||
			!strings.Contains(got.out, "web-3.x has 7 requests to finish, the oldest: GET /a\uFFFD[2J\uFFFDweb-1 is drained\uFFFD for 1m12s\n") {
			t.Errorf("one look: exit code %d\n%s%s", got.code, got.out, got.err)
		}
		forgery()
		var last struct {
			Instances []struct {
				ID     string
				Oldest []struct {
					Name string
					Age  int64 `json:"age_ms"`
				}
			}
		}
		got = do("drain", "--json")
		if err := json.Unmarshal([]byte(got.out), &last); err != nil || len(last.Instances) != 3 || !strings.Contains(got.out, `"oldest":[]`) {
			t.Fatalf("one look for programs: %v\n%s%s", err, got.out, got.err)
		}
		if named := last.Instances[1].Oldest; len(named) != 1 || named[0].Name != "job invoices" || named[0].Age < 60_000 {
			t.Errorf("programs are told of %+v", named)
		}
	})
}

func TestADrainTellsProgramsHowFarItIs(t *testing.T) {
	inABubble(t, func(t *testing.T, b *memstate.Backend, do func(args ...string) run) {
		fleet := following(t, b, "web-1", "web-2")
		request := fleet[1].Begin()
		time.AfterFunc(5*time.Second, request.End)
		got := do("on", "--drain", "--json")
		var events []string
		lines := bufio.NewScanner(strings.NewReader(got.out))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e struct {
				Action, Event string
				Drained       int
				Instances     []struct {
					ID, Phase string
					Earlier   int
				}
			}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			text := fmt.Sprint(e.Action, e.Event, " ", e.Drained)
			for _, i := range e.Instances {
				text += fmt.Sprint(" ", i.Phase, i.Earlier)
			}
			if len(events) == 0 || events[len(events)-1] != text {
				events = append(events, text)
			}
		}
		all := strings.Join(events, "\n")
		if !strings.HasPrefix(all, "on 0\n") || !strings.HasSuffix(all, "progress 1 drained0 draining1\nprogress 2 drained0 drained0\ndrained 2 drained0 drained0") || got.code != 0 {
			t.Errorf("exit code %d:\n%s\n%s", got.code, all, got.err)
		}
		if got := do("drain", "--json"); got.code != 0 || strings.Count(got.out, "\n") != 1 || !strings.Contains(got.out, `"event":"drained"`) {
			t.Errorf("one look: exit code %d: %s", got.code, got.out)
		}
	})
}

func TestALostInstanceNeedsAWordToBeForgiven(t *testing.T) {
	inABubble(t, func(t *testing.T, b *memstate.Backend, do func(args ...string) run) {
		following(t, b, "web-1")
		gone := fmt.Appendf(nil, `{"name":"web-2","follower":"valid","in_flight":1}`)
		forgotten := func() {
			if _, err := b.Announce(t.Context(), "web-2.x", gone, 20*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		forgotten()
		if got := do("on", "--drain"); got.code != 4 || !strings.Contains(got.err, "web-2.x is lost") {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
		forgotten()
		if got := do("drain", "--wait", "--allow-lost"); got.code != 0 || !strings.Contains(got.out, "\n  web-2.x is lost") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
		}
	})
}

func TestNothingIsDrainedWhereNobodyIs(t *testing.T) {
	inABubble(t, func(t *testing.T, _ *memstate.Backend, do func(args ...string) run) {
		if got := do("drain"); got.code != 2 || !strings.Contains(got.err, "nothing to drain for") {
			t.Errorf("with nothing on: exit code %d: %s", got.code, got.err)
		}
		if got := do("on", "--drain"); got.code != 4 || !strings.Contains(got.err, "is this the state that the service follows?") {
			t.Errorf("with nobody there: exit code %d: %s", got.code, got.err)
		}
	})
}

func TestFlagsOfADrainThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"on", "--within", "5m"}, "goes with on --drain"},
		{[]string{"on", "--allow-lost"}, "go with on --drain"},
		{[]string{"drain", "--within", "5m"}, "goes with drain --wait"},
		{[]string{"drain", "--wait", "--within", "-5m"}, "--within: "},
		{[]string{"on", "--drain", "--start", "5m", "--for", "1h"}, "leave --start out"},
		{[]string{"on", "--drain", "--mode", "announce"}, "refuses nothing"},
	} {
		b := newBackend(t)
		got := runWith(t.Context(), command.Options{Backend: b}, nil, "", c.args...)
		if got.code != 2 || !strings.Contains(got.err, c.says) || len(read(t, b).Windows) > 0 {
			t.Errorf("%q: exit code %d: %s", c.args, got.code, got.err)
		}
	}
}

func TestAnInterruptEndsADrainAndSaysThatMaintenanceStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t)
		fleet := following(t, b, "web-1")
		request := fleet[0].Begin()
		defer request.End()
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, interrupt)
		got := runWith(ctx, command.Options{Backend: b}, nil, "", "on", "--drain")
		if got.code != 1 || !strings.Contains(got.err, "interrupted") || len(read(t, b).Windows) != 1 {
			t.Errorf("exit code %d: %s", got.code, got.err)
		}
	})
}
