package nats_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/recess-go/recess/core/internal/integration/certs"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// The permissions to publish that docs/backends.md lists, for the default bucket and key.
var (
	toFollow = []string{
		"$JS.API.STREAM.INFO.KV_recess",
		"$JS.API.STREAM.MSG.GET.KV_recess",
		"$JS.API.CONSUMER.CREATE.KV_recess.*.$KV.recess.recess",
	}
	toChange   = []string{"$KV.recess.recess"}
	toAnnounce = []string{
		"$KV.recess-instances.recess.*",
		"$JS.API.STREAM.INFO.KV_recess-instances",
	}
	toList = []string{
		"$JS.API.STREAM.INFO.KV_recess-instances",
		"$JS.API.STREAM.MSG.GET.KV_recess-instances",
	}
	toMigrate = []string{
		"$JS.API.STREAM.INFO.KV_recess",
		"$JS.API.STREAM.INFO.KV_recess-instances",
		"$JS.API.STREAM.CREATE.KV_recess",
		"$JS.API.STREAM.CREATE.KV_recess-instances",
	}
	toHear = []string{"_INBOX.>"}
)

// user is a line of the server's configuration: somebody with a password and these permissions alone.
func user(name string, publish, subscribe []string) string {
	list := func(subjects []string) string { return `["` + strings.Join(subjects, `", "`) + `"]` }
	return fmt.Sprintf(`{user: %s, password: secret-%s, permissions: {publish: %s, subscribe: %s}}`, name, name, list(publish), list(subscribe))
}

func users(lines ...string) string {
	return "authorization { users: [\n" + strings.Join(lines, "\n") + "\n] }"
}

func all(lists ...[]string) (subjects []string) {
	for _, list := range lists {
		subjects = append(subjects, list...)
	}
	return subjects
}

