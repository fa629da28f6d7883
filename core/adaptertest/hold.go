package adaptertest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

var holdTests = []test{
	{"held requests go on when the window ends, bodies and all", testHeldUntilTheEnd},
	{"a held request is refused when its time is up", testHeldTooLong},
	{"a client that goes is held no longer", testHeldClientGoes},
	{"a client that goes on asking is held on", testHeldPipeline},
	{"a held client that stalls in its body is refused when its time is up", testHeldStalledBody},
}

// held waits until as many requests are held.
func (w *world) held(n int64) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		count := w.engine.Counts().Held
		if count == n {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d requests are held, want %d", count, n)
		}
	}
}

func testHeldUntilTheEnd(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{AllowPaths: []string{"/healthz"}})
	w.on(recess.Opening{Hold: state.MaxHold})
	short, long := strings.Repeat("s", 1000), strings.Repeat("l", 300<<10)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(short), short)
	heads := []string{
		"GET /orders HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%s", len(short), short),
		fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%s", len(long), long),
		"POST /echo HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
	}
	wants := []string{"orders\nnone\n", short, long, short}
	got := make(chan string, len(heads))
	for i, head := range heads {
		go func() {
			c := w.dial()
			defer c.Close()
			go func() { _, _ = c.Write([]byte(head)) }()
			a := c.read("GET")
			if a.body != wants[i] || a.status != 200 {
				got <- fmt.Sprintf("request %d: status %d, %d bytes, %v, want 200 and %d bytes", i, a.status, len(a.body), a.err, len(wants[i]))
				return
			}
			got <- ""
		}()
	}
	w.held(int64(len(heads)))
	w.idle() // who waits is not in flight
	if got := w.do(get("/healthz")); got.status != 200 || got.header.Get(page.HeaderName) != "hold;allowed" {
		t.Errorf("whom a rule lets in gets %d, %q", got.status, got.header.Get(page.HeaderName))
	}
	w.off()
	for range heads {
		if problem := <-got; problem != "" {
			t.Error(problem)
		}
	}
	w.idle()
	w.held(0)
}

func testHeldTooLong(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Hold: time.Second})
	w.notice.RetryAfter = time.Second
	w.refuses(get("/orders"))
	a := request("POST", "/orders")
	a.body = "x=1"
	w.refuses(a)
	w.idle()
	w.held(0)
}

func testHeldClientGoes(t *testing.T, f Framework) {
	if runtime.GOOS == "windows" && f.Traits.ReadsBodies {
		t.Skip("nobody can tell here whether a client goes")
	}
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Hold: state.MaxHold})
	for _, text := range []string{
		"GET /orders HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 3\r\n\r\nx=1",
	} {
		for range 3 {
			c := w.dial()
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			w.held(1)
			_ = c.Close()
			w.held(0)
			w.idle()
		}
	}
	if n := w.engine.Counts().Refused; n != 6 {
		t.Errorf("%d requests are counted as refused, want 6", n)
	}
}

// testHeldPipeline: what a client sends behind its request is no sign that it has gone, and is not lost.
func testHeldPipeline(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Hold: state.MaxHold})
	c := w.dial()
	defer c.Close()
	if _, err := c.Write(get("/orders").raw("")); err != nil {
		t.Fatal(err)
	}
	w.held(1)
	if _, err := c.Write(get("/users/7").raw("")); err != nil {
		t.Fatal(err)
	}
	w.off()
	for _, want := range []string{"orders", "user"} {
		if got := c.read("GET"); got.status != 200 || !strings.HasPrefix(got.body, want+"\n") {
			t.Errorf("status %d, %q, %v, want the answer of %s", got.status, got.body, got.err, want)
		}
	}
	w.held(0)
}

func testHeldStalledBody(t *testing.T, f Framework) {
	if f.Traits.ReadsBodies {
		t.Skip("the server reads a body before it asks anybody")
	}
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Hold: time.Second})
	w.notice.RetryAfter = time.Second
	c := w.dial()
	defer c.Close()
	if _, err := c.Write([]byte("POST /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100\r\n\r\nab")); err != nil {
		t.Fatal(err)
	}
	a := request("POST", "/orders")
	got := c.read("POST")
	w.isRefusal(a, got, w.golden(a))
	if !got.close {
		t.Error("the connection stays open although the body was not read")
	}
	if n, err := c.in.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the refusal %d bytes, %v: the server waits for the body", n, err)
	}
	w.idle()
}

// BenchHold keeps 10,000 requests waiting and lets them go. It tells what their connections take in memory while they are
// idle, both ends of them, what the waiting adds to that, and in what time all have their answer.
func BenchHold(b *testing.B, f Framework) {
	const n = 10_000
	var connections, mib, seconds float64
	for b.Loop() {
		listener := newPipes()
		w := f.openOn(b, listener, listener.connect, recess.Policy{})
		wires := make([]*wire, n)
		ask := get("/orders").raw("")
		none := inUse()
		for i := range wires {
			wires[i] = w.dial()
			if _, err := wires[i].Write(ask); err != nil {
				b.Fatal(err)
			}
			if got := wires[i].read("GET"); got.status != 200 {
				b.Fatalf("status %d, %v", got.status, got.err)
			}
		}
		w.idle()
		idle := inUse()
		connections += float64(idle-none) / (1 << 20)
		w.on(recess.Opening{Hold: state.MaxHold})
		for _, c := range wires {
			if _, err := c.Write(ask); err != nil {
				b.Fatal(err)
			}
		}
		w.held(n)
		mib += float64(inUse()-idle) / (1 << 20)
		began := time.Now()
		w.off()
		for _, c := range wires {
			if got := c.read("GET"); got.status != 200 {
				b.Fatalf("status %d, %v", got.status, got.err)
			}
		}
		seconds += time.Since(began).Seconds()
		for _, c := range wires {
			_ = c.Close()
		}
		w.idle()
	}
	b.ReportMetric(connections/float64(b.N), "MiB-idle")
	b.ReportMetric(mib/float64(b.N), "MiB-held")
	b.ReportMetric(seconds/float64(b.N), "s-to-leave")
	b.ReportMetric(0, "ns/op")
}

// inUse is the memory that is not free: heap and stacks.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
