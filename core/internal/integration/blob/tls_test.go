package blob_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/state"
)

func TestTheServersCertificateMustBeTrusted(t *testing.T) {
	server := newServer(t)
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	secured := httptest.NewUnstartedServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: server.Addr})
		r.Out.Host = r.In.Host
	}})
	secured.EnableHTTP2 = true
	secured.StartTLS()
	defer secured.Close()
	link := proxy.New(t, strings.TrimPrefix(secured.URL, "https://"))
	stateURL := strings.Replace(at(link.Addr), "http://", "https://", 1)

	_, err := state.Read(t.Context(), open(t, stateURL))
	if err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("a certificate of nobody was trusted: %v", err)
	}

	file := filepath.Join(t.TempDir(), "authority.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	b := open(t, stateURL)
	wantText(t, b, saveMore(t, b, 2))
	if link.Open() == 0 {
		t.Fatal("no connection was kept")
	}

	// HTTP/2 would go on with a connection that is half open.
	impatient := open(t, strings.Replace(stateURL, "timeout=1m", "timeout=5s", 1))
	doc, err := state.Read(t.Context(), impatient)
	if err != nil {
		t.Fatal(err)
	}
	link.Freeze()
	if _, err := state.Read(t.Context(), impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over a frozen link: %v", err)
	}
	var again state.Doc
	for range 2 { // on a busy machine net/http may not have forgotten the first look when the second begins
		if again, err = state.Read(t.Context(), impatient); err == nil {
			break
		}
	}
	if err != nil || again.Rev != doc.Rev {
		t.Errorf("the look after that: %v", err)
	}
	link.Cut()
	if err := impatient.Close(); err != nil {
		t.Error(err)
	}

	if err := b.Close(); err != nil {
		t.Error(err)
	}
	untilClosed(t, link)
}

// untilClosed waits until no connection is left; the client by itself takes a minute and a half to close them.
func untilClosed(t *testing.T, link *proxy.Proxy) {
	t.Helper()
	for deadline := time.Now().Add(patience / 3); link.Open() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", link.Open())
		}
	}
}