// without is all but the permissions for one subject.
func without(subject string, lists ...[]string) (subjects []string) {
	for _, s := range all(lists...) {
		if s != subject {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

// TestTheDocumentedPermissionsSuffice, and nothing can be taken from them.
func TestTheDocumentedPermissionsSuffice(t *testing.T) {
	t.Parallel()
	lines := []string{
		user("migrator", toMigrate, toHear),
		user("follower", toFollow, toHear),
		user("instance", all(toFollow, toAnnounce), toHear),
		user("timeless", toAnnounce[:1], toHear),
		user("operator", all(toFollow, toChange, toList), toHear),
		user("deaf", all(toFollow, toChange), []string{"other.>"}),
		user("private", all(toFollow, toChange), []string{"_INBOX_private.>"}),
	}
	reading := func(b state.Backend) error { _, err := state.Read(t.Context(), b); return err }
	watching := func(b state.Backend) error { _, _, err := b.Next(t.Context(), must.Read(t, b).Rev); return err }
	saving := func(b state.Backend) error {
		_, err := b.Save(t.Context(), must.Read(t, b).Rev, []byte("x"))
		return err
	}
	announcing := func(b state.Backend) error {
		_, err := b.(state.Presence).Announce(t.Context(), "web-1", []byte("x"), time.Hour)
		return err
	}
	listing := func(b state.Backend) error { _, err := b.(state.Presence).Instances(t.Context()); return err }
	migrating := func(b state.Backend) error { return b.(state.Migrator).Migrate(t.Context()) }
	type lack struct {
		subject string
		use     func(b state.Backend) error // what fails without it
	}
	// The first two show only as long as there are no buckets, and the second makes one of them.
	lacks := []lack{
		{toMigrate[2], migrating},
		{toMigrate[3], migrating},
		{toFollow[0], reading},
		{toFollow[1], reading},
		{toFollow[2], watching},
		{toChange[0], saving},
		{toAnnounce[0], announcing},
		{toList[0], listing},
		{toList[1], listing},
	}
	for n, l := range lacks {
		granted := without(l.subject, toFollow, toChange, toAnnounce, toList, toMigrate)
		lines = append(lines, user(fmt.Sprintf("lacks-%d", n), granted, toHear))
	}
	server := servers.NATS(t, servers.NATSConfig{Lines: []string{users(lines...)}})
	as := func(t *testing.T, name, query string) state.Backend {
		return open(t, fmt.Sprintf("nats://%s:secret-%s@%s%s", name, name, server.Addr, query))
	}
	check := func(n int, l lack) {
		t.Run("without "+l.subject, func(t *testing.T) {
			began := time.Now()
			err := l.use(as(t, fmt.Sprintf("lacks-%d", n), "?timeout=1m"))
			if err == nil || !strings.Contains(err.Error(), "the user may not publish to "+l.subject+": allow it") {
				t.Error(err)
			}
			if l.subject == toChange[0] != errors.Is(err, state.ErrReadOnly) {
				t.Errorf("ErrReadOnly? %v", err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v to find out", took)
			}
		})
	}
	for n, l := range lacks[:2] {
		check(n, l)
	}
	must.Do(t, migrating(as(t, "migrator", "")))
	must.Do(t, saving(as(t, "operator", "")))

	t.Run("to follow", func(t *testing.T) {
		f := follow(t, as(t, "follower", ""))
		f.sees(t, "x")
		replace(t, as(t, "operator", ""), "y")
		f.sees(t, "y")
		if n, err := f.failed(); n > 0 {
			t.Errorf("the follower failed %d times, last with %v", n, err)
		}
	})
	t.Run("to change nothing", func(t *testing.T) {
		if err := saving(as(t, "follower", "")); !errors.Is(err, state.ErrReadOnly) {
			t.Errorf("Save: %v, want ErrReadOnly", err)
		}
	})
	t.Run("to announce", func(t *testing.T) {
		b := as(t, "instance", "")
		must.Do(t, reading(b))
		at, err := b.(state.Presence).Announce(t.Context(), "web-1", []byte("x"), time.Hour)
		if err != nil || at.IsZero() {
			t.Errorf("Announce: %v, at %v", err, at)
		}
		must.Do(t, b.(state.Presence).Withdraw(t.Context(), "web-2"))
		at, err = as(t, "timeless", "").(state.Presence).Announce(t.Context(), "web-1", []byte("x"), time.Hour)
		if err != nil || !at.IsZero() {
			t.Errorf("Announce without the permission that tells the time: %v, at %v", err, at)
		}
	})
	t.Run("to list", func(t *testing.T) {
		instances, err := as(t, "operator", "").(state.Presence).Instances(t.Context())
		if err != nil || len(instances) != 1 {
			t.Errorf("Instances: %v, %v", instances, err)
		}
	})
	t.Run("to hear answers elsewhere", func(t *testing.T) {
		must.Do(t, saving(as(t, "private", "?inbox=_INBOX_private")))
		for name, b := range map[string]state.Backend{"nowhere": as(t, "deaf", ""), "not here": as(t, "private", "")} {
			if err := reading(b); err == nil || !strings.Contains(err.Error(), "inbox=PREFIX") {
				t.Errorf("an answer that may be heard %s: %v", name, err)
			}
		}
	})
	for n, l := range lacks[2:] {
		check(n+2, l)
	}
}

func TestWhatIsWrongWithTheServerIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, query string
		lines       []string
		want        string
	}{
		{"no JetStream", "", []string{"jetstream: disabled"}, "JetStream"},
		{"an account without JetStream", "", []string{
			"accounts { A { users: [{user: a, password: a}] }, S { jetstream: enabled, users: [{user: s, password: s}] } }", "no_auth_user: a",
		}, "JetStream is not enabled for this account"},
		{"another domain", "?domain=elsewhere", []string{"jetstream { domain: here }"}, "the domain is wrong"},
		{"no room", "", []string{
			"accounts { A { jetstream { max_store: 1K, max_mem: 1K }, users: [{user: a, password: a}] } }", "no_auth_user: a",
		}, "do not suffice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := servers.NATS(t, servers.NATSConfig{Lines: c.lines})
			b := open(t, "nats://"+server.Addr+c.query)
			_, err := state.Read(t.Context(), b)
			if c.name == "no room" {
				must.Do(t, b.Migrate(t.Context()))
				err = nil
				for n, rev := 0, state.None; n < 100 && err == nil; n++ {
					rev, err = b.Save(t.Context(), rev, make([]byte, 2000))
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestADocumentThatTheServerDoesNotTakeIsSaidToBeTooLarge(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{Lines: []string{"max_payload: 10000"}, SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	rev := must.Save(t, b, state.None, "first")
	if _, err := b.Save(t.Context(), rev, make([]byte, 20000)); err == nil || !strings.Contains(err.Error(), "max_payload, which is 10000") {
		t.Errorf("Save: %v", err)
	}
	stream, err := rigs.NATSClient(t, server.Addr).Stream(t.Context(), "KV_recess")
	must.Do(t, err)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = 1000
	_, err = rigs.NATSClient(t, server.Addr).UpdateStream(t.Context(), config)
	must.Do(t, err)
	if _, err := b.Save(t.Context(), rev, make([]byte, 2000)); err == nil || !strings.Contains(err.Error(), "raise its maximum value size") {
		t.Errorf("Save: %v", err)
	}
	config.Sealed = true
	_, err = rigs.NATSClient(t, server.Addr).UpdateStream(t.Context(), config)
	must.Do(t, err)
	if _, err := b.Save(t.Context(), rev, []byte("second")); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("Save to a sealed stream: %v", err)
	}
	if now := must.Read(t, b); now.Rev != rev {
		t.Errorf("the document is revision %q", now.Rev)
	}
}

// TestTheLargestFitsThroughAServerThatTakesLittleMore: what it sends is larger than what it takes.
func TestTheLargestFitsThroughAServerThatTakesLittleMore(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{
		Lines: []string{fmt.Sprintf("max_payload: %d", state.MaxReport+1000)}, SetUp: rigs.NATSBuckets,
	})
	b := open(t, "nats://"+server.Addr)
	report, document := strings.Repeat("r", state.MaxReport), strings.Repeat("d", state.MaxSize)
	announce(t, b, "web-1", report, time.Hour)
	if got := must.List(t, b); got != "web-1="+report {
		t.Errorf("of %d bytes that were announced, %d are there", len(report), len(got))
	}
	must.Save(t, b, state.None, document)
	if got := string(must.Read(t, b).Data); got != document {
		t.Errorf("of %d bytes that were saved, %d are there", len(document), len(got))
	}
}

func TestADomainIsReached(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{Lines: []string{"jetstream { domain: hub }"}, SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr+"?domain=hub&key=shop")
	f := follow(t, b)
	replace(t, b, "first")
	f.sees(t, "first")
	replace(t, b, "second")
	f.sees(t, "second")
	_, err := b.Announce(t.Context(), "web-1", []byte("x"), time.Hour)
	must.Do(t, err)
	instances, err := b.Instances(t.Context())
	if err != nil || len(instances) != 1 {
		t.Errorf("Instances: %v, %v", instances, err)
	}
}

func TestEveryWayToLogInIsTaken(t *testing.T) {
	t.Parallel()
	userKey, err := nkeys.CreateUser()
	must.Do(t, err)
	public, err := userKey.PublicKey()
	must.Do(t, err)
	seed, err := userKey.Seed()
	must.Do(t, err)
	seedFile := filepath.Join(t.TempDir(), "user.nk")
	must.Do(t, os.WriteFile(seedFile, seed, 0o600))
	operator, creds := operatorMode(t)
	for _, c := range []struct {
		name, lines, login, query string
	}{
		{"user and password", users("{user: shop, password: 'p@ss:w/rd'}"), "shop:p%40ss:w%2Frd@", ""},
		{"token", "authorization { token: 's3cr:t' }", "s3cr%3At@", ""},
		{"nkey", users("{nkey: " + public + "}"), "", "?nkey=" + seedFile},
		{"creds", operator, "", "?creds=" + creds},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := servers.NATS(t, servers.NATSConfig{Lines: []string{c.lines}})
			stateURL := "nats://" + c.login + server.Addr + c.query
			b := open(t, stateURL)
			must.Do(t, b.Migrate(t.Context()))
			must.Save(t, b, state.None, "first")
			began := time.Now()
			for _, login := range []string{"", "shop:wrong-secret@", "wrong-secret@"} {
				_, err := state.Read(t.Context(), open(t, "nats://"+login+server.Addr+"?timeout=1m"))
				if err == nil || !strings.Contains(err.Error(), "the server refuses the login") || strings.Contains(err.Error(), "secret") {
					t.Errorf("as %q: %v", login, err)
				}
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v to find out", took)
			}
		})
	}
}

// operatorMode returns the configuration of a server that trusts an operator, and the file of one of its users.
func operatorMode(t *testing.T) (lines, creds string) {
	t.Helper()
	operatorKey, err := nkeys.CreateOperator()
	must.Do(t, err)
	accountKey, err := nkeys.CreateAccount()
	must.Do(t, err)
	userKey, err := nkeys.CreateUser()
	must.Do(t, err)
	operatorID, _ := operatorKey.PublicKey()
	accountID, _ := accountKey.PublicKey()
	userID, _ := userKey.PublicKey()
	operatorJWT, err := jwt.NewOperatorClaims(operatorID).Encode(operatorKey)
	must.Do(t, err)
	systemKey, err := nkeys.CreateAccount()
	must.Do(t, err)
	systemID, _ := systemKey.PublicKey()
	systemJWT, err := jwt.NewAccountClaims(systemID).Encode(operatorKey)
	must.Do(t, err)
	account := jwt.NewAccountClaims(accountID)
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := account.Encode(operatorKey)
	must.Do(t, err)
	userJWT, err := jwt.NewUserClaims(userID).Encode(accountKey)
	must.Do(t, err)
	seed, err := userKey.Seed()
	must.Do(t, err)
	file, err := jwt.FormatUserConfig(userJWT, seed)
	must.Do(t, err)
	creds = filepath.Join(t.TempDir(), "user.creds")
	must.Do(t, os.WriteFile(creds, file, 0o600))
	return fmt.Sprintf("operator: %s\nresolver: MEMORY\nsystem_account: %s\nresolver_preload: { %s: %s, %s: %s }\n",
		operatorJWT, systemID, systemID, systemJWT, accountID, accountJWT), creds
}

// TestALoginThatIsRefusedIsTriedAgain: passwords are changed while services run.
func TestALoginThatIsRefusedIsTriedAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users.conf")
	write := func(password string) {
		must.Do(t, os.WriteFile(file, []byte(users("{user: shop, password: "+password+"}")), 0o600))
	}
	write("old")
	// The server looks for it from the directory of its own configuration, which lies beside this one.
	server := servers.NATS(t, servers.NATSConfig{Lines: []string{fmt.Sprintf("include '../%s/users.conf'", filepath.Base(filepath.Dir(file)))}})
	b := open(t, "nats://shop:new@"+server.Addr)
	if _, err := state.Read(t.Context(), b); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("Read with the new password: %v", err)
	}
	server.Kill(t)
	write("new")
	server.Start(t)
	must.Become(t, "the new password is taken", func() bool { return b.Migrate(t.Context()) == nil })
	must.Save(t, b, state.None, "first")
}

func TestABackendOverTLSFollowsAndChanges(t *testing.T) {
	t.Parallel()
	a := certs.New(t)
	own, ownKey := a.Client(t, "client")
	server := tlsServer(t, a, "verify: true")
	b := open(t, fmt.Sprintf("nats+tls://%s?tls_ca=%s&tls_cert=%s&tls_key=%s", server.Addr, a.File, own, ownKey))
	must.Do(t, b.Migrate(t.Context()))
	f := follow(t, b)
	for n := range 3 {
		text := strings.Repeat(fmt.Sprint(n), state.MaxSize)
		replace(t, b, text)
		f.sees(t, text)
		announce(t, b, "web-1", text, time.Hour)
	}
	server.Kill(t)
	server.Start(t)
	replace(t, b, "after a restart")
	f.sees(t, "after a restart")
}

func tlsServer(t *testing.T, a *certs.Authority, lines ...string) *servers.Server {
	t.Helper()
	cert, key := a.Server(t)
	return servers.NATS(t, servers.NATSConfig{Lines: []string{
		fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q\n%s }", cert, key, a.File, strings.Join(lines, "\n")),
	}})
}

func TestWhatIsWrongWithTLSIsSaid(t *testing.T) {
	t.Parallel()
	a, stranger := certs.New(t), certs.New(t)
	strange, strangeKey := stranger.Client(t, "client")
	demanding, plain, secure := tlsServer(t, a, "verify: true"), servers.NATS(t, servers.NATSConfig{}), tlsServer(t, a)
	first := tlsServer(t, a, "handshake_first: auto")
	_, port, err := net.SplitHostPort(secure.Addr)
	must.Do(t, err)
	for _, c := range []struct{ name, url, want string }{
		{"an authority nobody told of", "nats+tls://" + secure.Addr, "tls_ca"},
		{"an authority nobody told of, though TLS was not asked for", "nats://" + secure.Addr, "tls_ca"},
		{"another authority", "nats+tls://" + secure.Addr + "?tls_ca=" + stranger.File, "tls_ca"},
		{"another name", "nats+tls://localhost:" + port + "?tls_ca=" + a.File, "tls_ca"},
		{"no certificate of one's own", "nats+tls://" + demanding.Addr + "?tls_ca=" + a.File, "tls_cert"},
		{"a certificate of a stranger", "nats+tls://" + demanding.Addr + "?tls_ca=" + a.File + "&tls_cert=" + strange + "&tls_key=" + strangeKey, "tls_cert"},
		{"no TLS", "nats+tls://" + plain.Addr, "offers no TLS"},
		{"the right authority", "nats+tls://" + secure.Addr + "?tls_ca=" + a.File, ""},
		{"the handshake first", "nats+tls://" + first.Addr + "?tls_first=true&tls_ca=" + a.File, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			err := open(t, c.url+map[bool]string{true: "&", false: "?"}[strings.Contains(c.url, "?")]+"timeout=1m").Migrate(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Errorf("Migrate: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Migrate: %v, want %q", err, c.want)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v to find out", took)
			}
		})
	}
}

// TestARenewedCertificateIsUsedByTheNextConnection: certificates are replaced while services run.
func TestARenewedCertificateIsUsedByTheNextConnection(t *testing.T) {
	t.Parallel()
	a, stranger := certs.New(t), certs.New(t)
	server := tlsServer(t, a, "verify: true")
	own, ownKey := stranger.Client(t, "client")
	b := open(t, fmt.Sprintf("nats+tls://%s?tls_ca=%s&tls_cert=%s&tls_key=%s", server.Addr, a.File, own, ownKey))
	if err := b.Migrate(t.Context()); err == nil {
		t.Fatal("the stranger's certificate was accepted")
	}
	renewed, renewedKey := a.Client(t, "client")
	must.Do(t, os.Rename(renewedKey, ownKey))
	must.Do(t, os.Rename(renewed, own))
	must.Become(t, "the renewed certificate is shown", func() bool { return b.Migrate(t.Context()) == nil })
}
