package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// read is an answer's body.
func read[T any](t *testing.T, got answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(got.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %q", err, got.Body)
	}
	return v
}

// TestADayOfTheAPI closes, looks, plans, cancels and opens.
func TestADayOfTheAPI(t *testing.T) { synctest.Test(t, testDay) }

func testDay(t *testing.T) {
	s := open(t, nil)
	call := func(path, body string) schema.Change {
		t.Helper()
		return read[schema.Change](t, s.is(order(path, body).bearer(writeToken), 200, ""))
	}
	status := func() schema.Status {
		t.Helper()
		return read[schema.Status](t, s.is(get("/api/status").bearer(readToken), 200, ""))
	}
	if now := status(); now.Exists || now.Active || now.Revision != 0 {
		t.Errorf("nothing was ever written: %+v", now)
	}
	if c := call("/api/off", `{}`); !c.Started || !c.Status.Exists {
		t.Errorf("off where there is nothing: %+v", c)
	}

	c := call("/api/on", `{"for":"30m","messages":{"":"We move.","de":"Umzug."},"reason":"OPS-1"}`)
	if len(c.Opened) != 1 || !c.Changed || c.Action != "on" || !c.Status.Active || c.Status.Mode != "full" {
		t.Fatalf("on: %+v", c)
	}
	w := c.Opened[0]
	if !w.EndsAt.Equal(time.Now().Add(30*time.Minute)) || w.StartsAt != nil || w.Messages["de"] != "Umzug." || w.Reason != "OPS-1" || w.OpenedBy != (schema.Actor{Name: "deploy", Host: "192.0.2.1", Source: "api"}) {
		t.Errorf("on: %+v", w)
	}
	if c := call("/api/on", `{}`); c.Changed || !c.Status.Exists {
		t.Errorf("the same again: %+v", c)
	}
	c = call("/api/on", `{"no_end":true,"mode":"readonly","messages":{"de":""}}`)
	if len(c.Updated) != 1 || c.Updated[0].EndsAt != nil || c.Updated[0].Mode != "readonly" || len(c.Updated[0].Messages) != 1 {
		t.Errorf("another mode: %+v", c)
	}
	c = call("/api/on", `{"scope":"checkout","name":"dba","hold":"20s","ends_at":"2000-01-01T12:00:00+02:00"}`)
	if w := c.Opened[0]; w.Scope != "checkout" || w.Name != "dba" || w.Mode != "hold" || *w.Hold != 20 || !w.EndsAt.Equal(time.Date(2000, 1, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("a hold: %+v", w)
	}

	once := call("/api/schedule", `{"starts_at":"2000-02-01T00:00:00Z","for":"2h","mode":"announce"}`).Opened[0]
	weekly := call("/api/schedule", `{"repeat":{"cron":"0 1 * * SUN","zone":"Europe/Berlin","for":"2h"}}`).Opened[0]
	if !once.EndsAt.Equal(time.Date(2000, 2, 1, 2, 0, 0, 0, time.UTC)) || weekly.Repeat == nil || len(weekly.Repeat.NextAt) != 3 {
		t.Errorf("planned: %+v, %+v", once, weekly)
	}
	if now := status(); len(now.Running) != 2 || len(now.Planned) != 2 || len(now.History) != 6 {
		t.Errorf("%d run, %d are planned, %d changes", len(now.Running), len(now.Planned), len(now.History))
	}
	s.unchanged(order("/api/cancel", `{"ids":["`+once.ID+`","none"]}`).bearer(writeToken), 422, "usage")
	if c := call("/api/cancel", `{"ids":["`+once.ID+`"]}`); len(c.Cancelled) != 1 || c.Cancelled[0].ID != once.ID {
		t.Errorf("cancel: %+v", c)
	}
	if c := call("/api/cancel", `{"all":true}`); len(c.Cancelled) != 1 || len(c.Status.Planned) != 0 {
		t.Errorf("cancel all: %+v", c)
	}

	if c := call("/api/off", `{"ramp":"10m"}`); len(c.Updated) != 1 || c.Updated[0].RampAt == nil {
		t.Errorf("off by degrees: %+v", c)
	}
	time.Sleep(5 * time.Minute)
	if now := status(); len(now.Running) != 2 || now.Running[0].Share < 0.4 || now.Running[0].Share > 0.6 {
		t.Errorf("halfway: %+v", now.Running)
	}
	c = call("/api/off", `{"reason":"done"}`)
	if len(c.Ended) != 1 || len(c.Status.Running) != 1 {
		t.Errorf("off: %+v", c)
	}
	call("/api/off", `{"scope":"checkout","name":"dba"}`)
	now := status()
	if now.Active || len(now.Running) != 0 {
		t.Errorf("at the end: %+v", now)
	}
	for i, e := range now.History {
		if e.By.Name != "deploy" || e.By.Host != "192.0.2.1" || e.By.Source != "api" || e.Revision != int64(i+1) {
			t.Errorf("change %d is by %+v", e.Revision, e.By)
		}
	}
}

// TestTheHistoryKnowsWho compares what stands there with who has asked.
func TestTheHistoryKnowsWho(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, c *Config) {
		p.TrustedProxies = []string{"10.0.0.0/8"}
		c.Authorize = func(r *http.Request) Access { return Access{Name: r.Header.Get("X-Name"), Right: Write} }
	})
	n := 0
	change := func(a ask) ask {
		n++
		a.body = fmt.Sprintf(`{"reason":"%d"}`, n)
		return a
	}
	on := order("/api/on", "", "Sec-Fetch-Site: same-origin")
	long := strings.Repeat("é", 100)
	for _, c := range []struct {
		a    ask
		want state.Actor
	}{
		{change(on).bearer(writeToken), state.Actor{Name: "deploy", Host: "192.0.2.1", Source: "api"}},
		{change(on).with("X-Name: Ann"), state.Actor{Name: "Ann", Host: "192.0.2.1", Source: "panel"}},
		{change(on), state.Actor{Host: "192.0.2.1", Source: "panel"}},
		{change(on).with("X-Name: Ann").bearer(writeToken), state.Actor{Name: "deploy", Host: "192.0.2.1", Source: "api"}},
		{change(on).with("X-Name: Ann").at("[2001:db8::7]:99"), state.Actor{Name: "Ann", Host: "2001:db8::7", Source: "panel"}},
		{change(on).with("X-Forwarded-For: 203.0.113.9"), state.Actor{Host: "192.0.2.1", Source: "panel"}}, // anybody can say that
		{change(on).with("X-Forwarded-For: 198.51.100.1, 203.0.113.9").at("10.0.0.1:80"), state.Actor{Host: "203.0.113.9", Source: "panel"}},
		{change(on).with("X-Forwarded-For: junk").at("10.0.0.1:80"), state.Actor{Host: "an unknown address", Source: "panel"}},
		{change(on).at("@"), state.Actor{Host: "an unknown address", Source: "panel"}},
		{change(on).with("X-Name: " + long), state.Actor{Name: long[:maxName], Host: "192.0.2.1", Source: "panel"}},
		{change(on).with("X-Name: x" + long), state.Actor{Name: "x" + long[:maxName-2], Host: "192.0.2.1", Source: "panel"}},
		{change(on).with("X-Name: \xff\u202eevil"), state.Actor{Name: "\u202eevil", Host: "192.0.2.1", Source: "panel"}},
	} {
		s.is(c.a, 200, "")
		history := s.state().History
		if got := history[len(history)-1].By; got != c.want {
			t.Errorf("%v from %s: the history has %+v, want %+v", c.a.header, c.a.from, got, c.want)
		}
	}
	// An address that the application finds, and fails to.
	s = open(t, nil, func(p *recess.Policy, _ *Config) {
		p.ClientAddress = func(recess.Request) netip.Addr { panic("where from?") }
	})
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	if got := s.state().History[0].By.Host; got != "an unknown address" {
		t.Errorf("the address is %q", got)
	}
}

