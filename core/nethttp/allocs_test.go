package nethttp_test

import (
	"net/http"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/page"
)

func TestAllocations(t *testing.T) {
	adaptertest.Allocs(t, adaptertest.Meter{
		Bare: func(testing.TB) func() { return drive(orders()) },
		Branch: func(_ testing.TB, answer *page.Answer) func() {
			return drive(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for _, f := range answer.Header {
					w.Header()[f.Name] = f.Value
				}
				w.WriteHeader(answer.Status)
				_, _ = w.Write(answer.Body)
			}))
		},
		Gated: func(t testing.TB, engine *recess.Engine) func() {
			gate, err := nethttp.New(engine, nethttp.Hooks{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return drive(gate.Middleware(orders()))
		},
	})
}

func orders() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return mux
}

// drive returns a function that puts the same request through a handler again and again.
func drive(handler http.Handler) func() {
	r, _ := http.NewRequest(http.MethodGet, "/orders", nil)
	r.RemoteAddr = "127.0.0.1:40000"
	w := &sink{header: make(http.Header)}
	return func() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

// sink is a response that is not looked at.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}
