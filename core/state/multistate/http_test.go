package multistate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/httpstate"
	"github.com/recess-go/recess/core/state/memstate"
)

// TestAnEngineFollowsAFileWhileAServerIsAway: over a real server, which fails in each of three ways and comes back.
func TestAnEngineFollowsAFileWhileAServerIsAway(t *testing.T) {
	for name, away := range map[string]func(w http.ResponseWriter, r *http.Request){
		"it fails":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"it is cut off":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"it hangs":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"it is read-only": nil, // as it always is
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var isAway atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if isAway.Load() {
					away(w, r)
					return
				}
				fmt.Fprint(w, "off")
			}))
			defer server.Close()
			path := filepath.Join(t.TempDir(), "recess.json")
			put(t, opened(t, "file:"+path), document(t, 1, 1, true))
			url := strings.Replace(server.URL, "//", "//user:hunter2@", 1)
			b := opened(t, "multi:"+url+" file:"+path)
			if away == nil {
				_, err := b.Save(t.Context(), state.None, document(t, 1, 2, false))
				if !errors.Is(err, state.ErrReadOnly) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("Save: %v", err)
				}
				return
			}
			e, err := recess.New(t.Context(), recess.Config{Backend: b, Poll: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			changed := make(chan struct{}, 1)
			defer e.Subscribe(func(_, _ recess.Situation) {
				select {
				case changed <- struct{}{}:
				default:
				}
			})()
			until := func(active bool) {
				t.Helper()
				deadline := time.After(60 * time.Second)
				for s := e.Situation(); s.Active() != active; s = e.Situation() {
					select {
					case <-changed:
					case <-deadline:
						t.Fatalf("it follows %+v", e.Situation().Follower)
					}
				}
			}
			for range 2 {
				until(false)
				isAway.Store(true)
				until(true)
				if from := e.Situation().Follower.Source; from != "file:"+path {
					t.Errorf("it is read from %q", from)
				}
				if text := e.Situation().Follower.LastError; strings.Contains(text, "hunter2") {
					t.Errorf("the status shows the secret: %s", text)
				}
				isAway.Store(false)
			}
			until(false)
		})
	}
}

// unending is a backend whose Close does not come back.
type unending struct {
	state.Backend
	release chan struct{}
}

func (u *unending) Close() error { <-u.release; return nil }

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unending{memstate.New(memstate.Config{}), make(chan struct{})}
		sound := memstate.New(memstate.Config{})
		state.Register("unending", func(context.Context, string) (state.Backend, error) { return u, nil })
		state.Register("sound", func(context.Context, string) (state.Backend, error) { return sound, nil })
		b, err := state.Open(t.Context(), "multi:unending: sound:")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := b.Close(); err == nil || !strings.Contains(err.Error(), "not all backends have ended within 5s") || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if _, err := state.Read(t.Context(), sound); !errors.Is(err, state.ErrClosed) {
			t.Errorf("the other one is open: %v", err)
		}
		close(u.release)
	})
}
