package command_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state"
)

// faulty is a backend whose store can fail, lose its document, or be one that can only be polled.
type faulty struct {
	state.Backend
	mu    sync.Mutex
	fail  error
	lost  bool
	polls bool
	hint  time.Duration
	calls int
}

func (f *faulty) set(change func(*faulty)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faulty) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	f.mu.Lock()
	fail, lost, polls, hint := f.fail, f.lost, f.polls, f.hint
	f.calls++
	f.mu.Unlock()
	switch {
	case fail != nil:
		return state.Doc{}, 0, fail
	case lost:
		if since == state.None {
			<-ctx.Done()
			return state.Doc{}, 0, state.ErrUnchanged
		}
		return state.Doc{}, 0, nil
	case polls:
		doc, err := state.Read(ctx, f.Backend)
		if err == nil && doc.Rev == since {
			return state.Doc{}, hint, state.ErrUnchanged
		}
		return doc, 0, err
	}
	return f.Backend.Next(ctx, since)
}

// A watch is a running watch command.
type watch struct {
	t    *testing.T
	mu   sync.Mutex
	out  bytes.Buffer
	read int
	code chan int
	stop context.CancelFunc
}

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func startWatch(t *testing.T, b state.Backend, env map[string]string, args ...string) *watch {
	ctx, stop := context.WithCancel(t.Context())
	w := &watch{t: t, code: make(chan int, 1), stop: stop}
	go func() {
		w.code <- command.Main(ctx, append([]string{"watch"}, args...), command.IO{
			Out: w, Err: w, LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		}, command.Options{Backend: b})
	}()
	return w
}

// lines returns what was written since the last call, once nothing moves any more.
func (w *watch) lines() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.out.String()[w.read:]
	w.read = w.out.Len()
	var lines []string
	for scan := bufio.NewScanner(strings.NewReader(text)); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	return lines
}

// An event is a line of watch --json, with what the tests compare.
type event struct {
	Event    string `json:"event"`
	Active   bool   `json:"active"`
	Revision int64  `json:"revision"`
	Window   struct {
		Scope string `json:"scope"`
	} `json:"window"`
	Action string `json:"action"`
	By     struct {
		Name string `json:"name"`
	} `json:"by"`
	Error string `json:"error"`
}

func (w *watch) expect(want ...event) {
	w.t.Helper()
	lines := w.lines()
	if len(lines) != len(want) {
		w.t.Fatalf("%d events, want %d: %q", len(lines), len(want), lines)
	}
	for i, line := range lines {
		var got event
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			w.t.Fatalf("%v: %s", err, line)
		}
		if (got.Error == "") != (want[i].Error == "") || !strings.Contains(got.Error, want[i].Error) {
			w.t.Errorf("event %d: error %q, want one that says %q", i, got.Error, want[i].Error)
		}
		got.Error, want[i].Error = "", ""
		if got != want[i] {
			w.t.Errorf("event %d is %+v, want %+v", i, got, want[i])
		}
	}
}

func (w *watch) end(want int) {
	w.t.Helper()
	w.stop()
	if code := <-w.code; code != want {
		w.t.Errorf("exit code %d, want %d", code, want)
	}
}

func by(e event, action string) event {
	e.Action, e.By.Name = action, "bob"
	return e
}

func in(e event, scope string) event { e.Window.Scope = scope; return e }

