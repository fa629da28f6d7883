package etcd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/certs"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
)

// A guarded server speaks TLS, asks for certificates of its authority, and has authentication on. The certificate in
// root.crt, which is the user root's, may do everything.
type guarded struct {
	*servers.Server
	*certs.Authority
	operator clientv3.Config
	root     *clientv3.Client
}

func guard(t *testing.T) guarded {
	t.Helper()
	g := guarded{Authority: certs.New(t)}
	cert, key := issue(t, g.Authority, "server", net.IPv4(127, 0, 0, 1))
	g.Server = servers.Etcd(t, "-cert", cert, "-key", key, "-ca", g.File, "-bcrypt-cost", "4")
	cert, key = issue(t, g.Authority, "root")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(g.Cert)
	g.operator = clientv3.Config{
		Endpoints: []string{"https://" + g.Addr}, TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}},
	}
	g.root = rigs.EtcdClient(t, g.operator)
	done(g.root.UserAddWithOptions(t.Context(), "root", "", &clientv3.UserAddOptions{NoPassword: true}))(t)
	done(g.root.UserGrantRole(t.Context(), "root", "root"))(t)
	done(g.root.AuthEnable(t.Context()))(t)
	issue(t, g.Authority, "nobody")
	return g
}

func done[T any](_ T, err error) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// issue makes a certificate for both sides, as the server needs too, and its key.
func issue(t *testing.T, a *certs.Authority, name string, ips ...net.IP) (cert, key string) {
	t.Helper()
	return a.Sign(t, name, &x509.Certificate{
		DNSNames: []string{name + ".example"}, IPAddresses: ips, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

func (g guarded) path(name string) string { return filepath.Join(g.Authority.Dir, name) }

// url is a state URL with the certificate of one user, and another one's name and password if user is not nil.
func (g guarded) url(certificate string, user *url.Userinfo, key string) string {
	query := url.Values{"key": {key}, "tls_ca": {g.File}}
	if certificate != "" {
		query["tls_cert"], query["tls_key"] = []string{g.path(certificate + ".crt")}, []string{g.path(certificate + ".key")}
	}
	return (&url.URL{Scheme: "etcds", User: user, Host: g.Addr, RawQuery: query.Encode()}).String()
}

// grant makes a user who has exactly the rights that docs/backends.md lists for a key, and returns how to be that user.
func (g guarded) grant(t *testing.T, name, key string) *url.Userinfo {
	t.Helper()
	instances := key + "/instances/"
	done(g.root.RoleAdd(t.Context(), name))(t)
	done(g.root.RoleGrantPermission(t.Context(), name, key, "", clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	done(g.root.RoleGrantPermission(t.Context(), name, instances, clientv3.GetPrefixRangeEnd(instances),
		clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	done(g.root.UserAdd(t.Context(), name, "s3cr3t/?#@%"))(t)
	done(g.root.UserGrantRole(t.Context(), name, name))(t)
	return url.UserPassword(name, "s3cr3t/?#@%")
}

func TestTheDocumentedRightsAreEnough(t *testing.T) {
	g := guard(t)
	users := make(map[string]*url.Userinfo)
	statetest.Run(t, rigs.EtcdHarness(g.operator, func(t *testing.T, key string) state.Backend {
		t.Helper()
		if users[key] == nil {
			users[key] = g.grant(t, "of-"+key, key)
		}
		b, err := state.Open(t.Context(), g.url("nobody", users[key], key))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}))
}

func TestACertificateThatNamesAUserNeedsNoPassword(t *testing.T) {
	g := guard(t)
	g.grant(t, "shop", "recess")
	issue(t, g.Authority, "shop")
	b := open(t, g.url("shop", nil, "recess"))
	must.Save(t, b, state.None, document(1))
	announce(t, b, "web-1", "", time.Minute)
	if _, err := state.Read(t.Context(), open(t, g.url("shop", nil, "another"))); err == nil || !strings.Contains(err.Error(), "role grant-permission ROLE read another") {
		t.Errorf("another application's document: %v", err)
	}
}

func TestATokenThatTheServerHasForgottenIsReplaced(t *testing.T) {
	g := guard(t)
	b := open(t, g.url("nobody", g.grant(t, "shop", "recess"), "recess"))
	rev := must.Save(t, b, state.None, document(1))
	announce(t, b, "web-1", "", time.Minute)
	told := following(t, b, rev)
	g.Kill(t)
	g.Start(t) // simple tokens are kept in memory
	announce(t, b, "web-1", "", time.Minute)
	must.Save(t, b, rev, document(2))
	if doc := <-told; string(doc.Data) != string(document(2)) {
		t.Errorf("the follower sees %q", doc.Data)
	}
}

func TestWhoMayOnlyReadFollowsAndIsToldThatItCannotWrite(t *testing.T) {
	g := guard(t)
	done(g.root.RoleAdd(t.Context(), "reader"))(t)
	done(g.root.RoleGrantPermission(t.Context(), "reader", "recess", "", clientv3.PermissionType(clientv3.PermRead)))(t)
	done(g.root.UserAdd(t.Context(), "reader", "secret"))(t)
	done(g.root.UserGrantRole(t.Context(), "reader", "reader"))(t)
	b := open(t, g.url("nobody", url.UserPassword("reader", "secret"), "recess"))
	told := following(t, b, state.None)
	done(g.root.Put(t.Context(), "recess", string(document(1))))(t)
	doc := <-told
	if string(doc.Data) != string(document(1)) {
		t.Errorf("the reader sees %q", doc.Data)
	}
	_, err := b.Save(t.Context(), doc.Rev, document(2))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "role grant-permission ROLE readwrite recess") {
		t.Errorf("Save: %v", err)
	}
	_, err = b.Announce(t.Context(), "web-1", nil, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "role grant-permission ROLE --prefix readwrite recess/instances/") {
		t.Errorf("Announce: %v", err)
	}
}

func TestWhoIsNotLetInIsToldWhy(t *testing.T) {
	g := guard(t)
	shop := g.grant(t, "shop", "recess")
	foreign := certs.New(t)
	cert, key := issue(t, foreign, "shop")
	good := g.url("nobody", shop, "recess")
	with := func(name, value string) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set(name, value)
		u.RawQuery = query.Encode()
		return u.String()
	}
	plain := servers.Etcd(t)
	for name, c := range map[string]struct{ url, want string }{
		"the wrong password":                 {g.url("nobody", url.UserPassword("shop", "wrong-s3cr3t"), "recess"), "check the user and the password"},
		"no such user":                       {g.url("nobody", url.UserPassword("nobody", "wrong-s3cr3t"), "recess"), "check the user and the password"},
		"a certificate that names no user":   {g.url("nobody", nil, "recess"), "permission denied"},
		"no certificate":                     {g.url("", shop, "recess"), "see tls_cert"},
		"a certificate of a foreign one":     {strings.NewReplacer(url.QueryEscape(g.path("nobody.crt")), url.QueryEscape(cert), url.QueryEscape(g.path("nobody.key")), url.QueryEscape(key)).Replace(good), "see tls_cert"},
		"a server of a foreign authority":    {with("tls_ca", foreign.File), "name the file of the server's certificate authority"},
		"a server of another name":           {with("tls_server_name", "other.example"), "give its name as tls_server_name"},
		"no TLS to a server that speaks it":  {"etcd://" + g.Addr, "write etcds: for etcd:"},
		"TLS to a server that speaks none":   {"etcds://" + plain.Addr, "write etcd: for etcds:"},
		"the port of members for each other": {"etcd://" + peerOf(t, plain), "their port is 2379"},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, c.url)
			for what, call := range map[string]func(context.Context) error{
				"Read": func(ctx context.Context) error { _, err := state.Read(ctx, b); return err },
				"Next": func(ctx context.Context) error { _, _, err := b.Next(ctx, state.None); return err },
				"Save": func(ctx context.Context) error { _, err := b.Save(ctx, state.None, document(1)); return err },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				err := call(ctx)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want %q", what, err, c.want)
				}
				if err != nil && strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("%s: the password is in the error: %v", what, err)
				}
			}
		})
	}
	if _, err := state.Read(t.Context(), open(t, with("tls_server_name", "server.example"))); err != nil {
		t.Errorf("by the other name of the server: %v", err)
	}
	if _, err := state.Read(t.Context(), open(t, "etcd://"+plain.Addr)); err != nil {
		t.Errorf("without anything where nothing is needed: %v", err)
	}
}

// peerOf is where a server listens for other members.
func peerOf(t *testing.T, server *servers.Server) string {
	t.Helper()
	members, err := rigs.EtcdClient(t, by(server)).MemberList(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(members.Members[0].PeerURLs[0], "http://")
}