// TestANameOutlivesItsRequest: a framework may use the memory of its strings again (fiber), and the engine keeps what it has
// written where that cannot be read back.
func TestANameOutlivesItsRequest(t *testing.T) {
	memory := []byte("the first")
	cut := new(atomic.Bool)
	b := &backendOf{Backend: memstate.New(memstate.Config{})}
	b.next = func(ctx context.Context) (state.Doc, error) {
		if cut.Load() {
			return state.Doc{}, errors.New("the wire is cut")
		}
		return state.Read(ctx, b.Backend)
	}
	b.save = func(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
		cut.Store(true)
		return b.Backend.Save(ctx, old, data)
	}
	s := open(t, b, func(_ *recess.Policy, c *Config) {
		c.Authorize = func(*http.Request) Access { return Access{Name: unsafe.String(&memory[0], len(memory)), Right: Write} }
	})
	s.is(order("/api/on", `{}`, "Sec-Fetch-Site: same-origin"), 200, "")
	copy(memory, "somebody!")
	if running := s.engine.Situation().Running; len(running) != 1 || running[0].OpenedBy.Name != "the first" {
		t.Errorf("the engine has %+v", running)
	}
}

// TestOrdersThatMakeNoSense change nothing, and say what is wrong.
func TestOrdersThatMakeNoSense(t *testing.T) {
	s := open(t, nil)
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	for _, c := range []struct{ path, body, want string }{
		{"/api/on", ``, "empty"},
		{"/api/on", `null`, "no object"},
		{"/api/on", `[]`, "no object"},
		{"/api/on", `[{}]`, "no object"},
		{"/api/on", `{} {}`, "something follows"},
		{"/api/on", `{`, "ends too early"},
		{"/api/on", `{"scope":"a","scope":"b"}`, `member "scope" stands twice`},
		{"/api/on", `{"scope":"a","sc\u006fpe":"b"}`, `stands twice`},
		{"/api/on", `{"Scope":"a"}`, `there is no member "Scope"`},
		{"/api/on", `{"scopes":"a"}`, `there is no member "scopes"`},
		{"/api/on", `{"scope":1}`, `member "scope" is a number`},
		{"/api/on", `{"scope":{}}`, `member "scope" is a object`},
		{"/api/on", `{"messages":{"":1}}`, `is a number`},
		{"/api/on", `{"no_end":"true"}`, `member "no_end" is a string`},
		{"/api/on", `{"scope":"Checkout"}`, "scope"},
		{"/api/on", `{"name":"a b"}`, "name"},
		{"/api/on", `{"mode":"off"}`, "none of full, readonly, hold, announce"},
		{"/api/on", `{"mode":"FULL"}`, "none of full, readonly, hold, announce"},
		{"/api/on", `{"for":"30"}`, `"30" is no length of time`},
		{"/api/on", `{"for":30}`, "is a number"},
		{"/api/on", `{"for":"-30m"}`, `"-30m" is no length of time`},
		{"/api/on", `{"for":"0s"}`, `"0s" is no length of time`},
		{"/api/on", `{"for":"1h","ends_at":"2099-01-01T00:00:00Z"}`, "both say when it ends"},
		{"/api/on", `{"ends_at":"2001-01-01T00:00:00Z"}`, "in the past"},
		{"/api/on", `{"ends_at":"2099-01-01"}`, "parsing time"},
		{"/api/on", `{"ends_at":"tomorrow"}`, "parsing time"},
		{"/api/on", `{"ends_at":"0001-01-01T00:00:00Z"}`, "the year 1"},
		{"/api/on", `{"starts_at":"0001-01-01T00:00:00Z"}`, "the year 1"},
		{"/api/on", `{"starts_at":"9999-12-31T00:00:00Z","for":"2000000h"}`, "the year"},
		{"/api/on", `{"ends_at":"9999-12-31T23:59:59-01:00"}`, "the year"},
		{"/api/on", `{"no_end":true,"for":"1h"}`, "an end and no end"},
		{"/api/on", `{"hold":"90m"}`, "hold"},
		{"/api/on", `{"hold":"20s","mode":"full"}`, "hold"},
		{"/api/on", `{"hold":"1500ms"}`, "whole seconds"},
		{"/api/on", `{"messages":{"xx_yy":"a"}}`, "language tag"},
		{"/api/on", `{"messages":{"":"\u009b31m"}}`, "control character"},
		{"/api/on", `{"messages":{"":"` + strings.Repeat("a", state.MaxMessage+1) + `"}}`, "at most"},
		{"/api/on", `{"reason":"` + strings.Repeat("a", state.MaxReason+1) + `"}`, "at most"},
		{"/api/on", `{"reason":"` + strings.Repeat("a", state.MaxSize) + `"}`, "at most"},
		{"/api/on", strings.Repeat(`{"messages":`, 20) + strings.Repeat("}", 20), ""},
		{"/api/on", `{"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"1h"}}`, "recurs"},
		{"/api/on", `{"lease":"1m"}`, `there is no member "lease"`},
		{"/api/schedule", `{}`, "needs a start"},
		{"/api/schedule", `{"starts_at":"2099-01-01T00:00:00Z"}`, "needs an end"},
		{"/api/schedule", `{"starts_at":"2001-01-01T00:00:00Z","ends_at":"2099-01-01T00:00:00Z"}`, "in the past"},
		{"/api/schedule", `{"repeat":{}}`, "cron"},
		{"/api/schedule", `{"repeat":{"CRON":"0 1 * * *","zone":"UTC","for":"1h"}}`, `there is no member "repeat.CRON"`},
		{"/api/schedule", `{"repeat":{"cron":"0 1 * * *","cron":"0 2 * * *","zone":"UTC","for":"1h"}}`, "stands twice"},
		{"/api/schedule", `{"repeat":{"cron":"0 1 * *","zone":"UTC","for":"1h"}}`, "cron"},
		{"/api/schedule", `{"repeat":{"cron":"0 1 * * *","zone":"../etc/passwd","for":"1h"}}`, "zone"},
		{"/api/schedule", `{"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"1h"},"for":"1h"}`, ""},
		{"/api/off", `{"ramp":"1ns"}`, "whole seconds"},
		{"/api/off", `{"ramp":"1000h"}`, "at most"},
		{"/api/off", `{"mode":"full"}`, "there is no member"},
		{"/api/cancel", `{}`, "say all"},
		{"/api/cancel", `{"ids":[]}`, "say all"},
		{"/api/cancel", `{"ids":["x"],"all":true}`, "say all"},
		{"/api/cancel", `{"ids":["x"]}`, "x"},
		{"/api/cancel", `{"ids":[""]}`, ""},
		{"/api/cancel", `{"ids":"x"}`, `member "ids" is a string`},
		{"/api/explain", `{"path":"checkout"}`, "begins with a slash"},
		{"/api/explain", `{"address":"localhost"}`, "192.0.2.1"},
		{"/api/explain", `{"marker":"off"}`, "force_off or force_on"},
		{"/api/explain", `{"scopes":["A"]}`, "scopes"},
		{"/api/explain", `{"user":{"Name":"x"}}`, `there is no member "user.Name"`},
	} {
		got := s.unchanged(order(c.path, c.body).bearer(writeToken), 422, "usage")
		if !strings.Contains(got.problem.Detail, c.want) || len(got.problem.Detail) > 4096 {
			t.Errorf("%s %.100s: %.300q, want %q", c.path, c.body, got.problem.Detail, c.want)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s := open(t, nil)
	long := `{"reason":"` + strings.Repeat("a", maxBody) + `"}`
	for _, path := range []string{"/api/on", "/api/schedule", "/api/off", "/api/cancel", "/api/explain"} {
		s.unchanged(order(path, long).bearer(writeToken), 413, "usage")
		s.unchanged(order(path, long), 401, "") // nobody is read from
	}
	s.unchanged(s.form("root", "/on", "message", strings.Repeat("a", maxBody)), 413, "")
	// What a document may hold gets in, however a form writes it.
	values := []string{"message", strings.Repeat("ä", state.MaxMessage/2)}
	for i := range 50 {
		values = append(values, "tag", fmt.Sprintf("aa-%d", i), "text", strings.Repeat("ä", state.MaxMessage/2))
	}
	s.is(s.form("root", "/on", values...), 303, "")
	if n := len(s.running()[0].Messages); n != 51 {
		t.Errorf("%d messages have arrived", n)
	}
}

func TestAConflictShowsWhatTheWinnerHasLeft(t *testing.T) {
	b := &backendOf{Backend: memstate.New(memstate.Config{})}
	s := open(t, b)
	var once atomic.Bool
	mine := "mine"
	b.save = func(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
		if once.CompareAndSwap(false, true) {
			if _, err := s.engine.Control(state.Actor{Name: "first", Host: "web-2"}).On(ctx, recess.Opening{Reason: mine}); err != nil {
				t.Error(err)
			}
		}
		return b.Backend.Save(ctx, old, data)
	}
	got := s.is(order("/api/on", `{"reason":"yours"}`).bearer(writeToken), 409, "conflict")
	if got.problem.Now == nil || len(got.problem.Now.Running) != 1 || got.problem.Now.Running[0].Reason != "mine" || !strings.Contains(got.problem.Detail, "first@web-2") {
		t.Errorf("%+v", got.problem)
	}
	mine = "mine again"
	once.Store(false)
	s.is(order("/api/off", `{}`).bearer(writeToken), 409, "conflict")
}

func TestAForcedModeIsShownAndNotChanged(t *testing.T) {
	for _, c := range []struct {
		force  recess.Force
		word   string
		active bool
	}{{recess.ForcedOn, "on", true}, {recess.ForcedOff, "off", false}} {
		failing := new(atomic.Bool)
		b := &backendOf{Backend: memstate.New(memstate.Config{})}
		b.next = func(ctx context.Context) (state.Doc, error) {
			if failing.Load() {
				return state.Doc{}, errors.New("the wire is cut")
			}
			return state.Read(ctx, b.Backend)
		}
		s := open(t, b, func(p *recess.Policy, _ *Config) { p.Force = c.force })
		for _, a := range []ask{order("/api/on", `{}`), order("/api/schedule", `{"starts_at":"2099-01-01T00:00:00Z","for":"1h"}`), order("/api/off", `{}`), order("/api/cancel", `{"all":true}`)} {
			s.unchanged(a.bearer(writeToken), 409, "forced")
		}
		s.unchanged(s.form("root", "/on"), 409, "")
		s.is(get("/api/fleet").bearer(readToken), 409, "no_presence")
		for _, fails := range []bool{false, true} {
			failing.Store(fails)
			now := read[schema.Status](t, s.is(get("/api/status").bearer(readToken), 200, ""))
			if now.Forced != c.word || now.Active != c.active || strings.Contains(now.Problem, "the wire is cut") != fails || now.Exists {
				t.Errorf("forced %s: %+v", c.word, now)
			}
			if page := s.is(get("/").as("root"), 200, "").Body.String(); !strings.Contains(page, "forced "+strings.ToUpper(c.word)) {
				t.Errorf("the panel does not say that it is forced %s", c.word)
			}
		}
	}
}

// TestABrokenDocumentIsSetAside: off is the way out, by token and by form.
func TestABrokenDocumentIsSetAside(t *testing.T) {
	for _, broken := range []string{`{"version":1,"windows":`, `{"version":99}`, "\xff\xfe", `{"version":1,"windows":[{"id":"<script>"}]}`} {
		s := open(t, nil)
		s.write(broken)
		s.is(get("/api/status").bearer(readToken), 409, "invalid_state")
		s.unchanged(order("/api/on", `{}`).bearer(writeToken), 409, "invalid_state")
		s.unchanged(order("/api/off", `{"scope":"checkout"}`).bearer(writeToken), 409, "invalid_state")
		s.unchanged(order("/api/cancel", `{"all":true}`).bearer(writeToken), 409, "invalid_state")
		s.is(get("/api/fleet").bearer(readToken), 409, "invalid_state")
		if page := s.is(get("/").as("root"), 200, "").Body.String(); !strings.Contains(page, "The state cannot be read") || !strings.Contains(page, "Set it aside and open the whole site") || strings.Contains(page, "<script>") {
			t.Errorf("the panel shows %s", page)
		}
		c := read[schema.Change](t, s.is(order("/api/off", `{}`).bearer(writeToken), 200, ""))
		if c.Salvaged == "" || !c.Changed {
			t.Errorf("%q: %+v", broken, c)
		}
		s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")

		s.write(broken)
		if page := s.is(get("/").as("staff"), 200, "").Body.String(); strings.Contains(page, "Set it aside") {
			t.Error("who may only look is offered the way out")
		}
		s.is(s.form("root", "/off"), 303, "")
		s.is(get("/api/status").bearer(readToken), 200, "")
	}
}

func TestABackendThatCannotBeWritten(t *testing.T) {
	b := &backendOf{Backend: memstate.New(memstate.Config{})}
	b.save = func(context.Context, state.Rev, []byte) (state.Rev, error) {
		return "", fmt.Errorf("test: save: %w", state.ErrReadOnly)
	}
	s := open(t, b)
	s.is(order("/api/on", `{}`).bearer(writeToken), 409, "read_only")
	s.is(s.form("root", "/on", "reason", "typed"), 409, "")
	c := read[schema.Change](t, s.is(order("/api/off", `{}`).bearer(writeToken), 200, ""))
	if c.Changed || c.Status.Exists {
		t.Errorf("off, where it is off and nothing can be written: %+v", c)
	}
	s.is(get("/api/status").bearer(readToken), 200, "")
}

func TestABackendWithoutWordsForIt(t *testing.T) {
	b := &backendOf{Backend: memstate.New(memstate.Config{})}
	b.save = func(context.Context, state.Rev, []byte) (state.Rev, error) {
		return "", fmt.Errorf("test: save: %w: it has no scopes", state.ErrInexpressible)
	}
	s := open(t, b)
	if got := s.unchanged(order("/api/on", `{"scope":"checkout"}`).bearer(writeToken), 422, "inexpressible"); !strings.Contains(got.problem.Detail, "it has no scopes") {
		t.Errorf("it is said to be %q", got.problem.Detail)
	}
	s.unchanged(s.form("root", "/on", "scope", "checkout"), 422, "")
}

// TestADocumentWithoutNumbers is what an operator writes by hand.
func TestADocumentWithoutNumbers(t *testing.T) {
	s := open(t, nil)
	s.write(`{"version":1,"windows":[{"id":"byhand","mode":"full"}]}`)
	if now := read[schema.Status](t, s.is(get("/api/status").bearer(readToken), 200, "")); !now.Active || !now.Exists || now.Revision != 0 {
		t.Errorf("%+v", now)
	}
}

// TestABackendThatDoesNotAnswer costs ten seconds and no more.
func TestABackendThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := new(atomic.Bool)
		b := &backendOf{Backend: memstate.New(memstate.Config{})}
		b.next = func(ctx context.Context) (state.Doc, error) {
			if hangs.Load() {
				<-ctx.Done()
				return state.Doc{}, ctx.Err()
			}
			return state.Read(ctx, b.Backend)
		}
		s := open(t, b)
		cookie, token := s.visit("root")
		hangs.Store(true)
		for _, c := range []struct {
			a      ask
			status int
			code   string
		}{
			{get("/api/status").bearer(readToken), 502, "unreachable"},
			{get("/api/fleet").bearer(readToken), 502, "unreachable"},
			{order("/api/on", `{}`).bearer(writeToken), 502, "unreachable"},
			{order("/api/off", `{}`).bearer(writeToken), 502, "unreachable"},
			{get("/").as("root"), 200, ""}, // the panel says that the state cannot be read
			{posted("/on", "token", token, "reason", "typed").as("root").with(cookie), 502, ""},
		} {
			began := time.Now()
			got := s.is(c.a, c.status, c.code)
			if took := time.Since(began); took > patience {
				t.Errorf("%s took %s", c.a.path, took)
			}
			if c.code == "" && !strings.Contains(got.Body.String(), "The state cannot be read") {
				t.Errorf("%s: the page does not say that the state cannot be read", c.a.path)
			}
		}
		hangs.Store(false)
	})
}

