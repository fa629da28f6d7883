package mariadb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// everyPassword tries every character that a keyboard has, in the password and in the user's name, as it must be escaped
// and with everything escaped.
func everyPassword(t *testing.T, rig rigs.Rig) {
	var all strings.Builder
	for c := ' '; c <= '~'; c++ {
		all.WriteRune(c)
	}
	escaped := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		return b.String()
	}
	passwords := []string{"", all.String(), "ä€🚧", "%41", "a@tcp(b)/c?d=e", "/", ":", "@", "?", "#", "@/:?#@/", "tail ", " "}
	for _, password := range passwords {
		for _, user := range []string{"plain", "o'b@x/y?z"} {
			run(t, rig.Server, fmt.Sprintf("CREATE OR REPLACE USER %s@'%%' IDENTIFIED BY %s", quote(user), quote(password)),
				fmt.Sprintf("GRANT SELECT ON recess.recess TO %s@'%%'", quote(user)))
			for _, account := range []string{url.UserPassword(user, password).String(), escaped(user) + ":" + escaped(password)} {
				if _, err := state.Read(t.Context(), open(t, "mysql://"+account+"@"+rig.Server.Addr+"/recess")); err != nil {
					t.Errorf("user %q, password %q, written %q: %v", user, password, account, err)
				}
			}
		}
	}
	run(t, rig.Server, "CREATE DATABASE `a/b?c%d@e`", "CREATE TABLE `a/b?c%d@e`.recess LIKE recess.recess")
	if _, err := state.Read(t.Context(), open(t, "mysql://admin@"+rig.Server.Addr+"/a%2Fb%3Fc%25d%40e")); err != nil {
		t.Errorf("a database with a name of its own: %v", err)
	}
}

func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func unixSocket(t *testing.T, rig rigs.Rig) {
	b := open(t, "mysql://admin@/recess?socket="+url.QueryEscape(filepath.Join(rig.Server.Dir, "socket")))
	must.Save(t, b, state.None, "over the socket")
	doc := must.Read(t, open(t, rig.URL(rig.Server.Addr)))
	if string(doc.Data) != "over the socket" {
		t.Errorf("the document is %q", doc.Data)
	}
}

// galeraSetting needs no cluster: a server that is none knows the setting, and refuses another value.
func galeraSetting(t *testing.T, rig rigs.Rig) {
	run(t, rig.Server, "SET GLOBAL general_log = 1", "SET GLOBAL log_output = 'TABLE'")
	defer run(t, rig.Server, "SET GLOBAL general_log = 0", "TRUNCATE mysql.general_log")
	for _, wait := range []string{"", "&wsrep_sync_wait=1"} {
		before := number(t, rig.Server, "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SET %wsrep_sync_wait = 1%'")
		must.Read(t, open(t, rig.URL(rig.Server.Addr)+wait))
		set := number(t, rig.Server, "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SET %wsrep_sync_wait = 1%'") - before
		if want := len(wait) / len("&wsrep_sync_wait=1"); set != want {
			t.Errorf("%q: it was set %d times, want %d", wait, set, want)
		}
	}
}

// TestTLS: the user can log in over TLS alone.
func TestTLS(t *testing.T) {
	dir, err := os.MkdirTemp("", "recess-tls-") // the server is another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	authority := certify(t, dir)
	server := servers.MariaDB(t, nil, "--ssl-cert="+filepath.Join(dir, "cert.pem"), "--ssl-key="+filepath.Join(dir, "key.pem"))
	run(t, server, "CREATE USER careful@'%' IDENTIFIED BY 'hunter2' REQUIRE SSL", "GRANT ALL ON recess.* TO careful@'%'")
	base := "mysql://careful:hunter2@" + server.Addr + "/recess"
	if err := open(t, "mysql://admin@"+server.Addr+"/recess").Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	_, err = state.Read(t.Context(), open(t, base))
	refused(t, "without tls", err, nil, "Error 1045")
	_, err = state.Read(t.Context(), open(t, base+"?tls=true"))
	refused(t, "an authority that is not known", err, nil, "certificate", "SSL_CERT_FILE", "mysql.RegisterTLSConfig")
	_, err = state.Open(t.Context(), base+"?tls=recess-test")
	refused(t, "a configuration that is not registered", err, nil, "RegisterTLSConfig")
	for name, config := range map[string]*tls.Config{
		"recess-test":  {RootCAs: authority},
		"recess-other": {RootCAs: authority, ServerName: "elsewhere"},
	} {
		if err := mysql.RegisterTLSConfig(name, config); err != nil {
			t.Fatal(err)
		}
		defer mysql.DeregisterTLSConfig(name)
	}
	for _, mode := range []string{"recess-test", "skip-verify", "preferred"} {
		if _, err := state.Read(t.Context(), open(t, base+"?tls="+mode)); err != nil {
			t.Errorf("tls=%s: %v", mode, err)
		}
	}
	_, err = state.Read(t.Context(), open(t, base+"?tls=recess-other"))
	refused(t, "another host's certificate", err, nil, "certificate", "elsewhere")
}

// certify writes a certificate for the loopback address, and returns the authority that signed it: itself.
func certify(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "recess test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		text := pem.EncodeToMemory(block)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
		if name == "cert.pem" && !pool.AppendCertsFromPEM(text) {
			t.Fatal("the certificate cannot be read back")
		}
	}
	return pool
}