func must(t *testing.T) func(recess.Change, error) {
	return func(_ recess.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchTellsEveryChangeAndEveryWindowWhoseTimeHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(t), t.Context()
		bob := recess.NewController(b, state.Actor{Name: "bob"}, recess.NotForced)
		w := startWatch(t, b, nil, "--json")
		w.expect(event{Event: "watching"})

		must(t)(bob.On(ctx, recess.Opening{Scope: "eu"}))
		w.expect(by(in(event{Event: "opened", Active: true, Revision: 1}, "eu"), "on"))
		must(t)(bob.On(ctx, recess.Opening{Scope: "eu", Mode: state.ReadOnly}))
		w.expect(by(in(event{Event: "updated", Active: true, Revision: 2}, "eu"), "on"))
		must(t)(bob.Off(ctx, recess.Ending{Scope: "eu"}))
		w.expect(by(in(event{Event: "ended", Revision: 3}, "eu"), "off"))

		const odd = 95 * time.Second // no multiple of the time after which the backend is asked again
		start := time.Now().Add(odd)
		must(t)(bob.Schedule(ctx, recess.Opening{Scope: "us", Start: start, End: start.Add(odd)}))
		w.expect(by(in(event{Event: "planned", Revision: 4}, "us"), "schedule"))
		time.Sleep(odd)
		w.expect(in(event{Event: "started", Active: true, Revision: 4}, "us"))
		time.Sleep(odd)
		w.expect(in(event{Event: "expired", Revision: 4}, "us"))

		start = time.Now().Add(time.Hour)
		must(t)(bob.Schedule(ctx, recess.Opening{Scope: "as", Start: start, End: start.Add(time.Hour)}))
		w.expect(by(in(event{Event: "planned", Revision: 5}, "as"), "schedule"))
		must(t)(bob.Cancel(ctx))
		w.expect(by(in(event{Event: "cancelled", Revision: 6}, "as"), "cancel"))
		time.Sleep(3 * time.Hour)
		w.expect()
		w.end(0)
	})
}

func TestWatchTellsOfPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(t), t.Context()
		env := map[string]string{"RECESS_PASS_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
		pass := func(args ...string) {
			t.Helper()
			if got := runWith(ctx, command.Options{Backend: b}, env, "", append([]string{"pass"}, args...)...); got.code != 0 {
				t.Fatalf("%q: exit code %d: %s", args, got.code, got.err)
			}
		}
		w := startWatch(t, b, nil)
		w.lines()
		pass("create", "--for", "alice", "--url", "https://shop.example/p", "--ttl", "1h")
		pass("create", "--for", "bob", "--token", "--ttl", "10s")
		time.Sleep(time.Minute)
		pass("revoke", "--all", "--reason", "we are done")
		lines := w.lines()
		for i, says := range []string{"pass made    p", "pass made    p", "pass ended   p"} {
			who := []string{"for alice, until", "for bob, until", "for alice, until"}[i]
			if i >= len(lines) || !strings.Contains(lines[i], says) || !strings.Contains(lines[i], who) {
				t.Fatalf("the lines are %q", lines)
			}
		}
		if len(lines) != 3 || !strings.Contains(lines[2], "we are done") {
			t.Errorf("the lines are %q", lines)
		}
		w.end(0)
	})
}

func TestWatchTellsATroubleOnceAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := &faulty{Backend: newBackend(t)}, t.Context()
		bob := recess.NewController(b.Backend, state.Actor{Name: "bob"}, recess.NotForced)
		must(t)(bob.On(ctx, recess.Opening{}))
		w := startWatch(t, b, nil, "--json")
		w.expect(event{Event: "watching", Active: true, Revision: 1})

		b.set(func(f *faulty) { f.fail = errDown })
		time.Sleep(time.Hour)
		w.expect(event{Event: "unreachable", Active: true, Revision: 1, Error: "connection refused"})
		must(t)(bob.Off(ctx, recess.Ending{}))
		b.set(func(f *faulty) { f.fail = nil })
		time.Sleep(time.Minute)
		w.expect(event{Event: "recovered", Active: true, Revision: 1}, by(event{Event: "ended", Revision: 2}, "off"))

		b.set(func(f *faulty) { f.lost = true })
		time.Sleep(time.Hour)
		w.expect(event{Event: "lost", Revision: 2, Error: "rolled back"})
		b.set(func(f *faulty) { f.lost = false })
		time.Sleep(time.Minute)
		w.expect(event{Event: "recovered", Revision: 2})

		doc, err := state.Read(ctx, b.Backend)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Backend.Save(ctx, doc.Rev, []byte(`{"version":`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.expect(event{Event: "invalid", Revision: 2, Error: "makes no sense"})
		must(t)(bob.Off(ctx, recess.Ending{}))
		w.expect(event{Event: "recovered", Revision: 2})
		w.end(0)
	})
}

