package natsstate

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestAURLSaysWhereAndAsWhom(t *testing.T) {
	for _, c := range []struct {
		rest string
		want target
	}{
		{"//host", target{hosts: []string{"host:4222"}}},
		{"//host:4333/", target{hosts: []string{"host:4333"}}},
		{"//a,b:1,[::1],[::1]:65535", target{hosts: []string{"a:4222", "b:1", "[::1]:4222", "[::1]:65535"}}},
		{"//shop:p%40ss%3Aw%2Frd@host", target{hosts: []string{"host:4222"}, user: "shop", password: "p@ss:w/rd"}},
		{"//shop:@host", target{hosts: []string{"host:4222"}, user: "shop"}},
		{"//shop:a@b@host", target{hosts: []string{"host:4222"}, user: "shop", password: "a@b"}},
		{"//t%3Aken@host,host2", target{hosts: []string{"host:4222", "host2:4222"}, token: "t:ken"}},
		{"//host?bucket=b&key=shop.eu/x&domain=hub&inbox=_INBOX_shop.x", target{
			hosts: []string{"host:4222"}, inbox: "_INBOX_shop.x", config: Config{Bucket: "b", Key: "shop.eu/x", Domain: "hub"},
		}},
		{"//host?timeout=10s&probe=500ms&replicas=3&storage=memory", target{
			hosts: []string{"host:4222"}, config: Config{Timeout: 10 * time.Second, Probe: 500 * time.Millisecond, Replicas: 3, Memory: true},
		}},
		{"//host?storage=file", target{hosts: []string{"host:4222"}}},
	} {
		got, err := parse(c.rest, false)
		if err != nil {
			t.Errorf("%s: %v", c.rest, err)
			continue
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.rest, *got, c.want)
		}
	}
}

