package postgres_test

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

	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{key: newKey(t), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate with its key, as files are.
func (a authority) issue(t *testing.T, template x509.Certificate) (cert, key []byte) {
	t.Helper()
	template.SerialNumber = big.NewInt(2)
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", raw)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestTLS(t *testing.T) {
	trusted, foreign := newAuthority(t), newAuthority(t)
	cert, key := trusted.issue(t, x509.Certificate{NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	own, ownKey := trusted.issue(t, x509.Certificate{NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: "sealed"}})
	config := rigs.PostgresConfig()
	config.Settings["ssl"], config.Settings["ssl_ca_file"] = "on", "ca.crt"
	config.Files = map[string][]byte{"server.crt": cert, "server.key": key, "ca.crt": encode("CERTIFICATE", trusted.cert.Raw)}
	config.Rules = []string{"hostssl all sealed 127.0.0.1/32 cert", "host all sealed 127.0.0.1/32 reject"}
	server := servers.Postgres(t, config)
	rigs.Postgres(t, server.Addr, "create user sealed in role recess")

	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, otherCA := file("ca", encode("CERTIFICATE", trusted.cert.Raw)), file("other", encode("CERTIFICATE", foreign.cert.Raw))
	byName := "localhost:" + server.Addr[len("127.0.0.1:"):] // the certificate is for the address
	url := func(user, addr, parameters string) string {
		return "postgres://" + user + "@" + addr + "/postgres?sslmode=verify-full&" + parameters
	}
	verified := open(t, url("recess", server.Addr, "application_name=verified&sslrootcert="+ca))
	works(t, verified, verified)
	const connections = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'verified'"
	all, encrypted := rigs.PostgresNumber(t, server.Addr, connections), rigs.PostgresNumber(t, server.Addr, connections+" and ssl")
	if all < 2 || encrypted != all {
		t.Errorf("of %d connections %d are encrypted, want all: those of the pool and the one that listens", all, encrypted)
	}
	sealed := open(t, url("sealed", server.Addr, "sslrootcert="+ca+"&sslcert="+file("cert", own)+"&sslkey="+file("key", ownKey)))
	works(t, sealed, sealed)

	for name, c := range map[string]struct{ url, word string }{
		"an authority that is not trusted": {url("recess", server.Addr, "sslrootcert="+otherCA), "sslrootcert"},
		"another host's certificate":       {url("recess", byName, "sslrootcert="+ca), "another host"},
		"no certificate of our own":        {url("sealed", server.Addr, "sslrootcert="+ca), "28000"},
	} {
		_, err := state.Read(t.Context(), open(t, c.url))
		refused(t, name, err, nil, c.word)
	}
	works(t, open(t, "postgres://recess@"+byName+"/postgres?sslmode=verify-ca&sslrootcert="+ca), verified)
}