func TestWatchAsksABackendThatCanOnlyBePolledNowAndThen(t *testing.T) {
	for name, c := range map[string]struct {
		hint time.Duration
		want int // looks in a minute
	}{
		"every two seconds":                       {0, 31},
		"as seldom as it likes":                   {5 * time.Second, 13},
		"but no more seldom than an engine would": {time.Hour, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &faulty{Backend: newBackend(t), polls: true, hint: c.hint}
				w := startWatch(t, b, nil)
				time.Sleep(time.Minute + time.Second)
				w.end(0)
				if got := b.calls; got < c.want || got > c.want+1 {
					t.Errorf("%d looks in a minute, want %d", got, c.want)
				}
			})
		})
	}
}

func TestWatchReadsWellAndShowsWhatIsForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(t), t.Context()
		bob := recess.NewController(b, state.Actor{Name: "bob", Host: "web-1"}, recess.NotForced)
		must(t)(bob.On(ctx, recess.Opening{Scope: "eu"}))
		w := startWatch(t, b, map[string]string{"RECESS_MODE": "off"})
		first := strings.Join(w.lines(), "\n")
		for _, says := range []string{"watching", "forced OFF", "running  w", "scope eu, full"} {
			if !strings.Contains(first, says) {
				t.Errorf("it does not say %q:\n%s", says, first)
			}
		}
		must(t)(bob.Off(ctx, recess.Ending{Scope: "eu", Reason: "done"}))
		lines := w.lines()
		if len(lines) != 1 || !strings.Contains(lines[0], "ended        w") || !strings.HasSuffix(lines[0], "scope eu, full – by bob on web-1 – done") {
			t.Errorf("got %q", lines)
		}
		w.end(0)
	})
}

func TestWatchEndsWithABackendThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t)
		w := startWatch(t, b, nil)
		w.lines()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		w.lines()
		w.end(1)
	})
}

func TestWatchTellsEveryOccurrence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(t), t.Context()
		bob := recess.NewController(b, state.Actor{Name: "bob"}, recess.NotForced)
		w := startWatch(t, b, nil, "--json")
		w.expect(event{Event: "watching"})
		started, expired := in(event{Event: "started", Active: true, Revision: 1}, "eu"), in(event{Event: "expired", Revision: 1}, "eu")

		must(t)(bob.Schedule(ctx, recess.Opening{Scope: "eu", Repeat: &state.Repeat{Cron: "0 1-5,12 * * *", Zone: "UTC", For: time.Hour}}))
		w.expect(by(in(event{Event: "planned", Revision: 1}, "eu"), "schedule")) // it is midnight
		time.Sleep(time.Hour)
		w.expect(started)
		time.Sleep(time.Hour) // they touch
		stillActive := expired
		stillActive.Active = true
		w.expect(stillActive, started)
		time.Sleep(4 * time.Hour)
		w.expect(stillActive, started, stillActive, started, stillActive, started, expired)
		time.Sleep(6*time.Hour + time.Minute)
		w.expect(started)
		must(t)(bob.Off(ctx, recess.Ending{Scope: "eu"}))
		w.expect(by(in(event{Event: "ended", Revision: 2}, "eu"), "off"))
		time.Sleep(12 * time.Hour)
		w.expect()
		time.Sleep(time.Hour)
		started.Revision = 2
		w.expect(started)
		must(t)(bob.Cancel(ctx))
		w.expect(by(in(event{Event: "updated", Active: true, Revision: 3}, "eu"), "cancel"))
		time.Sleep(time.Hour)
		expired.Revision = 3
		w.expect(expired)
		time.Sleep(48 * time.Hour)
		w.expect()
		w.end(0)
	})
}

func TestWatchSaysWhenARecurringWindowComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(t), t.Context()
		bob := recess.NewController(b, state.Actor{Name: "bob"}, recess.NotForced)
		w := startWatch(t, b, nil)
		w.lines()
		must(t)(bob.Schedule(ctx, recess.Opening{Repeat: &state.Repeat{Cron: "0 12 * * *", Zone: "UTC", For: time.Hour}}))
		line := strings.Join(w.lines(), "\n")
		noon := time.Now().Truncate(24 * time.Hour).Add(12 * time.Hour)
		for _, says := range []string{"planned", noon.Local().Format(", from 2006-01-02 15:04:05"), `every "0 12 * * *" in UTC for 1h`} {
			if !strings.Contains(line, says) {
				t.Errorf("it does not say %q: %s", says, line)
			}
		}
		w.end(0)
	})
}
