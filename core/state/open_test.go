package state_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
)

func TestOpenHandsOnWhatFollowsTheScheme(t *testing.T) {
	refused := errors.New("refused")
	var got string
	state.Register("opentest", func(_ context.Context, rest string) (state.Backend, error) {
		got = rest
		return nil, refused
	})
	for url, want := range map[string]string{
		"opentest:": "", "opentest:a:b?c#d": "a:b?c#d", "opentest://user:pw@host/": "//user:pw@host/",
	} {
		if _, err := state.Open(t.Context(), url); !errors.Is(err, refused) || got != want {
			t.Errorf("%s: the opener got %q, want %q; error %v", url, got, want, err)
		}
	}
	other := errors.New("the second registration")
	state.Register("opentest", func(context.Context, string) (state.Backend, error) { return nil, other })
	if _, err := state.Open(t.Context(), "opentest:"); !errors.Is(err, other) {
		t.Errorf("a second registration does not replace the first: %v", err)
	}
}

// nobody is a backend that must not be called.
type nobody struct{ state.Backend }

func TestOpenReturnsNoBackendWithAnError(t *testing.T) {
	refused := errors.New("refused")
	state.Register("opentest", func(context.Context, string) (state.Backend, error) { return (*nobody)(nil), refused })
	if b, err := state.Open(t.Context(), "opentest:"); b != nil || !errors.Is(err, refused) {
		t.Errorf("it returns a backend of type %T with the error %v", b, err)
	}
}

func TestOpenSaysWhatIsWrongAndShowsNoSecret(t *testing.T) {
	state.Register("opentest", nil)
	for _, c := range []struct{ name, url, says string }{
		{"nothing", "", "no scheme: write it as in file:recess.json"},
		{"a bare path", "recess.json", "no scheme"},
		{"an empty scheme", ":hunter2", "no scheme"},
		{"a password where the scheme should be", "hunter2 hunter2:x", "no scheme"},
		{"an unknown scheme", "consul://u:hunter2@host", `no backend has the scheme "consul"; this program can open`},
		{"a known scheme that is not linked", "env:hunter2", `not linked into this program: import _ "github.com/recess-go/recess/core/state/envstate"`},
		{"one of a module of its own", "redis://:hunter2@host", `not linked into this program: import _ "github.com/recess-go/recess/core/state/redisstate"`},
		{"what can be opened is listed", "x:hunter2", "opentest"},
	} {
		_, err := state.Open(t.Context(), c.url)
		if err == nil || !strings.HasPrefix(err.Error(), "state: open: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the secret: %v", c.name, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"a file", "file:recess.json", "file:recess.json"},
		{"a file with its format", "file:/srv/a b/state?format=django", "file:/srv/a b/state?format=django"},
		{"a file with another query", "file:x?pw=1", "file:x?…"},
		{"memory", "memory:", "memory:"},
		{"an environment variable", "env:RECESS", "env:RECESS"},
		{"a local database", "sqlite:x.db?_auth_pass=hunter2", "sqlite:x.db?…"},
		{"no secret at all", "redis://host:6379/0", "redis://host:6379/0"},
		{"user and password", "redis://user:hunter2@host:6379/0", "redis://…@host:6379/0"},
		{"a user alone, which may be a token", "nats://hunter2@host", "nats://…@host"},
		{"a query", "postgres://host/db?password=hunter2", "postgres://host/db?…"},
		{"several hosts", "nats://u:hunter2@a:1,b:2", "nats://…@a:1,b:2"},
		{"sentinels", "rediss+sentinel://u:hunter2@a:1,[::1]:2/mymaster/0?sentinel_password=hunter3", "rediss+sentinel://…@a:1,[::1]:2/mymaster/0?…"},
		{"a socket", "redis+unix://:hunter2@/run/redis.sock?db=1", "redis+unix://…@/run/redis.sock?…"},
		{"an IPv6 host", "redis://u:hunter2@[::1]:6379", "redis://…@[::1]:6379"},
		{"a slash in the password", "postgres://u:123/hunter2@host/db", "postgres://…@host/db"},
		{"an at sign in the password", "postgres://u:hun@ter2@host/db", "postgres://…@host/db"},
		{"a hash in the password", "postgres://u:123#hunter2@host/db", "postgres://…"},
		{"a question mark in the password", "postgres://u:123?hunter2@host/db", "postgres://…"},
		{"an at sign in the query", "postgres://host/db?user=a@hunter2", "postgres://…"},
		{"a forgotten host", "redis://:12345", "redis://…"},
		{"a driver's own form", "mysql:u:hunter2@tcp(host)/db", "mysql:…"},
		{"a percent sign that is no escape", "redis://u:%hunter2@host", "redis://…@host"},
		{"an escaped line feed", "file:a%0ab", "file:a%0ab"},
		{"a line feed", "file:a\nb\x9b", "file:a\uFFFDb\uFFFD"},
		{"several in order", "multi:redis://u:hunter2@a\n file:x?pw=hunter2", "multi:redis://…@a file:x?…"},
		{"several, and a blank in a password", "multi:redis://u:123 hunter2@a file:x", "multi:…"},
		{"several, and a blank and a path in a password", "multi:redis://u:123 file:hunter2@a file:x", "multi:…"},
		{"several, and a blank and a host in a password", "multi:redis://u:x redis://hunter2@a file:x", "multi:redis://… redis://…@a file:x"},
		{"several by HTTP", "multi:https://u:hunter2@a/b?c=hunter2#token_env=X http://c/d#timeout=2s", "multi:https://…@a/b?… http://c/d#…"},
		{"an at sign in a path of several", "multi:redis://a file:x@y", "multi:…"},
		{"a list in a list", "multi:multi:redis://u:hunter2@a", "multi:multi:redis://…@a"},
		{"several, and slashes", "multi://redis://u:hunter2@a", "multi:…"},
		{"no scheme", "hunter2", "…"},
		{"nothing", "", "…"},
	} {
		if got := state.Redact(c.url); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
