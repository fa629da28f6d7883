package adaptertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
)

var wireTests = []test{
	{"a refused request's body is never read as the next request", testSmuggling},
	{"a body announced by Expect is not asked for in vain", testExpectContinue},
	{"a body too large to read is refused", testOversized},
	{"a client that stalls in its body is answered at once", testStalledBody},
	{"one connection is answered in step", testPipeline},
}

// smuggled is a whole request that a body may hold. It would pass, and be counted under its own id.
func smuggled(id string) string { return string(get("/live", "X-Smuggled: yes").raw(id)) }

func testSmuggling(t *testing.T, f Framework) {
	inner, outer := newID(), newID()
	hidden := smuggled(inner)
	large := hidden + strings.Repeat("x", 300<<10)
	for _, c := range []struct{ name, head, body string }{
		{"a length", fmt.Sprintf("Content-Length: %d", len(hidden)), hidden},
		{"a large body", fmt.Sprintf("Content-Length: %d", len(large)), large},
		{"chunks", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)},
		{"a large chunk", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)},
		{"broken chunks", "Transfer-Encoding: chunked", "zz\r\n" + hidden},
		{"an unfinished chunk", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s", len(hidden)+400, hidden)},
		{"a length and chunks", "Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"},
		{"two lengths", fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d", len(hidden)), hidden},
		{"a body of GET", fmt.Sprintf("Content-Length: %d", len(hidden)), hidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.closed(t, recess.Policy{})
			method := "POST"
			if c.name == "a body of GET" {
				method = "GET"
			}
			last := get("/live", "Connection: close").raw(outer)
			stream := method + " /orders HTTP/1.1\r\nHost: shop.example\r\n" + c.head + "\r\n\r\n" + c.body + string(last)
			got := w.stream(stream)
			if len(got) == 0 || len(got) > 2 {
				t.Errorf("%d responses came back, want the refusal and at most one more", len(got))
			}
			for i, r := range got {
				if i == 0 && r.status != 503 && r.status != 400 {
					t.Errorf("the first response is %d, want 503", r.status)
				}
			}
			if ran := w.site.ran(inner); len(ran) > 0 {
				t.Errorf("%q ran for a request that was the body of another", ran)
			}
			if ran := w.site.ran(outer); len(ran) > 1 {
				t.Errorf("%q ran for one request", ran)
			}
			w.idle()
		})
	}
}

// stream writes bytes to a connection, and reads responses until the server closes it.
func (w *world) stream(text string) []answer {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = c.Write([]byte(text)) // the server may close before it has read everything
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	var all []answer
	for {
		got := c.read("GET")
		if got.err != nil {
			break
		}
		all = append(all, got)
	}
	_ = c.Close()
	<-written
	return all
}

func testExpectContinue(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	c := w.dial()
	defer c.Close()
	inner := newID()
	hidden := smuggled(inner)
	head := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(hidden))
	if _, err := c.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	got := c.read("POST")
	asked := got.status == 100
	if asked { // the server reads bodies before it asks anybody
		if _, err := c.Write([]byte(hidden)); err != nil {
			t.Fatal(err)
		}
		got = c.read("POST")
	}
	a := request("POST", "/orders")
	w.isRefusal(a, got, w.golden(a))
	switch {
	case asked && !got.close:
		a := get("/live")
		w.isFrom(a, c.do(a), "live")
	case !got.close:
		// The client holds the body back, and what it sends next must not be taken for the body.
		t.Error("the connection stays open although the announced body was not read")
	}
	if ran := w.site.ran(inner); len(ran) > 0 {
		t.Errorf("%q ran for a request that was the body of another", ran)
	}
}

func testOversized(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	id := newID()
	head := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: shop.example\r\n%s: %s\r\nContent-Length: 1073741824\r\n\r\n", headerID, id)
	got := w.stream(head + strings.Repeat("x", 1<<20))
	if len(got) != 1 || got[0].status != 503 && got[0].status != 413 {
		t.Errorf("%d responses came back, want one of status 503, or 413 from the framework", len(got))
	}
	if ran := w.site.ran(id); len(ran) > 0 {
		t.Errorf("%q ran", ran)
	}
	w.passes(get("/live"), "live")
	w.idle()
}

// testStalledBody: net/http would read on before it sends the refusal, and wait for what never comes.
func testStalledBody(t *testing.T, f Framework) {
	if f.Traits.ReadsBodies {
		t.Skip("the server reads a body before it asks anybody")
	}
	w := f.closed(t, recess.Policy{})
	for _, begun := range []string{"Content-Length: 100\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n64\r\nab"} {
		c := w.dial()
		if _, err := c.Write([]byte("POST /orders HTTP/1.1\r\nHost: shop.example\r\n" + begun)); err != nil {
			t.Fatal(err)
		}
		a := request("POST", "/orders")
		got := c.read("POST")
		w.isRefusal(a, got, w.golden(a))
		if !got.close {
			t.Errorf("%q: the connection stays open although the body was not read", begun)
		}
		w.idle()
		_ = c.Close()
	}
	if got := w.refuses(get("/orders")); got.close {
		t.Error("a request without a body cost its connection")
	}
}

func testPipeline(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz"}})
	var stream strings.Builder
	want := []int{503, 200, 503, 200, 503, 200}
	for i := range want {
		a := []ask{get("/orders"), get("/live"), request("POST", "/orders"), get("/healthz"), get("/closed"), get("/live", "Connection: close")}[i]
		stream.Write(a.raw(newID()))
	}
	got := w.stream(stream.String())
	if len(got) != len(want) {
		t.Fatalf("%d responses came back, want %d", len(got), len(want))
	}
	for i, r := range got {
		if r.status != want[i] {
			t.Errorf("response %d has status %d, want %d", i, r.status, want[i])
		}
	}
	w.idle()
}
