// Package certs makes the certificates of a test that speaks TLS.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
)

// An Authority signs certificates. They hold for an hour, and are files in PEM: NAME.crt and NAME.key.
type Authority struct {
	Dir  string            // of all files; it goes with the test
	File string            // its own certificate
	Cert *x509.Certificate // the same
	key  *ecdsa.PrivateKey
}

// New returns an authority that nobody else trusts.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Dir: t.TempDir()}
	a.File, _ = a.Sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// Server makes the certificate of a server at 127.0.0.1 that has these names too, and its key.
func (a *Authority) Server(t testing.TB, names ...string) (cert, key string) {
	t.Helper()
	return a.Sign(t, "server", &x509.Certificate{
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// Client makes the certificate of a client, whose common name it is, and its key.
func (a *Authority) Client(t testing.TB, name string) (cert, key string) {
	t.Helper()
	return a.Sign(t, name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Sign makes a certificate of which the template says what is special, and its key. The first one is the authority's own.
func (a *Authority) Sign(t testing.TB, name string, template *x509.Certificate) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must.Do(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.Cert == nil {
		a.Cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, private.Public(), a.key)
	must.Do(t, err)
	if a.Cert == template {
		a.Cert, err = x509.ParseCertificate(der)
		must.Do(t, err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	must.Do(t, err)
	return a.write(t, name+".crt", "CERTIFICATE", der), a.write(t, name+".key", "EC PRIVATE KEY", secret)
}

func (a *Authority) write(t testing.TB, name, kind string, der []byte) (path string) {
	t.Helper()
	path = filepath.Join(a.Dir, name)
	must.Do(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}
