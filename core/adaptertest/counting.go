package adaptertest

import (
	"sync"
	"testing"

	"github.com/recess-go/recess/core"
)

var countingTests = []test{
	{"a running handler is in flight until it ends", testInFlight},
	{"a handler that panics is not in flight for ever", testPanickingHandler},
	{"a gate that runs twice answers and tells once", testTwice},
	{"requests under a switch that is thrown are served or refused, never both", testToggle},
}

func testInFlight(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { w.passes(get("/holds"), "holds") })
	}
	for range 3 {
		<-w.site.holding
	}
	if n := w.engine.Counts().InFlight; n != 3 {
		t.Errorf("%d requests are in flight while three handlers run, want 3", n)
	}
	// What was admitted is served to its end, whatever comes after.
	w.on(recess.Opening{})
	w.refuses(get("/holds"))
	w.passes(get("/live"), "live")
	if n := w.engine.Counts().InFlight; n < 3 {
		t.Errorf("%d requests are in flight while three handlers run, want 3 at least", n)
	}
	close(w.site.held)
	group.Wait()
	w.idle()
	if n := w.engine.Counts().Refused; n != 1 {
		t.Errorf("%d requests are counted as refused, want 1", n)
	}
}

func testPanickingHandler(t *testing.T, f Framework) {
	for name, policy := range map[string]recess.Policy{"open": {}, "let in": {AllowPaths: []string{"/panics"}}} {
		t.Run(name, func(t *testing.T) {
			w := f.open(t, policy)
			if name == "let in" {
				w.on(recess.Opening{})
			}
			for range 5 {
				got := w.do(get("/panics"))
				if len(got.ran) != 1 || got.err == nil && got.status != 500 {
					t.Errorf("%q ran, status %d, %v, want the framework's own way with a panic", got.ran, got.status, got.err)
				}
			}
			w.idle()
			w.passes(get("/live"), "live")
		})
	}
}

func testTwice(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{AllowPaths: []string{"/healthz"}}, func(s *Site) { s.Gates = 2 })
	w.passesUntold(get("/orders"), "orders")
	w.refuses(get("/closed"))
	w.on(recess.Opening{})
	w.refuses(get("/orders"))
	w.refuses(request("HEAD", "/orders"))
	w.refuses(request("POST", "/closed"))
	w.passesByException(get("/healthz"), "healthz")
	w.passesUntold(get("/live"), "live")
	w.passesUntold(get("/pay/help"), "pay-help")
	w.do(get("/panics"))
	w.idle()
	if n := w.engine.Counts().Refused; n != 5 {
		t.Errorf("%d requests are counted as refused, want 5", n)
	}
}

func testToggle(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			c := w.dial()
			defer c.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := c.do(get("/orders"))
				served := got.status == 200 && len(got.ran) == 1
				refused := got.status == 503 && len(got.ran) == 0
				if got.err != nil || !served && !refused {
					t.Errorf("status %d and %q ran, %v: neither served nor refused", got.status, got.ran, got.err)
					return
				}
			}
		})
	}
	for range 50 {
		w.on(recess.Opening{})
		w.off()
	}
	close(stop)
	group.Wait()
	w.idle()
}
