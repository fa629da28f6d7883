package nethttp_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
)

// served is a server with one long-lived handler behind a gate.
func served(t *testing.T, p recess.Policy, handler http.HandlerFunc, adjust ...func(*httptest.Server)) (*httptest.Server, *recess.Engine) {
	t.Helper()
	engine := open(t, p)
	mux := http.NewServeMux()
	gate, err := nethttp.New(engine, nethttp.Hooks{}, nethttp.MuxMarkers(mux))
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", gate.LongLived(handler))
	server := httptest.NewUnstartedServer(gate.Middleware(mux))
	for _, change := range adjust {
		change(server)
	}
	if server.EnableHTTP2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, engine
}

func http2(s *httptest.Server) { s.EnableHTTP2 = true }

func fetch(t *testing.T, server *httptest.Server, body io.Reader, kind string) string {
	t.Helper()
	response, err := server.Client().Post(server.URL, kind, body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheWriterOfAStreamCanWhatTheServersOwnCan(t *testing.T) {
	for name, c := range map[string]struct {
		adjust []func(*httptest.Server)
		want   string
	}{
		"HTTP/1.1": {nil, "Flusher ReaderFrom StringWriter Hijacker flush deadlines duplex"},
		"HTTP/2":   {[]func(*httptest.Server){http2}, "Flusher StringWriter flush deadlines duplex"},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := served(t, recess.Policy{}, func(w http.ResponseWriter, _ *http.Request) {
				var can []string
				try := func(word string, ok bool) {
					if ok {
						can = append(can, word)
					}
				}
				_, ok := w.(http.Flusher)
				try("Flusher", ok)
				_, ok = w.(io.ReaderFrom)
				try("ReaderFrom", ok)
				_, ok = w.(io.StringWriter)
				try("StringWriter", ok)
				_, ok = w.(http.Hijacker)
				try("Hijacker", ok)
				rc := http.NewResponseController(w)
				try("flush", rc.Flush() == nil)
				try("deadlines", errors.Join(rc.SetWriteDeadline(time.Time{}), rc.SetReadDeadline(time.Time{})) == nil)
				try("duplex", rc.EnableFullDuplex() == nil)
				if into, ok := w.(io.ReaderFrom); ok {
					if n, err := into.ReadFrom(strings.NewReader(strings.Join(can, " "))); err != nil || n == 0 {
						t.Errorf("ReadFrom: %d bytes, %v", n, err)
					}
				} else if _, err := io.WriteString(w, strings.Join(can, " ")); err != nil {
					t.Error(err)
				}
			}, c.adjust...)
			if got := fetch(t, server, nil, ""); got != c.want {
				t.Errorf("it can %s, want %s", got, c.want)
			}
		})
	}
}

func TestAStreamOverHTTP2IsToldAndTheConnectionMovesOn(t *testing.T) {
	server, engine := served(t, recess.Policy{Grace: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "open\n")
		_ = http.NewResponseController(w).Flush()
		<-recess.Closing(r.Context())
		_, _ = io.WriteString(w, "bye\n")
	}, http2)
	ask := func() (response *http.Response, reused bool) {
		t.Helper()
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err = server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return response, reused
	}
	one, _ := ask()
	defer one.Body.Close()
	two, reused := ask()
	defer two.Body.Close()
	if !reused || two.ProtoMajor != 2 {
		t.Fatalf("two streams are on two connections, over %s", two.Proto)
	}
	if _, err := engine.Control(state.Actor{}).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	refused, _ := ask()
	_, _ = io.Copy(io.Discard, refused.Body)
	_ = refused.Body.Close()
	for _, response := range []*http.Response{one, two} { // GOAWAY lets what is open end
		if text, err := io.ReadAll(response.Body); string(text) != "open\nbye\n" || err != nil {
			t.Errorf("a stream said %q, %v", text, err)
		}
	}
	again, reused := ask()
	_ = again.Body.Close()
	if refused.StatusCode != http.StatusServiceUnavailable || reused {
		t.Errorf("after a refusal (%d) the connection is used again: %v", refused.StatusCode, reused)
	}
}

func TestAServerShutsDownOnceItsStreamsWereTold(t *testing.T) {
	opened := make(chan struct{}, 1)
	server, engine := served(t, recess.Policy{Grace: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		opened <- struct{}{}
		<-recess.Closing(r.Context())
	})
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-opened
	down := make(chan error, 1)
	go func() { down <- server.Config.Shutdown(t.Context()) }()
	if _, err := engine.Control(state.Actor{}).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestWhatStandsAroundAStreamGoesOnWithItsOwnRequest(t *testing.T) {
	engine := open(t, recess.Policy{})
	gate, err := nethttp.New(engine, nethttp.Hooks{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := make(chan string, 1)
	inner := gate.LongLived(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(0); err != nil {
			t.Error(err)
			return
		}
		upload, _, err := r.FormFile("upload")
		if err != nil {
			t.Error(err)
			return
		}
		defer upload.Close()
		file <- upload.(*os.File).Name()
	}))
	server := httptest.NewServer(gate.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if err := r.Context().Err(); err != nil {
			t.Errorf("the context around the stream is over: %v", err)
		}
	})))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("upload", "large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(make([]byte, 12<<20)); err != nil { // more than is kept in memory whatever is asked for
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	fetch(t, server, &body, form.FormDataContentType())
	server.Close() // and all that it does after an answer is done
	if name := <-file; name == "" {
		t.Error("nothing was uploaded")
	} else if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the upload's temporary file is left: %v", err)
	}
}

func TestAHijackedConnectionIsStillWhatItWas(t *testing.T) {
	conns := make(chan net.Conn, 1)
	server, engine := served(t, recess.Policy{}, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conns <- conn
	})
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	conn := <-conns
	tcp, ok := conn.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn)
	if !ok || tcp.SetNoDelay(true) != nil {
		t.Errorf("its connection is a %T", tcp)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
		t.Errorf("the client reads %q, %v", rest, err)
	}
	if n := engine.Counts().Streams; n != 1 {
		t.Errorf("half of it is open, and %d streams are counted", n)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err == nil {
		t.Error("closing it twice is no error, and it is one of a connection")
	}
	for n := engine.Counts(); n.Streams != 0 || n.InFlight != 0; n = engine.Counts() { // its handler may still be about to return
		runtime.Gosched()
	}
}
