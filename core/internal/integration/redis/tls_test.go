package redis_test

import (
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/certs"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func query(pairs ...string) string {
	values := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

func TestABackendOverTLSIsToldOfChanges(t *testing.T) {
	a := certs.New(t)
	cert, key := a.Server(t, "redis.example")
	own, ownKey := a.Client(t, "client")
	server, addr := servers.RedisTLS(t, a.File, cert, key)
	url := "rediss://" + addr + query("tls_ca", a.File, "tls_cert", own, "tls_key", ownKey)
	rev := must.Save(t, open(t, url), state.None, "first")
	got := waiting(t, open(t, url), rev, server.Addr, channel)
	must.Save(t, open(t, url), rev, "second")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "second" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}

func TestWhatIsWrongWithTLSIsSaid(t *testing.T) {
	a, stranger := certs.New(t), certs.New(t)
	cert, key := a.Server(t, "redis.example")
	own, ownKey := a.Client(t, "client")
	strange, strangeKey := stranger.Client(t, "client")
	server, addr := servers.RedisTLS(t, a.File, cert, key)
	_, port, _ := net.SplitHostPort(addr)
	mine := []string{"tls_cert", own, "tls_key", ownKey}
	for _, c := range []struct{ name, url, want string }{
		{"an authority nobody told of", "rediss://" + addr + query(mine...), "?tls_ca=FILE"},
		{"another authority", "rediss://" + addr + query(append(mine, "tls_ca", stranger.File)...), "?tls_ca=FILE"},
		{"another name", "rediss://localhost:" + port + query(append(mine, "tls_ca", a.File)...), "?tls_server_name=NAME"},
		{"no certificate of one's own", "rediss://" + addr + query("tls_ca", a.File), "?tls_cert=FILE"},
		{"a certificate of a stranger", "rediss://" + addr + query("tls_ca", a.File, "tls_cert", strange, "tls_key", strangeKey), "?tls_cert=FILE"},
		{"a port without TLS", "rediss://" + server.Addr + query(append(mine, "tls_ca", a.File, "timeout", "1s")...), "redis:"},
		{"a port with TLS, without TLS", "redis://" + addr, "rediss:"},
		{"the right name", "rediss://localhost:" + port + query(append(mine, "tls_ca", a.File, "tls_server_name", "redis.example")...), ""},
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
	a, stranger := certs.New(t), certs.New(t)
	cert, key := a.Server(t, "redis.example")
	own, ownKey := stranger.Client(t, "client")
	_, addr := servers.RedisTLS(t, a.File, cert, key)
	b := open(t, "rediss://"+addr+query("tls_ca", a.File, "tls_cert", own, "tls_key", ownKey))
	if _, err := state.Read(t.Context(), b); err == nil {
		t.Fatal("the stranger's certificate was accepted")
	}
	renewed, renewedKey := a.Client(t, "client")
	must.Do(t, os.Rename(renewed, own))
	must.Do(t, os.Rename(renewedKey, ownKey))
	must.Read(t, b)
}

// TestALookOverFrozenTLSGetsANewConnection: sockets under TLS do not say that the server has closed them.
func TestALookOverFrozenTLSGetsANewConnection(t *testing.T) {
	a := certs.New(t)
	cert, key := a.Server(t, "redis.example")
	own, ownKey := a.Client(t, "client")
	server, addr := servers.RedisTLS(t, a.File, cert, key)
	link := proxy.New(t, addr)
	b := open(t, "rediss://"+link.Addr+query("timeout", "3s", "tls_ca", a.File, "tls_cert", own, "tls_key", ownKey))
	burst(t, b)
	link.Freeze()
	must.Read(t, b)
	burst(t, b)
	server.Kill(t)
	server.Start(t)
	must.Read(t, b)
}
