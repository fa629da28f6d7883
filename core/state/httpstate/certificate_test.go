package httpstate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
)

// issue writes a certificate of its own signature for a name, and its key.
func issue(t *testing.T, name, certPath, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClientCanShowACertificateAndRenewIt(t *testing.T) {
	p := &publisher{data: []byte("on")}
	server := httptest.NewUnstartedServer(p)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = quiet
	server.Config.SetKeepAlivesEnabled(false)
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, "first", cert, key)
	ca := authority(t, server)
	b := open(t, server.URL+"#ca="+ca+"&cert="+cert+"&key="+key)
	shown := func() string { return p.last().TLS.PeerCertificates[0].Subject.CommonName }
	read(t, b)
	if got := shown(); got != "first" {
		t.Errorf("it shows the certificate of %q", got)
	}
	issue(t, "second", cert, key)
	read(t, b) // the server would take the session up again
	if got := shown(); got != "second" {
		t.Errorf("once it was renewed it shows that of %q", got)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	fails(t, b, "the client certificate: open "+key)
	fails(t, open(t, server.URL+"#ca="+ca), "certificate required")
}

// TestACertificateIsShownToTheURLsOwnHostAlone, and not to where that sends a look, whoever asks for one there.
func TestACertificateIsShownToTheURLsOwnHostAlone(t *testing.T) {
	shown := make(map[string]int) // certificates, by the path that was asked for
	serve := func(handler http.HandlerFunc) *httptest.Server {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			shown[r.URL.Path] = len(r.TLS.PeerCertificates)
			handler(w, r)
		}))
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.Config.ErrorLog = quiet
		server.StartTLS()
		t.Cleanup(server.Close)
		return server
	}
	document := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("on")) }
	elsewhere := serve(document)
	mux := http.NewServeMux()
	mux.Handle("/near", http.RedirectHandler("/here", http.StatusFound))
	mux.HandleFunc("/here", document)
	mux.Handle("/far", http.RedirectHandler(elsewhere.URL+"/there", http.StatusFound))
	own := serve(mux.ServeHTTP)

	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, "client", cert, key)
	trust := "#ca=" + authority(t, own) + "&cert=" + cert + "&key=" + key // both servers have httptest's certificate
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	handedIn := httpstate.Config{TLS: &tls.Config{
		RootCAs: own.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Certificates: []tls.Certificate{pair},
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}}
	for name, open := range map[string]func(path string) state.Backend{
		"by the URL":       func(path string) state.Backend { return open(t, own.URL+path+trust) },
		"by configuration": func(path string) state.Backend { return backend(t, own.URL+path, handedIn) },
	} {
		clear(shown)
		read(t, open("/near"))
		read(t, open("/far"))
		if want := map[string]int{"/near": 1, "/here": 1, "/far": 1, "/there": 0}; !maps.Equal(shown, want) {
			t.Errorf("%s: certificates were shown to %v, want %v", name, shown, want)
		}
	}
}