// TestAnErrorThatNobodyKnowsIsLogged, and is no success.
func TestAnErrorThatNobodyKnowsIsLogged(t *testing.T) {
	var log buffer
	s := open(t, nil, func(_ *recess.Policy, c *Config) { c.Logger = log.logger() })
	s.panel.routes["/api/status"][http.MethodGet] = route{Read, false, func(*Panel, http.ResponseWriter, *http.Request, *caller) error {
		return errors.New("the moon is in the way")
	}}
	s.is(get("/api/status").bearer(readToken), 500, "failed")
	if !strings.Contains(log.String(), "the moon is in the way") {
		t.Errorf("the log has %q", &log)
	}
}

// TestTheFleetAndItsDrain follows two instances, one of which has a request to finish.
func TestTheFleetAndItsDrain(t *testing.T) { synctest.Test(t, testFleet) }

func testFleet(t *testing.T) {
	store := memstate.New(memstate.Config{})
	s := open(t, store)
	busy, err := recess.New(t.Context(), recess.Config{Backend: store, Policy: recess.Policy{Grace: recess.NoGrace}, Instance: "web-2"})
	if err != nil {
		t.Fatal(err)
	}
	look := func() fleet {
		t.Helper()
		synctest.Wait()
		return read[fleet](t, s.is(get("/api/fleet").bearer(readToken), 200, ""))
	}
	job, err := busy.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	f := look()
	if len(f.Instances) != 2 || f.Drained != nil || f.Instances[0].Phase != "" || f.Instances[0].Name != "web-1" {
		t.Errorf("open: %+v", f)
	}
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	time.Sleep(time.Second)
	f = look()
	if len(f.Instances) != 2 || f.Drained == nil || *f.Drained != 1 || f.Instances[0].Phase != "drained" || f.Instances[1].Phase != "draining" || f.Instances[1].Words == "" {
		t.Errorf("one drains: %+v", f)
	}
	page := s.is(get("/").as("root"), 200, "").Body.String()
	if !strings.Contains(page, "1 of 2 drained") || !strings.Contains(page, "web-2") {
		t.Error("the panel does not show the drain")
	}
	job.End()
	time.Sleep(time.Second)
	if f = look(); f.Drained == nil || *f.Drained != 2 {
		t.Errorf("drained: %+v", f)
	}
	s.is(order("/api/on", `{"mode":"announce"}`).bearer(writeToken), 200, "")
	if f = look(); f.Drained != nil {
		t.Errorf("announced: %+v", f)
	}
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	if f = look(); len(f.Instances) != 1 {
		t.Errorf("one has left: %+v", f)
	}
}

