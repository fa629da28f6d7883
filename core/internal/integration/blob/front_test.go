package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func TestMain(m *testing.M) {
	if runWriter() {
		return
	}
	m.Run()
}

// kept is how many revisions stay, as docs/backends.md says.
const kept = 32

// patience is the deadline for what must happen some time.
const patience = time.Minute

// newServer starts an S3 server, whose owner this process is.
func newServer(t testing.TB) *servers.Server {
	t.Helper()
	rigs.S3Credentials()
	return servers.S3(t)
}

// open opens a backend, which is closed with the test. It is patient: what holds it up is what a test is about.
func open(t testing.TB, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// at is the state URL of the document under the default prefix, for a backend that waits as long as it takes.
func at(addr string) string { return rigs.S3URL(addr, "recess") + "&timeout=1m" }

// saveMore makes n more revisions and returns the last document.
func saveMore(t testing.TB, b state.Backend, n int) (text string) {
	t.Helper()
	rev := must.Read(t, b).Rev
	for i := range n {
		text = fmt.Sprintf("%d after %s", i+1, rev)
		rev = must.Save(t, b, rev, text)
	}
	return text
}

func wantText(t testing.TB, b state.Backend, want string) {
	t.Helper()
	if doc := must.Read(t, b); string(doc.Data) != want {
		t.Errorf("the document is %q, want %q", doc.Data, want)
	}
}

// A front stands between a backend and the server, and does something to the requests that a test picks.
type front struct {
	addr string

	mu    sync.Mutex
	seen  []string // method and path, and query where there is one
	spoil func(w http.ResponseWriter, r *http.Request, next http.Handler) (done bool)
}

func newFront(t testing.TB, server *servers.Server) *front {
	t.Helper()
	f := &front{}
	f.addr = rigs.S3Front(t, server.Addr, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		f.mu.Lock()
		f.seen = append(f.seen, r.Method+" "+r.URL.RequestURI())
		spoil := f.spoil
		f.mu.Unlock()
		if spoil == nil || !spoil(w, r, next) {
			next.ServeHTTP(w, r)
		}
	})
	return f
}

// set says what happens to requests from now on. What it does with a request is done when it returns true.
func (f *front) set(spoil func(w http.ResponseWriter, r *http.Request, next http.Handler) (done bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spoil, f.seen = spoil, nil
}

// count returns how many requests of a method came since set.
func (f *front) count(method string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, request := range f.seen {
		if strings.HasPrefix(request, method+" ") {
			n++
		}
	}
	return n
}

// creates reports whether a request creates a revision.
func creates(r *http.Request) bool { return r.Method == http.MethodPut }

// unanswered has the server take a request and cuts the connection instead of passing the answer on.
func unanswered(r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// answer makes an S3 server's error up.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>made up</Message></Error>", code)
}

func TestOneLookIsOneRequest(t *testing.T) {
	server := newServer(t)
	f := newFront(t, server)
	b := open(t, at(f.addr))
	polls := func(what string, since state.Rev) {
		t.Helper()
		f.set(nil)
		for range 5 {
			if _, _, err := b.Next(t.Context(), since); !errors.Is(err, state.ErrUnchanged) {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if len(f.seen) != 5 || f.count(http.MethodGet) != 5 {
			t.Errorf("%s: 5 looks took %q", what, f.seen)
		}
	}
	polls("without a document", state.None)
	rev := must.Save(t, b, state.None, "one")
	polls("after a change of its own", rev)
	rev = must.Save(t, open(t, at(server.Addr)), rev, "two")
	wantText(t, b, "two")
	polls("after a change by another", rev)
	f.set(nil)
	must.Save(t, b, rev, "three")
	if len(f.seen) != 3 { // list, create, list; the store was tried with the first change
		t.Errorf("a change took %q", f.seen)
	}
}

// What docs/backends.md says about the size of an answer.
func TestAListingOfAllRevisionsIsSmall(t *testing.T) {
	server := newServer(t)
	f := newFront(t, server)
	saveMore(t, open(t, at(server.Addr)), kept+6)
	b := open(t, at(f.addr))
	size := 0
	f.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if !strings.Contains(r.URL.RawQuery, "list-type") {
			return false
		}
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		size = recorder.Body.Len()
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorder.Code)
		_, _ = bytes.NewReader(recorder.Body.Bytes()).WriteTo(w)
		return true
	})
	must.Read(t, b)
	t.Logf("a listing of all revisions has %d bytes", size)
	if size == 0 || size > 12_000 {
		t.Errorf("a listing of all revisions has %d bytes", size)
	}
}

