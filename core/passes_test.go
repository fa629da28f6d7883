package recess

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

const (
	passKey      = "k2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	olderPassKey = "k1:_-7dzLuqmYh3ZlVEMyIRAA8eLTxLWml4h5altMPS4fA"
)

// withPasses lets passes in.
var withPasses = Policy{PassKeys: []string{passKey}, PassAudience: "shop"}

func ringOf(t testing.TB, p Policy) *pass.Ring {
	t.Helper()
	ring, err := pass.NewRing(p.PassKeys, p.PassAudience)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// issue makes a pass for an hour, unless the order says how long.
func issue(t testing.TB, c *Controller, ring *pass.Ring, o PassOrder) (token string, record state.Pass) {
	t.Helper()
	if o.For == "" {
		o.For = "alice"
	}
	if o.TTL == 0 {
		o.TTL = time.Hour
	}
	tokens, change, err := c.IssuePass(t.Context(), ring, o)
	if err != nil {
		t.Fatal(err)
	}
	return tokens.Pass, change.Passes[0]
}

// holder is a request with a pass.
func holder(token string) *asked {
	return &asked{header: map[string]string{"Cookie": "a=b; __Host-recess=" + token + "; c=d"}}
}

func TestAPassLetsItsHolderIn(t *testing.T) {
	for _, mode := range []state.Mode{state.Full, state.ReadOnly, state.Hold} {
		e := started(t, Config{Policy: withPasses})
		on(t, e, Opening{Mode: mode})
		token, p := issue(t, e.Control(state.Actor{}), ringOf(t, withPasses), PassOrder{})
		for _, header := range []map[string]string{
			{"Cookie": "__Host-recess=" + token},
			{"Authorization": "Recess " + token},
			{"Recess-Pass": token},
			{"Authorization": "Basic x", "Recess-Pass": "x", "Cookie": "__Host-recess=x; __Host-recess=" + token},
		} {
			a := &asked{method: "POST", header: header}
			d := decide(e, a)
			if d.Refuse || d.Reason != ReasonPass || d.Rule != p.ID+" for alice" || d.Maintenance() == nil || !d.Maintenance().Allowed {
				t.Errorf("%s, %v: %+v", mode, header, d)
			}
			if !admit(e, a) || a.sent.Get("Cache-Control") != "private, no-store" || !strings.Contains(a.sent.Get("Maintenance-Mode"), "allowed") {
				t.Errorf("%s: the response carries %v", mode, a.sent)
			}
		}
		for _, header := range []map[string]string{
			nil,
			{"Cookie": "recess=" + token},
			{"Authorization": "Bearer " + token},
			{"Recess-Pass": token + ", " + token},
			{"Recess-Pass": token[:len(token)-1] + "!"},
			{"X-Recess-Pass": token},
			{"Cookie": "__Host-recess=rl1_" + token[4:]},
		} {
			if d := decide(e, &asked{method: "POST", header: header}); !d.Refuse || d.Reason != ReasonWindow {
				t.Errorf("%s, %v: %+v", mode, header, d)
			}
		}
		if d := decide(e, &asked{method: "POST", path: "/", marker: Marker{Force: ForcedOn}, header: holder(token).header}); !d.Refuse {
			t.Error("a pass opens a route that is forced on")
		}
	}
}

// TestThePlaceOfPasses has a request let in by a predicate, by a pass, and by its turn.
func TestThePlaceOfPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := withPasses
		p.Allow = []Predicate{{"friend", func(r Request) bool { return r.Header("X-Friend") != "" }}}
		e := closedEngine(t, p)
		token, _ := issue(t, e.Control(state.Actor{}), ringOf(t, p), PassOrder{})
		reopen(t, e, 1000*time.Second)
		time.Sleep(999 * time.Second)
		a := holder(token)
		a.peer = "192.0.2.1:1"
		a.header["X-Friend"] = "yes"
		for _, want := range []Reason{ReasonPredicate, ReasonPass, ReasonRamp} {
			if d := decide(e, a); d.Reason != want {
				t.Errorf("let in by %q, want %q", d.Reason, want)
			}
			if a.header["X-Friend"] == "" {
				delete(a.header, "Cookie")
			}
			delete(a.header, "X-Friend")
		}
	})
}

