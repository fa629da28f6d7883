package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// A face is what the site shows to its visitors: which of its parts refuse them.
type face uint32

const (
	frontRefused face = 1 << iota
	apiRefused
	shopRefused
)

// The faces that a whole document gives to the site, and those of a fallback. Any other is half a state.
const (
	allOpen    face = 0
	shopOpen        = apiRefused
	shopClosed      = apiRefused | shopRefused
	allClosed       = frontRefused | apiRefused | shopRefused
)

func (f face) String() string {
	words := func(part face) string {
		if f&part != 0 {
			return "closed"
		}
		return "open"
	}
	return fmt.Sprintf("front %s, api %s, shop %s", words(frontRefused), words(apiRefused), words(shopRefused))
}

// flat is the longest that a visit may take. One that waited for a backend would take seconds: the four that a call to
// the store has, or the five that a slow link needs.
const flat = 2 * time.Second

// visitors ask an instance all along, and compare what it shows with what it may show.
type visitors struct {
	engine *recess.Engine
	shop   http.Handler  // the middleware before a handler that answers 200
	legal  atomic.Uint32 // a bit for each face
	visits atomic.Int64

	quit    chan struct{}
	running sync.WaitGroup
	slowest time.Duration // readable after leave
	wrong   string
}

// come lets visitors in until leave. They accept every face until they are told which ones are legal.
func (v *visitors) come(t *testing.T, engine *recess.Engine) {
	t.Helper()
	gate, err := nethttp.New(engine, nethttp.Hooks{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.engine, v.quit = engine, make(chan struct{})
	v.shop = gate.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	v.legal.Store(1<<allOpen | 1<<shopOpen | 1<<shopClosed | 1<<allClosed)
	v.running.Go(func() {
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-v.quit:
				return
			case <-pace.C:
				v.visit()
			}
		}
	})
}

// leave ends the visits and asserts that none was told something wrong or had to wait.
func (v *visitors) leave(t *testing.T, name string) {
	t.Helper()
	close(v.quit)
	v.running.Wait()
	if v.wrong != "" {
		t.Errorf("%s: %s", name, v.wrong)
	}
	if v.slowest > flat {
		t.Errorf("%s: a request took %v", name, v.slowest)
	}
	t.Logf("%s: %d visits, the slowest took %v", name, v.visits.Load(), v.slowest.Round(time.Microsecond))
}

// allow makes a face legal beside those that are; a visit that is under way may see either.
func (v *visitors) allow(f face) { v.legal.Or(1 << f) }

// only makes this the one legal face from now on.
func (v *visitors) only(f face) { v.legal.Store(1 << f) }

func (v *visitors) visit() {
	before := v.legal.Load()
	began := time.Now()
	shown := v.look()
	status := v.get("/shop")
	v.slowest = max(v.slowest, time.Since(began))
	legal := before | v.legal.Load()
	if legal&(1<<shown) == 0 {
		v.report("visit %d: the site showed %v", shown)
	}
	if refusing, passing := legal&(1<<shopClosed|1<<allClosed), legal&(1<<shopOpen|1<<allOpen); status == http.StatusOK && passing == 0 ||
		status == http.StatusServiceUnavailable && refusing == 0 || status != http.StatusOK && status != http.StatusServiceUnavailable {
		v.report("visit %d: the shop answered %v", status)
	}
	v.visits.Add(1)
}

func (v *visitors) report(format string, what any) {
	if v.wrong == "" {
		v.wrong = fmt.Sprintf(format, v.visits.Load(), what)
	}
}

// look asks for all parts under one ticket, so that what it returns is the face of one state.
func (v *visitors) look() (shown face) {
	ticket := v.engine.Begin()
	defer ticket.End()
	for part, path := range map[face]string{frontRefused: "/", apiRefused: "/api", shopRefused: "/shop"} {
		if ticket.Evaluate(request(path)).Refuse {
			shown |= part
		}
	}
	return shown
}

func (v *visitors) get(path string) int {
	answer := httptest.NewRecorder()
	v.shop.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer.Code
}

// A request is a GET of a path by somebody unknown.
type request string

func (r request) Method() string        { return http.MethodGet }
func (r request) Host() string          { return "shop.example" }
func (r request) Path() string          { return string(r) }
func (r request) Header(string) string  { return "" }
func (r request) Peer() netip.AddrPort  { return netip.MustParseAddrPort("192.0.2.7:1") }
func (r request) Marker() recess.Marker { return recess.Marker{} }
func (r request) Route() string         { return "" }
func (r request) User() recess.User     { return recess.User{} }
func (r request) Logout() error         { return nil }
