package httpstate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
)

var noConfig httpstate.Config

func TestAFailureSaysWhatToDo(t *testing.T) {
	p := &publisher{data: []byte(document)}
	server := serve(t, p)
	for _, c := range []struct {
		status int
		says   string
	}{
		{201, "201 Created: a document comes with 200"},
		{204, "204 No Content: a document comes with 200"},
		{206, "206 Partial Content: a document comes with 200"},
		{300, "300 Multiple Choices"},
		{304, "304 Not Modified: it was asked for the whole document"},
		{400, "400 Bad Request"},
		{401, "401 Unauthorized: it wants credentials, or others: look at user and password in the URL, or at token_env"},
		{403, "403 Forbidden: who asks, or where from, may not read the document"},
		{407, "407 Proxy Authentication Required: the proxy wants credentials: look at HTTPS_PROXY"},
		{429, "429 Too Many Requests: it is asked too often"},
		{451, "451 Unavailable For Legal Reasons"},
		{500, "500 Internal Server Error: the server, or one before it, fails"},
		{503, "503 Service Unavailable: the server"},
		{599, "status 599: the server"},
	} {
		t.Run(strconv.Itoa(c.status), func(t *testing.T) {
			b := backend(t, server.URL, noConfig)
			p.change(func(p *publisher) { p.status = c.status })
			if wait := fails(t, b, server.URL+": "+c.says); wait != 0 {
				t.Errorf("it asks for %v", wait)
			}
			p.change(func(p *publisher) { p.status = 0 })
			if doc := read(t, b); string(doc.Data) != document {
				t.Errorf("afterwards it reads %q", doc.Data)
			}
		})
	}
}

// TestAFailureKeepsTheCopy: what is asked after it is still what has changed since.
func TestAFailureKeepsTheCopy(t *testing.T) {
	p := &publisher{data: []byte(document), tag: `"1"`}
	b := backend(t, serve(t, p).URL, noConfig)
	doc := read(t, b)
	p.change(func(p *publisher) { p.status = http.StatusBadGateway })
	fails(t, b, "502")
	p.change(func(p *publisher) { p.status = 0 })
	unchanged(t, b, doc.Rev)
	if _, full := p.times(); full != 1 {
		t.Errorf("%d answers came with the document", full)
	}
}

func TestAServerThatWantsRestGetsIt(t *testing.T) {
	for _, c := range []struct {
		name, after string
		status      int
		want        time.Duration
	}{
		{"seconds", "20", 429, 20 * time.Second},
		{"seconds, from a server that fails", "5", 503, 5 * time.Second},
		{"a date", "DATE+30", 503, 30 * time.Second},
		{"a date that has passed", "DATE-30", 503, 0},
		{"longer than a switch can go unseen", "86400", 429, time.Minute},
		{"longer than any number", "99999999999999999999999999", 429, time.Minute},
		{"a date far away", "Fri, 01 Jan 2100 00:00:00 GMT", 429, time.Minute},
		{"none", "", 429, 0},
		{"no time", "soon", 429, 0},
		{"zero", "0", 429, 0},
		{"less than nothing", "-5", 429, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				after := c.after
				for sign, at := range map[string]time.Duration{"DATE+30": 30 * time.Second, "DATE-30": -30 * time.Second} {
					if after == sign {
						after = time.Now().Add(at).UTC().Format(http.TimeFormat)
					}
				}
				p := &publisher{data: []byte("on"), status: c.status, header: http.Header{"Retry-After": {after}}}
				b := backend(t, "https://user:hunter2@host/?q=hunter2", through(p))
				if wait := fails(t, b, strconv.Itoa(c.status)); wait != c.want {
					t.Fatalf("it asks for %v, want %v", wait, c.want)
				}
				p.change(func(p *publisher) { p.status, p.header = 0, nil })
				if c.want == 0 {
					read(t, b)
					return
				}
				time.Sleep(c.want - time.Second)
				if wait := fails(t, b, fmt.Sprintf("(it asks for %s of rest, which it gets)", c.want)); wait != time.Second {
					t.Errorf("a second before the end it asks for %v", wait)
				}
				if asked, _ := p.times(); asked != 1 {
					t.Errorf("it was asked %d times in its rest", asked)
				}
				time.Sleep(time.Second)
				read(t, b)
			})
		})
	}
}

