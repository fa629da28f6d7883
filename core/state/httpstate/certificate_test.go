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
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
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
	server.TLS.SetSessionTicketKeys([][32]byte{{1}}) // the server forgets the sessions that it knows
	read(t, b)
	if got := shown(); got != "second" {
		t.Errorf("once it was renewed it shows that of %q", got)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	server.TLS.SetSessionTicketKeys([][32]byte{{2}})
	fails(t, b, "the client certificate: open "+key)
	fails(t, open(t, server.URL+"#ca="+ca), "certificate required")
}