// TestABadURLIsRefusedAndNotRepeated: s3cret stands wherever somebody may have put a password.
func TestABadURLIsRefusedAndNotRepeated(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s3cret.nk")
	if err := os.WriteFile(file, []byte("s3cret, which is no seed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ rest, want string }{
		{"host", "after the scheme comes //"},
		{"", "after the scheme comes //"},
		{"//", "the servers make no sense"},
		{"//user:s3cret@", "the servers make no sense"},
		{"//a,,b", "the servers make no sense"},
		{"//user:s3cret@host:port", "the servers make no sense"},
		{"//user:s3cret", "the servers make no sense"},
		{"//s3cret:x", "the servers make no sense"},
		{"//user:s3cret@nats://host", "has a path"},
		{"//host:0", "from 1 to 65535"},
		{"//host:65536", "from 1 to 65535"},
		{"//:s3cret@host", "no user or token before it"},
		{"//@host", "no user or token before it"},
		{"//user:%zzs3cret@host", "begins no escape"},
		{"//user:s3/cret@host", "%2F"},
		{"//user:s3?cret@host", "%3F"},
		{"//user:s3#cret@host", "%23"},
		{"//host/s3cret", "?bucket="},
		{"//host#s3cret", "must be written %23"},
		{"//host?bucket=x#s3cret", "must be written %23"},
		{"//host?bucket=%zzs3cret", "the query cannot be read"},
		{"//host?bucket=a;s3cret", "the query cannot be read"},
		{"//host?buckets=s3cret", `"buckets" is unknown: there are bucket, creds, domain, inbox, key,`},
		{"//host?key=a&key=s3cret", "key is given twice"},
		{"//host?bucket=", "bucket is empty"},
		{"//host?bucket=a.b", "the bucket's name"},
		{"//host?key=.a", "is no name of a key"},
		{"//host?key=a..b", "is no name of a key"},
		{"//host?key=a.*", "is no name of a key"},
		{"//host?key=a%20b", "is no name of a key"},
		{"//host?key=" + strings.Repeat("x", maxName+1), "at most 200 are allowed"},
		{"//host?domain=a.b", "the domain"},
		{"//host?timeout=5", "timeout: it must be a duration"},
		{"//host?timeout=-5s", "timeout: it must be a duration"},
		{"//host?probe=0s", "probe: it must be a duration"},
		{"//host?probe=1ms", "the probe is 1ms: it must be 100ms at least"},
		{"//host?replicas=many", "replicas: it must be a number"},
		{"//host?replicas=6", "from 1 to 5"},
		{"//host?replicas=-1", "from 1 to 5"},
		{"//host?storage=disk", "storage: it must be file or memory"},
		{"//host?inbox=a.>", "inbox: it must be a prefix"},
		{"//host?tls_ca=s3cret", "go with the scheme nats+tls"},
		{"//host?tls_first=true", "go with the scheme nats+tls"},
		{"//user:s3cret@host?creds=s3cret", "three ways to log in"},
		{"//host?nkey=s3cret&creds=s3cret", "three ways to log in"},
		{"//host?creds=/s3cret/none", "creds: its file cannot be read: no such file or directory"},
		{"//host?nkey=SUAs3cret", "nkey: it must name a file with the seed"},
		{"//host?nkey=" + file, "nkey: it must name a file with the seed"},
	} {
		_, err := parse(c.rest, false)
		switch {
		case err == nil:
			t.Errorf("%s: it is taken", c.rest)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", c.rest, err, c.want)
		case strings.Contains(strings.ReplaceAll(err.Error(), file, ""), "s3cret"):
			t.Errorf("%s: the error repeats it: %v", c.rest, err)
		}
		for _, scheme := range []string{"nats", "nats+tls"} {
			if b, err := state.Open(t.Context(), scheme+":"+c.rest); scheme == "nats" && err == nil {
				t.Errorf("%s: opened as %T", c.rest, b)
			} else if err != nil && !strings.HasPrefix(err.Error(), "natsstate: open: ") {
				t.Errorf("%s: %v does not say who", c.rest, err)
			}
		}
	}
	for _, c := range []struct{ rest, want string }{
		{"//host?tls_cert=a", "tls_cert and tls_key go together"},
		{"//host?tls_first=maybe", "tls_first: it must be true or false"},
		{"//host?tls_ca=" + filepath.Join(dir, "none.pem"), "none.pem"},
		{"//host?tls_ca=" + file, "tls_ca"},
		{"//host?tls_cert=" + file + "&tls_key=" + file, "tls_cert"},
	} {
		if _, err := parse(c.rest, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.rest, err, c.want)
		}
	}
}

func TestTLSIsDemandedByTheSchemeAlone(t *testing.T) {
	for secure, scheme := range map[bool]string{false: "nats:", true: "nats+tls:"} {
		got, err := parse("//host", secure)
		if err != nil {
			t.Fatal(err)
		}
		if (got.tls != nil) != secure {
			t.Errorf("%s: TLS is %v", scheme, got.tls)
		}
	}
}

// TestOpeningTouchesNoServer counts connections: there is one as soon as the backend is used, and none before.
func TestOpeningTouchesNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	arrived := func() bool {
		if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	for _, use := range []bool{false, true} {
		b, err := state.Open(t.Context(), "nats://user:s3cret@"+listener.Addr().String()+"?timeout=200ms")
		if err != nil {
			t.Fatal(err)
		}
		if use {
			if _, err := state.Read(t.Context(), b); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("Read from a server that says nothing: %v", err)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if arrived() != use {
			t.Errorf("used: %v, connected: %v", use, !use)
		}
	}
}

func TestWhatNewIsGivenIsChecked(t *testing.T) {
	if _, err := New(nil, Config{}); err == nil {
		t.Error("no client is taken")
	}
	for want, c := range map[string]Config{
		"the bucket's name":  {Bucket: "a b"},
		"the key":            {Key: "a b"},
		"the domain":         {Domain: "a b"},
		"the timeout":        {Timeout: -1},
		"the probe":          {Probe: -1},
		"number of replicas": {Replicas: 6},
	} {
		if err := c.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	if err := (Config{}).check(); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
}