// TestTheClockOfTheServerIsItsOwn: a date is what the server's clock says, however wrong that is here.
func TestTheClockOfTheServerIsItsOwn(t *testing.T) {
	wrong := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &publisher{data: []byte("on"), status: 503, header: http.Header{
		"Date": {wrong.Format(http.TimeFormat)}, "Retry-After": {wrong.Add(10 * time.Second).Format(http.TimeFormat)},
	}}
	b := backend(t, serve(t, p).URL, noConfig)
	if wait := fails(t, b, "503"); wait <= 5*time.Second || wait > 10*time.Second {
		t.Errorf("it asks for %v, want 10 s", wait)
	}

	// And a document that is as old as its clock says can be asked about by its date.
	old := wrong.Add(-time.Hour).Format(http.TimeFormat)
	q := &publisher{data: []byte("on"), date: old, header: http.Header{"Date": {wrong.Format(http.TimeFormat)}}}
	b = backend(t, serve(t, q).URL, noConfig)
	read(t, b)
	read(t, b)
	if got := q.last().Header.Get("If-Modified-Since"); got != old {
		t.Errorf("the second question has If-Modified-Since %q", got)
	}
}

func TestNothingIsReadBeyondTheLargestDocument(t *testing.T) {
	for name, header := range map[string]http.Header{
		"50 MB that are announced": {"Content-Length": {"52428800"}},
		"without an end":           {},
	} {
		t.Run(name, func(t *testing.T) {
			var written atomic.Int64
			ended := make(chan struct{})
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				defer close(ended)
				for name, values := range header {
					w.Header()[name] = values
				}
				chunk := make([]byte, 64<<10)
				for written.Load() < 50<<20 {
					n, err := w.Write(chunk)
					written.Add(int64(n))
					if err != nil {
						return
					}
				}
			}))
			b := backend(t, server.URL, noConfig)
			doc := read(t, b)
			if len(doc.Data) != state.MaxSize+1 {
				t.Errorf("%d bytes were kept", len(doc.Data))
			}
			if _, err := state.Decode(doc.Data); !errors.Is(err, state.ErrInvalid) {
				t.Errorf("Decode: %v", err)
			}
			<-ended
			if n := written.Load(); n > 20<<20 { // what the kernel's buffers on the way hold was not read
				t.Errorf("the server got rid of %d bytes", n)
			}
		})
	}
}

func TestWhatIsCompressedIsRefused(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding: %q", got)
		}
		w.Header().Set("Content-Encoding", r.URL.Query().Get("coding"))
		chunk := make([]byte, 32<<10)
		for range 100 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	for _, coding := range []string{"gzip", "br", "gzip,gzip", strings.Repeat("x", 4000)} {
		b := backend(t, server.URL+"?coding="+coding, noConfig)
		fails(t, b, "which was not asked for: serve the document plain")
	}
	b := backend(t, server.URL+"?coding=Identity", noConfig)
	read(t, b)
}

func TestASlowBodyHasADeadline(t *testing.T) {
	leave := make(chan struct{})
	defer close(leave)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
				return
			case <-leave:
				return
			}
		}
	}))
	b := backend(t, server.URL, httpstate.Config{Timeout: 100 * time.Millisecond})
	_, err := state.Read(t.Context(), b)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 100ms") || !strings.Contains(err.Error(), "cut off after") {
		t.Errorf("%v", err)
	}
}

func TestABodyThatIsCutOffIsNoDocument(t *testing.T) {
	for name, start := range map[string]string{
		"of a known length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\non",
		"in chunks":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\non\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, raw(start))
			b := backend(t, server.URL, noConfig)
			fails(t, b, "the answer was cut off after 2 bytes: unexpected EOF")
		})
	}
}

// raw answers with bytes, and ends the connection.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

func TestNonsenseIsAFailureInFewWords(t *testing.T) {
	long := strings.Repeat("x", 60<<10)
	for name, text := range map[string]string{
		"no HTTP":                "SSH-2.0-OpenSSH_9.2\r\n",
		"no HTTP, at length":     long + "\r\n\r\n",
		"a status that is none":  "HTTP/1.1 " + long + "\r\n\r\n",
		"endless headers":        "HTTP/1.1 200 OK\r\nX: " + long + long + "\r\n\r\non",
		"a redirect to nonsense": "HTTP/1.1 302 Found\r\nLocation: http://" + long + "/%zz\r\nContent-Length: 0\r\n\r\n",
		"a redirect at length":   "HTTP/1.1 302 " + long[:50000] + "\r\nLocation: ftp://" + long[:10000] + "/\r\nContent-Length: 0\r\n\r\n",
		"nothing":                "",
	} {
		t.Run(name, func(t *testing.T) {
			b := backend(t, serve(t, raw(text)).URL, noConfig)
			_, err := state.Read(t.Context(), b)
			if err == nil || len(err.Error()) > 700 {
				t.Errorf("%d bytes: %.300v", len(fmt.Sprint(err)), err)
			}
		})
	}
}

func TestAServerThatIsNotThereIsAFailure(t *testing.T) {
	server := serve(t, new(publisher))
	url := server.URL
	server.Close()
	b := backend(t, url, noConfig)
	fails(t, b, "connection refused")
}
