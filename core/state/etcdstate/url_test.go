package etcdstate

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
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestAStateURLSaysWhereAndHow(t *testing.T) {
	for text, want := range map[string]address{
		"//localhost":                            {endpoints: []string{"http://localhost:2379"}},
		"//localhost/":                           {endpoints: []string{"http://localhost:2379"}},
		"//10.0.0.1:12379?key=shop":              {endpoints: []string{"http://10.0.0.1:12379"}, config: Config{Key: "shop"}},
		"//[::1]/?key=%2Fapps%2Fshop":            {endpoints: []string{"http://[::1]:2379"}, config: Config{Key: "/apps/shop"}},
		"//a:1,b,[fe80::2]:3/":                   {endpoints: []string{"http://a:1", "http://b:2379", "http://[fe80::2]:3"}},
		"//u:p@localhost":                        {user: "u", password: "p", endpoints: []string{"http://localhost:2379"}},
		"//re%40cess:p%3A%2F%3F%23%25@localhost": {user: "re@cess", password: "p:/?#%", endpoints: []string{"http://localhost:2379"}},
		"//u:p:q@r@localhost":                    {user: "u", password: "p:q@r", endpoints: []string{"http://localhost:2379"}},
		"//localhost?timeout=1s500ms&probe=1m": {
			endpoints: []string{"http://localhost:2379"}, config: Config{Timeout: 1500 * time.Millisecond, Probe: time.Minute},
		},
	} {
		got, err := parse(text, false)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("etcd:%s is %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestAStateURLThatMakesNoSenseIsRefusedWithoutShowingAPassword(t *testing.T) {
	const secret = "s3cr3t"
	for text, want := range map[string]string{
		"etcd:localhost":                             "write the state URL as etcd://HOST",
		"etcds:/localhost":                           "write the state URL as etcds://HOST",
		"etcd://":                                    "host 1",
		"etcd:///?key=recess":                        "host 1",
		"etcd://a,,b":                                "host 2",
		"etcd://a b":                                 "host 1",
		"etcd://::1":                                 "host 1",
		"etcd://[::1":                                "host 1",
		"etcd://a:b":                                 "host 1",
		"etcd://a:":                                  "host 1",
		"etcd://a:0":                                 "port of host 1",
		"etcd://a,b:65536":                           "port of host 2",
		"etcd://a/recess":                            "?key=",
		"etcd://a/?key=b#c":                          "%23",
		"etcd://u:" + secret + "#1@a":                "%23",
		"etcd://u:" + secret + "/1@a":                "%2F",
		"etcd://u:" + secret + "?1@a":                "%3F",
		"etcd://u:" + secret + "%zz@a":               "%25",
		"etcd://u:" + secret + "@a:b":                "host 1",
		"etcd://u:" + secret + "@a?timeout=x":        "timeout",
		"etcd://" + secret + "@a":                    "name and a password",
		"etcd://:" + secret + "@a":                   "name and a password",
		"etcd://u:@a":                                "name and a password",
		"etcd://u:" + secret:                         "host 1",
		"etcd://a?keys=b":                            `"keys" is unknown: there are key, timeout, probe`,
		"etcd://a?key=b&key=c":                       "key is given 2 times",
		"etcd://a?key=":                              "key is empty",
		"etcd://a?key":                               "key is empty",
		"etcd://a?key=%00":                           "cannot be printed",
		"etcd://a?key=%zz":                           "query",
		"etcd://a?key=b;probe=1s":                    "query",
		"etcd://a?timeout=4":                         "timeout",
		"etcd://a?timeout=0s":                        "timeout",
		"etcd://a?probe=-1s":                         "probe",
		"etcd://a?tls_ca=ca.pem":                     "etcds",
		"etcd://a?tls_skip_verify=true":              "etcds",
		"etcds://a?tls_skip_verify=maybe":            "neither true nor false",
		"etcds://a?tls_ca=no-such-file":              "tls_ca: open no-such-file",
		"etcds://a?tls_ca=url_test.go":               "no certificate in PEM",
		"etcds://a?tls_cert=c.pem":                   "give both",
		"etcds://a?tls_key=k.pem":                    "give both",
		"etcds://a?tls_cert=no-such&tls_key=no-such": "tls_cert and tls_key: open no-such",
		"etcds://a?tls_cert=url_test.go&tls_key=url_test.go": "tls_cert and tls_key",
	} {
		b, err := state.Open(t.Context(), text)
		switch {
		case err == nil:
			_ = b.Close()
			t.Errorf("%s was opened", text)
		case !strings.HasPrefix(err.Error(), "etcdstate: open: ") || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", text, err, want)
		case strings.Contains(err.Error(), secret):
			t.Errorf("%s: the password is in the error: %v", text, err)
		}
	}
}

func TestOpeningNeitherConnectsNorWaits(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	came := make(chan struct{})
	go func() {
		if conn, err := listener.Accept(); err == nil {
			conn.Close()
			close(came)
		}
	}()
	for _, scheme := range []string{"etcd", "etcds"} {
		b, err := state.Open(t.Context(), fmt.Sprintf("%s://recess:s3cr3t@%s", scheme, listener.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
	}
	select {
	case <-came:
		t.Error("a connection was made before anything was asked")
	case <-time.After(50 * time.Millisecond):
	}
}

// certify writes a certificate that names whom it is for, its key, and returns their paths.
func certify(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLSComesFromTheURL(t *testing.T) {
	cert, key := certify(t, t.TempDir(), "recess")
	values := url.Values{"tls_ca": {cert}, "tls_cert": {cert}, "tls_key": {key}, "tls_server_name": {"etcd.example"}}
	a, err := parse("//localhost?"+values.Encode(), true)
	if err != nil {
		t.Fatal(err)
	}
	if a.endpoints[0] != "https://localhost:2379" || a.serverName != "etcd.example" || a.tls.RootCAs == nil || a.tls.InsecureSkipVerify {
		t.Errorf("%+v", a)
	}
	if a, err = parse("//localhost?tls_skip_verify=true", true); err != nil || !a.tls.InsecureSkipVerify || a.tls.MinVersion < tls.VersionTLS12 {
		t.Errorf("%+v, %v", a.tls, err)
	}
	if a, err = parse("//localhost", true); err != nil || a.tls == nil || a.tls.InsecureSkipVerify || a.tls.RootCAs != nil {
		t.Errorf("%+v, %v", a.tls, err)
	}
}

func TestARenewedCertificateIsUsedForTheNextConnection(t *testing.T) {
	dir := t.TempDir()
	cert, key := certify(t, dir, "first")
	a, err := parse("//localhost?"+url.Values{"tls_cert": {cert}, "tls_key": {key}}.Encode(), true)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, dir, "second")
	pair, err := a.tls.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil || pair.Leaf.Subject.CommonName != "second" {
		t.Errorf("%v, %v", pair, err)
	}
}