// TestAPassIsGoodForWhatItWasMadeFor opens windows and asks for routes of two scopes.
func TestAPassIsGoodForWhatItWasMadeFor(t *testing.T) {
	e := started(t, Config{Policy: withPasses})
	c, ring := e.Control(state.Actor{}), ringOf(t, withPasses)
	api, site := on(t, e, Opening{Scope: "api"}), Opening{Name: "hold"}
	all, _ := issue(t, c, ring, PassOrder{})
	ofAPI, _ := issue(t, c, ring, PassOrder{Scope: "api"})
	ofWeb, _ := issue(t, c, ring, PassOrder{Scope: "web"})
	ofWindow, bound := issue(t, c, ring, PassOrder{Window: api.ID})
	passes := func(token string, scopes ...string) bool {
		a := holder(token)
		a.marker = Marker{Scopes: scopes}
		return !decide(e, a).Refuse
	}
	check := func(when string, want [4]bool, scopes ...string) {
		t.Helper()
		for i, token := range []string{all, ofAPI, ofWeb, ofWindow} {
			if got := passes(token, scopes...); got != want[i] {
				t.Errorf("%s, scopes %v: pass %d lets in is %v, want %v", when, scopes, i, got, want[i])
			}
		}
	}
	check("one window over api", [4]bool{true, true, false, true}, "api")
	on(t, e, Opening{Scope: "web"})
	check("another over web", [4]bool{true, false, false, false}, "api", "web")
	check("another over web", [4]bool{true, false, true, false}, "web")
	on(t, e, site)
	check("one over the site", [4]bool{true, false, false, false}, "api")
	if _, err := c.Off(t.Context(), Ending{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Off(t.Context(), Ending{Scope: "api"}); err != nil {
		t.Fatal(err)
	}
	on(t, e, Opening{Scope: "api"})
	check("the next window over api", [4]bool{true, true, false, false}, "api")
	now, err := c.State(t.Context())
	if err != nil || len(now.Passes) != 3 {
		t.Errorf("%d passes are left (%v), want 3: one was bound to window %s, which is over", len(now.Passes), err, bound.Window)
	}
}

// TestAPassForAWindowThatRecursIsGoodOnce binds a pass to the next occurrence.
func TestAPassForAWindowThatRecursIsGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: withPasses})
		c := e.Control(state.Actor{})
		change, err := c.Schedule(t.Context(), Opening{Repeat: &state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: hour}})
		if err != nil {
			t.Fatal(err)
		}
		w := change.Opened[0]
		once, p := issue(t, c, ringOf(t, withPasses), PassOrder{Window: w.ID, TTL: 48 * hour})
		always, _ := issue(t, c, ringOf(t, withPasses), PassOrder{TTL: 48 * hour})
		if !p.Occurrence.Equal(w.Start) {
			t.Errorf("it is bound to %s, want %s", p.Occurrence, w.Start)
		}
		for day, want := range []bool{true, false} {
			time.Sleep(time.Until(w.Start.Add(time.Duration(day)*24*hour + time.Minute)))
			synctest.Wait()
			if got := decide(e, holder(once)); got.Refuse == want {
				t.Errorf("day %d: %+v", day, got)
			}
			if got := decide(e, holder(always)); got.Refuse || got.Reason != ReasonPass {
				t.Errorf("day %d, of any window: %+v", day, got)
			}
		}
	})
}

func TestAPassExpiresByTheClockAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := closedEngine(t, withPasses)
		c, ring := e.Control(state.Actor{}), ringOf(t, withPasses)
		short, _ := issue(t, c, ring, PassOrder{TTL: 90 * time.Second})
		long, _ := issue(t, c, ring, PassOrder{TTL: 2 * hour})
		begun := time.Now()
		for _, at := range []time.Duration{0, 90*time.Second - 2*time.Millisecond, 90*time.Second + 2*time.Millisecond, 2*hour - time.Second, 2*hour + time.Second, 9 * hour} {
			time.Sleep(time.Until(begun.Add(at)))
			synctest.Wait()
			if got := !decide(e, holder(short)).Refuse; got != (at < 90*time.Second) {
				t.Errorf("after %s the short one lets in: %v", at, got)
			}
			if got := !decide(e, holder(long)).Refuse; got != (at < 2*hour) {
				t.Errorf("after %s the long one lets in: %v", at, got)
			}
		}
		if s, err := c.State(t.Context()); err != nil || len(s.Passes) != 2 {
			t.Errorf("%v, %v: nothing was changed, so nothing was dropped", s.Passes, err)
		}
		on(t, e, Opening{Scope: "x"})
		if s, err := c.State(t.Context()); err != nil || s.Passes != nil {
			t.Errorf("%v, %v: the next change drops what has expired", s.Passes, err)
		}
	})
}

