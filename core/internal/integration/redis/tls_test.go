package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// An authority makes certificates, as files in PEM.
type authority struct {
	dir, file string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.file, _ = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate and its key.
func (a *authority) sign(t *testing.T, name string, template *x509.Certificate) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.cert == nil {
		a.cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	must(t, err)
	if a.cert == template {
		a.cert, err = x509.ParseCertificate(der)
		must(t, err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

func (a *authority) server(t *testing.T) (cert, key string) {
	return a.sign(t, "server", &x509.Certificate{
		DNSNames: []string{"redis.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func (a *authority) client(t *testing.T) (cert, key string) {
	return a.sign(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func query(pairs ...string) string {
	values := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

func TestABackendOverTLSIsToldOfChanges(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.server(t)
	own, ownKey := a.client(t)
	server, addr := servers.RedisTLS(t, a.file, cert, key)
	url := "rediss://" + addr + query("tls_ca", a.file, "tls_cert", own, "tls_key", ownKey)
	rev := save(t, open(t, url), state.None, "first")
	got := waiting(t, open(t, url), rev, server.Addr, channel)
	save(t, open(t, url), rev, "second")
	if doc := take(t, got); string(doc.Data) != "second" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}

func TestWhatIsWrongWithTLSIsSaid(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	cert, key := a.server(t)
	own, ownKey := a.client(t)
	strange, strangeKey := stranger.client(t)
	server, addr := servers.RedisTLS(t, a.file, cert, key)
	_, port, _ := net.SplitHostPort(addr)
	mine := []string{"tls_cert", own, "tls_key", ownKey}
	for _, c := range []struct{ name, url, want string }{
		{"an authority nobody told of", "rediss://" + addr + query(mine...), "?tls_ca=FILE"},
		{"another authority", "rediss://" + addr + query(append(mine, "tls_ca", stranger.file)...), "?tls_ca=FILE"},
		{"another name", "rediss://localhost:" + port + query(append(mine, "tls_ca", a.file)...), "?tls_server_name=NAME"},
		{"no certificate of one's own", "rediss://" + addr + query("tls_ca", a.file), "?tls_cert=FILE"},
		{"a certificate of a stranger", "rediss://" + addr + query("tls_ca", a.file, "tls_cert", strange, "tls_key", strangeKey), "?tls_cert=FILE"},
		{"a port without TLS", "rediss://" + server.Addr + query(append(mine, "tls_ca", a.file, "timeout", "1s")...), "redis:"},
		{"a port with TLS, without TLS", "redis://" + addr, "rediss:"},
		{"the right name", "rediss://localhost:" + port + query(append(mine, "tls_ca", a.file, "tls_server_name", "redis.example")...), ""},
		{"no verification", "rediss://localhost:" + port + query(append(mine, "tls_skip_verify", "true")...), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.url)
			_, err := state.Read(t.Context(), b)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("Read: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Read: %v, want %q", err, c.want)
			}
			if c.want == "" {
				return
			}
			if _, _, err := b.Next(t.Context(), "1-x"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Next: %v, want %q", err, c.want)
			}
		})
	}
}

func TestARenewedCertificateIsUsedByTheNextConnection(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	cert, key := a.server(t)
	own, ownKey := stranger.client(t)
	_, addr := servers.RedisTLS(t, a.file, cert, key)
	b := open(t, "rediss://"+addr+query("tls_ca", a.file, "tls_cert", own, "tls_key", ownKey))
	if _, err := state.Read(t.Context(), b); err == nil {
		t.Fatal("the stranger's certificate was accepted")
	}
	renewed, renewedKey := a.client(t)
	must(t, os.Rename(renewed, own))
	must(t, os.Rename(renewedKey, ownKey))
	read(t, b)
}

// TestALookOverFrozenTLSGetsANewConnection: sockets under TLS do not say that the server has closed them.
func TestALookOverFrozenTLSGetsANewConnection(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.server(t)
	own, ownKey := a.client(t)
	server, addr := servers.RedisTLS(t, a.file, cert, key)
	link := proxy.New(t, addr)
	b := open(t, "rediss://"+link.Addr+query("timeout", "3s", "tls_ca", a.file, "tls_cert", own, "tls_key", ownKey))
	burst(t, b)
	link.Freeze()
	read(t, b)
	burst(t, b)
	server.Kill(t)
	server.Start(t)
	read(t, b)
}
