package httpstate_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// harness is the one for a server that start makes of a publisher. It returns how to open a backend on it.
func harness(tags bool, start func(t *testing.T, p *publisher) func(*testing.T) state.Backend) statetest.Harness {
	return statetest.Harness{
		ReadOnly: true,
		Resident: true, // a connection that is kept open
		Fresh: func(t *testing.T) statetest.Store {
			p := new(publisher)
			published := 0
			return statetest.Store{
				Open: start(t, p),
				Put: func(_ *testing.T, data []byte) {
					published++
					p.change(func(p *publisher) {
						p.data = data
						if tags {
							p.tag = fmt.Sprintf(`W/"%d"`, published)
						} else {
							p.date = time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
						}
					})
				},
				Looks: func() int { asked, _ := p.times(); return asked },
			}
		},
	}
}

func TestConformance(t *testing.T) {
	statetest.Run(t, harness(true, func(t *testing.T, p *publisher) func(*testing.T) state.Backend {
		return opener(serve(t, p).URL + "/recess.json?site=eu")
	}))
}

func TestConformanceWithDatesAlone(t *testing.T) {
	statetest.Run(t, harness(false, func(t *testing.T, p *publisher) func(*testing.T) state.Backend {
		return opener(serve(t, p).URL)
	}))
}

func TestConformanceOverTLS(t *testing.T) {
	statetest.Run(t, harness(true, func(t *testing.T, p *publisher) func(*testing.T) state.Backend {
		server := serveTLS(t, p)
		return opener(server.URL + "/recess.json#ca=" + authority(t, server))
	}))
}

func TestConformanceOverHTTP2(t *testing.T) {
	statetest.Run(t, harness(true, func(t *testing.T, p *publisher) func(*testing.T) state.Backend {
		server := serveTLS(t, p)
		return func(t *testing.T) state.Backend {
			b, err := httpstate.New(server.URL, httpstate.Config{Transport: server.Client().Transport})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}))
}

func opener(url string) func(*testing.T) state.Backend {
	return func(t *testing.T) state.Backend {
		b, err := state.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// serveTLS starts a server of TLS and HTTP/2 that ends with the test.
func serveTLS(t *testing.T, h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet // connections are given up in the middle of a handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// authority is a file with the certificate of a server.
func authority(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