// TestARevokedPassIsNoneOnEveryInstance follows one pass over two instances of one state, which differ in their older keys.
func TestARevokedPassIsNoneOnEveryInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rolled := withPasses
		rolled.PassKeys = []string{olderPassKey, passKey}
		stranger := withPasses
		stranger.PassAudience = "other"
		c := newCrew(t, withPasses, rolled, stranger, Policy{PassKeys: []string{olderPassKey}}, Policy{})
		c.on(t)
		alices, alice := issue(t, c.Controller, ringOf(t, withPasses), PassOrder{})
		bobs, _ := issue(t, c.Controller, ringOf(t, withPasses), PassOrder{For: "bob"})
		in := func(token string) (who string) {
			synctest.Wait()
			for n, e := range c.engines {
				if !decide(e, holder(token)).Refuse {
					who += fmt.Sprint(n)
				}
			}
			return who
		}
		if a, b := in(alices), in(bobs); a != "01" || b != "01" {
			t.Errorf("the passes let in on instances %q and %q, want 01: of the others one is for another site, one has another key, one none", a, b)
		}
		change, err := c.RevokePass(t.Context(), "the laptop was lost", alice.ID[:8])
		if err != nil || len(change.Passes) != 1 || change.Passes[0].For != "alice" {
			t.Fatalf("%v, %v", change.Passes, err)
		}
		if a, b := in(alices), in(bobs); a != "" || b != "01" {
			t.Errorf("alice's was revoked: the passes let in on instances %q and %q", a, b)
		}
		last := change.After.History[len(change.After.History)-1]
		if last.Action != "revoke" || last.Reason != "the laptop was lost" || !strings.Contains(fmt.Sprint(last.Windows), alice.ID+": pass for alice") {
			t.Errorf("the history says %+v", last)
		}
		if _, err := c.RevokePass(t.Context(), "", alice.ID); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("it is revoked once more: %v", err)
		}
	})
}

// What the document holds, and what is said of it, lets nobody in.
func TestThePassStandsNowhereInTheClear(t *testing.T) {
	said := new(logs)
	b := memstate.New(memstate.Config{})
	e := started(t, Config{Backend: b, Policy: withPasses, Logger: said.logger()})
	on(t, e, Opening{})
	tokens, change, err := e.Control(state.Actor{}).IssuePass(t.Context(), ringOf(t, withPasses), PassOrder{For: "alice", TTL: hour, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := state.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	explained := e.Explain(holder(tokens.Pass))
	for where, text := range map[string]string{
		"the document": string(doc.Data), "the change": fmt.Sprint(change),
		"an explanation": explained.String(), "an explanation of none": fmt.Sprint(e.Explain(holder(tokens.Pass + "x"))),
	} {
		for what, secret := range map[string]string{"the secret": tokens.Pass[28:54], "the pass's signature": tokens.Pass[54:], "the link's": tokens.Link[54:], "the key": passKey[10:]} {
			if strings.Contains(text, secret) || said.count(secret) > 0 {
				t.Errorf("%s shows %s, or the log does", where, what)
			}
		}
	}
	if !strings.Contains(explained.String(), "pass             HIT  "+change.Passes[0].ID+" for alice") {
		t.Errorf("the explanation is\n%s", explained.String())
	}
}

func TestExplanationsSayWhyAPassIsNone(t *testing.T) {
	e := closedEngine(t, withPasses)
	token, _ := issue(t, e.Control(state.Actor{}), ringOf(t, withPasses), PassOrder{Scope: "checkout"})
	for sent, says := range map[string]string{
		token:               "for alice is good, but not for window",
		token[:96] + "!":    "the request carries something that is no pass here",
		"rp1_ and whatever": "the request carries something that is no pass here",
	} {
		x := e.Explain(holder(sent))
		if !strings.Contains(x.String(), says) || !x.Decision.Refuse {
			t.Errorf("%.20q: the explanation does not say %q:\n%s", sent, says, x.String())
		}
	}
}

func TestPassesThatCannotBeMade(t *testing.T) {
	e := closedEngine(t, withPasses)
	c, ring := e.Control(state.Actor{}), ringOf(t, withPasses)
	w := on(t, e, Opening{Scope: "api"})
	for _, bad := range []struct {
		name string
		o    PassOrder
		says string
	}{
		{"for nobody", PassOrder{TTL: hour}, "say in one line whom the pass is for"},
		{"for two lines", PassOrder{For: "a\nb", TTL: hour}, "in one line"},
		{"for ever", PassOrder{For: "alice"}, "a pass for 0s"},
		{"too long", PassOrder{For: "alice", TTL: MaxPass + time.Second}, "at most 2160h"},
		{"a fraction", PassOrder{For: "alice", TTL: time.Millisecond}, "whole seconds"},
		{"a scope that is none", PassOrder{For: "alice", TTL: hour, Scope: "a b"}, "scope"},
		{"no such window", PassOrder{For: "alice", TTL: hour, Window: "w1"}, `no window that runs or is planned has the id "w1"`},
		{"a window of another scope", PassOrder{For: "alice", TTL: hour, Window: w.ID, Scope: "web"}, "is not one of scope"},
		{"too many uses", PassOrder{For: "alice", TTL: hour, Uses: state.MaxUses + 1}, "uses"},
	} {
		_, change, err := c.IssuePass(t.Context(), ring, bad.o)
		if !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), bad.says) || change.Changed() {
			t.Errorf("%s: error %v, want one that says %q", bad.name, err, bad.says)
		}
	}
	if _, _, err := c.IssuePass(t.Context(), nil, PassOrder{For: "alice", TTL: hour}); err == nil {
		t.Error("a pass is made without a key")
	}
	for _, ids := range [][]string{nil, {""}, {"p"}, {"pAAAA"}, {"w1"}} {
		if _, err := c.RevokePass(t.Context(), "", ids...); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("revoking %q: %v", ids, err)
		}
	}
	s, err := c.State(t.Context())
	if err != nil || len(s.Passes) != 0 {
		t.Errorf("%v, %v", s.Passes, err)
	}
}