func TestAWriterWhoseRequestIsHeldUpWhileItsNumberIsUsedAndRemovedDoesNotWin(t *testing.T) {
	server := newServer(t)
	f := newFront(t, server)
	slow, fast := open(t, at(f.addr)), open(t, at(server.Addr))
	saveMore(t, fast, 2)
	base := must.Read(t, slow)
	reached, release := make(chan struct{}), make(chan struct{})
	f.set(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if creates(r) {
			close(reached)
			<-release
		}
		return false
	})
	done := make(chan error, 1)
	go func() {
		_, err := slow.Save(t.Context(), base.Rev, []byte("too late"))
		done <- err
	}()
	<-reached
	last := saveMore(t, fast, kept+6) // of which the first six are removed again
	f.set(nil)
	close(release)
	if err := <-done; !errors.Is(err, state.ErrConflict) {
		t.Errorf("Save: %v", err)
	}
	wantText(t, slow, last)
	if created := f.count(http.MethodDelete); created != 1 {
		t.Errorf("what came too late was removed by %d requests", created)
	}
	keys := rigs.S3Keys(t, rigs.S3Operator(t, server.Addr), "recess")
	if len(keys) != kept || keys[0] != "recess/rev-00000009.json" {
		t.Errorf("%d objects stay, from %s on", len(keys), keys[0])
	}
}

func TestARequestWhoseAnswerIsLostIsNoConflict(t *testing.T) {
	for name, lose := range map[string]func(try int, r *http.Request, next http.Handler) (done bool){
		"the first answer": func(try int, r *http.Request, next http.Handler) bool {
			if try == 1 {
				unanswered(r, next)
			}
			return false
		},
		"every answer": func(_ int, r *http.Request, next http.Handler) bool {
			unanswered(r, next)
			return true
		},
		"the first request": func(try int, _ *http.Request, _ http.Handler) bool {
			if try == 1 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			f := newFront(t, server)
			b := open(t, at(f.addr))
			rev := must.Save(t, b, state.None, "one")
			tries := 0
			f.set(func(_ http.ResponseWriter, r *http.Request, next http.Handler) bool {
				if !creates(r) {
					return false
				}
				tries++
				return lose(tries, r, next)
			})
			rev = must.Save(t, b, rev, "two")
			if tries < 2 {
				t.Errorf("the client has not repeated the request: it tried %d times", tries)
			}
			f.set(nil)
			if doc := must.Read(t, open(t, at(server.Addr))); doc.Rev != rev || string(doc.Data) != "two" {
				t.Errorf("the document is %q, revision %q, want %q", doc.Data, doc.Rev, rev)
			}
		})
	}
}

func TestAnAnswerThatNeverComesLeavesItOpen(t *testing.T) {
	server := newServer(t)
	f := newFront(t, server)
	b := open(t, at(f.addr))
	rev := must.Save(t, b, state.None, "one")
	ctx, cancel := context.WithCancel(t.Context())
	f.set(func(_ http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if !creates(r) {
			return false
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	_, err := b.Save(ctx, rev, []byte("two"))
	if err == nil || errors.Is(err, state.ErrConflict) || !errors.Is(err, context.Canceled) {
		t.Errorf("Save: %v", err)
	}
	f.set(nil)
	wantText(t, b, "two")
}

func TestAStoreThatIgnoresTheConditionIsRefused(t *testing.T) {
	server := newServer(t)
	operator := rigs.S3Operator(t, server.Addr)
	f := newFront(t, server)
	f.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !creates(r) {
			return false
		}
		// A signature covers the header: what such a store does is done by the operator.
		key := strings.TrimPrefix(r.URL.Path, "/"+servers.S3Bucket+"/")
		if err := operator.WriteAll(r.Context(), key, []byte("whatever"), nil); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusOK)
		return true
	})
	_, err := open(t, at(f.addr)).Save(t.Context(), state.None, []byte("one"))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("Save: %v", err)
	}
	if keys := rigs.S3Keys(t, operator, "recess"); len(keys) != 0 {
		t.Errorf("left are %q", keys)
	}
}