func TestAFleetThatNobodyKeeps(t *testing.T) {
	b := &backendOf{Backend: memstate.New(memstate.Config{})}
	s := open(t, b)
	s.is(get("/api/fleet").bearer(readToken), 409, "no_presence")
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	s.is(get("/api/fleet").bearer(readToken), 409, "no_presence")
	if page := s.is(get("/").as("root"), 200, "").Body.String(); !strings.Contains(page, "The instances are not known") {
		t.Error("the panel does not say why it shows no instances")
	}
}

func TestExplain(t *testing.T) {
	panics := new(atomic.Bool)
	s := open(t, nil, func(p *recess.Policy, _ *Config) {
		p.AllowPaths, p.AllowStaff, p.AllowNetworks = []string{"/healthz"}, true, []string{"198.51.100.0/24"}
		p.AllowRoles, p.TrustedProxies = []string{"ops"}, []string{"10.0.0.0/8"}
		p.Scopes = map[string][]string{"api": {"/api/**"}}
		p.Allow = []recess.Predicate{{Name: "odd", Match: func(r recess.Request) bool {
			if panics.Load() {
				panic("odd")
			}
			return r.Header("X-Odd") != ""
		}}}
	})
	ask := func(question string) schema.Verdict {
		t.Helper()
		return read[schema.Verdict](t, s.unchanged(order("/api/explain", question).bearer(readToken), 200, ""))
	}
	if v := ask(`{}`); v.Refused || v.Reason != "open" {
		t.Errorf("open: %+v", v)
	}
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	for _, c := range []struct {
		question string
		refused  bool
		reason   string
	}{
		{`{}`, true, "window"},
		{`{"path":"/healthz?x=1"}`, false, "path"},
		{`{"path":"/healthz","method":"POST"}`, false, "path"},
		{`{"address":"198.51.100.7"}`, false, "network"},
		{`{"address":"10.1.1.1","headers":{"x-forwarded-for":"198.51.100.7"}}`, false, "network"},
		{`{"address":"192.0.2.1","headers":{"X-Forwarded-For":"198.51.100.7"}}`, true, "window"},
		{`{"user":{"name":"ann","staff":true}}`, false, "user"},
		{`{"user":{"roles":["ops"]}}`, false, "user"},
		{`{"user":{"name":"alice"}}`, true, "window"},
		{`{"headers":{"X-Odd":"1"}}`, false, "predicate"},
		{`{"marker":"force_off"}`, false, "marker"},
		{`{"marker":"force_on","path":"/healthz"}`, true, "marker"},
		{`{"path":"/maintenance/"}`, false, "control"},
	} {
		v := ask(c.question)
		if v.Refused != c.refused || v.Reason != c.reason || !strings.Contains(v.Text, map[bool]string{true: "decision: refuse", false: "decision: pass"}[c.refused]) || len(v.Steps) == 0 {
			t.Errorf("%s: %+v, want %v by %s", c.question, v, c.refused, c.reason)
		}
	}
	panics.Store(true)
	if v := ask(`{}`); !v.Refused || v.Reason != "panic" {
		t.Errorf("a callback panics: %+v", v)
	}
	s.is(order("/api/off", `{}`).bearer(writeToken), 200, "")
	s.is(order("/api/on", `{"scope":"api"}`).bearer(writeToken), 200, "")
	panics.Store(false)
	if v := ask(`{"scopes":["api"],"path":"/elsewhere"}`); !v.Refused {
		t.Errorf("marked with a scope: %+v", v)
	}
	if n := s.engine.Counts().Refused; n != 0 {
		t.Errorf("%d questions were counted as requests", n)
	}
}

// TestAHistoryThatSaysAnything does not keep the status from being told.
func TestAHistoryThatSaysAnything(t *testing.T) {
	s := open(t, nil)
	s.write(`{"version":1,"epoch":1,"revision":1,"windows":[{"id":"w1","mode":"full","opened_at":"9999-12-31T23:59:59-23:00"}],
		"history":[{"at":"9999-12-31T23:59:59-23:00","action":"\u0000","by":{"name":"` + strings.Repeat("x", 5000) + `"}},{"at":"0000-01-01T00:00:00+23:00"}]}`)
	if now := read[schema.Status](t, s.is(get("/api/status").bearer(readToken), 200, "")); len(now.History) != 2 || now.History[0].At != nil {
		t.Errorf("%+v", now)
	}
	s.is(get("/").as("root"), 200, "")
}