func TestADocumentHoldsSoManyPasses(t *testing.T) {
	e := closedEngine(t, withPasses)
	c, ring := e.Control(state.Actor{}), ringOf(t, withPasses)
	last := ""
	for range state.MaxPasses {
		last, _ = issue(t, c, ring, PassOrder{})
	}
	if _, _, err := c.IssuePass(t.Context(), ring, PassOrder{For: "bob", TTL: hour}); !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), "there are 256 passes already") {
		t.Errorf("one more: %v", err)
	}
	if decide(e, holder(last)).Refuse {
		t.Error("the last one is none")
	}
}

func TestAPassForEveryWindowOutlivesOneAndIsRestoredWithTheState(t *testing.T) {
	b := memstate.New(memstate.Config{})
	e := started(t, Config{Backend: b, Policy: withPasses})
	c := e.Control(state.Actor{})
	on(t, e, Opening{})
	token, _ := issue(t, c, ringOf(t, withPasses), PassOrder{})
	off(t, e)
	on(t, e, Opening{})
	if decide(e, holder(token)).Refuse {
		t.Error("a pass for every window is none in the next one")
	}
	lost, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RevokePass(t.Context(), "", lost.Passes[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Restore(t.Context(), lost, ""); err != nil {
		t.Fatal(err)
	}
	if decide(e, holder(token)).Refuse {
		t.Error("a pass is none once the state is restored")
	}
}

// TestWithoutKeysNothingIsLookedAt: not even the fields in which a pass would come.
func TestWithoutKeysNothingIsLookedAt(t *testing.T) {
	for name, c := range map[string]struct {
		p    Policy
		make bool
	}{"no keys": {Policy{}, true}, "no passes": {withPasses, false}} {
		e := closedEngine(t, c.p)
		if c.make {
			issue(t, e.Control(state.Actor{}), ringOf(t, withPasses), PassOrder{})
		}
		a := &looked{asked: asked{}, at: make(map[string]int)}
		ticket := e.Begin()
		d := ticket.Evaluate(a)
		ticket.End()
		if !d.Refuse || a.at["Cookie"]+a.at["Authorization"]+a.at["Recess-Pass"] != 0 {
			t.Errorf("%s: %+v, asked for %v", name, d, a.at)
		}
	}
}

// looked takes down which fields were asked for.
type looked struct {
	asked
	at map[string]int
}

func (l *looked) Header(name string) string { l.at[name]++; return l.asked.Header(name) }

func TestAPassCostsNoAllocation(t *testing.T) {
	e := closedEngine(t, withPasses)
	token, _ := issue(t, e.Control(state.Actor{}), ringOf(t, withPasses), PassOrder{})
	none := decideAllocs(e, &asked{header: map[string]string{"Cookie": "a=b; c=d"}})
	for name, a := range map[string]*asked{"a pass": holder(token), "garbage": holder(token[:96] + "!")} {
		if got := decideAllocs(e, a); got > none {
			t.Errorf("%s: %v allocations, %v without", name, got, none)
		}
	}
}

func decideAllocs(e *Engine, a *asked) float64 {
	return testing.AllocsPerRun(100, func() { decide(e, a) })
}

func BenchmarkPass(b *testing.B) {
	e := closedEngine(b, withPasses)
	token, _ := issue(b, e.Control(state.Actor{}), ringOf(b, withPasses), PassOrder{})
	a := holder(token)
	b.ReportAllocs()
	for b.Loop() {
		if decide(e, a).Refuse {
			b.Fatal("refused")
		}
	}
}
