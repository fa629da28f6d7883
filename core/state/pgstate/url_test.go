package pgstate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// plain takes libpq's environment variables and files away, which are another source of everything.
func plain(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE", "PGSSLROOTCERT",
		"PGSSLCERT", "PGSSLKEY", "PGAPPNAME", "PGTARGETSESSIONATTRS", "PGOPTIONS", "PGCONNECT_TIMEOUT",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("PGPASSFILE", "/nonexistent")
}

func TestAURLIsReadWhole(t *testing.T) {
	plain(t)
	t.Setenv("PGUSER", "nobody") // as libpq takes what the URL does not say
	for _, c := range []struct{ name, rest, want string }{
		{"nothing but a host", "//db.example.com", "db.example.com:5432 user=nobody database= recess recess watch 0s 0s max 4"},
		{
			"everything", "//app:s3cret@db:5433/shop?table=ops.recess_state&name=shop&watch=off&timeout=2s&probe=500ms&pool_max_conns=9",
			"db:5433 user=app database=shop ops.recess_state shop poll 2s 500ms max 9",
		},
		{"escapes", "//a%40b:p%2F%3F%40@db/my%20db?name=s", "db:5432 user=a@b database=my db recess s watch 0s 0s max 4"},
		{"an IPv6 address", "//app@[::1]:5433/shop", "::1:5433 user=app database=shop recess recess watch 0s 0s max 4"},
		{"a socket in the query", "///shop?host=/var/run/postgresql&user=app", "/var/run/postgresql:5432 user=app database=shop recess recess watch 0s 0s max 4"},
		{"a socket as the host", "//app@%2Fvar%2Frun%2Fpostgresql/shop", "/var/run/postgresql:5432 user=app database=shop recess recess watch 0s 0s max 4"},
		{"watch on", "//app@db/shop?watch=on", "db:5432 user=app database=shop recess recess watch 0s 0s max 4"},
		{
			"what libpq knows", "//app@db/shop?sslmode=require&application_name=x&options=-c%20statement_timeout%3D5s&search_path=a,b",
			"db:5432 user=app database=shop recess recess watch 0s 0s max 4",
		},
		{"an empty parameter between others", "//app@db/shop?name=a&&table=b", "db:5432 user=app database=shop b a watch 0s 0s max 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.rest)
			if err != nil {
				t.Fatal(err)
			}
			conn := got.pool.ConnConfig
			tables, err := got.config.tables()
			if err != nil {
				t.Fatal(err)
			}
			watch := "watch"
			if got.config.NoWatch {
				watch = "poll"
			}
			text := fmt.Sprintf("%s:%d user=%s database=%s %s %s %s %v %v max %d", conn.Host, conn.Port, conn.User, conn.Database,
				strings.ReplaceAll(tables.documents, `"`, ""), tables.name, watch, got.config.Timeout, got.config.Probe, got.pool.MaxConns)
			if text != c.want {
				t.Errorf("read as %s\nwant       %s", text, c.want)
			}
		})
	}
}

func TestOfSeveralHostsTheOneIsTakenThatWrites(t *testing.T) {
	plain(t)
	for rest, chosen := range map[string]bool{
		"//app@a,b/shop":                                true,
		"//app@a:1,a:2/shop":                            true,
		"///shop?host=a,b":                              true,
		"//app@a/shop":                                  false,
		"//app@a/shop?sslmode=prefer":                   false,
		"//app@a,b/shop?target_session_attrs=any":       false,
		"//app@a/shop?target_session_attrs=primary":     true,
		"//app@a,b/shop?target_session_attrs=read-only": true,
	} {
		got, err := parse(rest)
		if err != nil {
			t.Fatalf("%s: %v", rest, err)
		}
		if asks := got.pool.ConnConfig.ValidateConnect != nil; asks != chosen {
			t.Errorf("%s: the server is asked what it is: %v, want %v", rest, asks, chosen)
		}
	}
	t.Setenv("PGTARGETSESSIONATTRS", "any")
	if got, err := parse("//app@a,b/shop"); err != nil || got.pool.ConnConfig.ValidateConnect != nil {
		t.Errorf("PGTARGETSESSIONATTRS=any is not obeyed: %v", err)
	}
}

func TestTheConnectionsHaveAName(t *testing.T) {
	plain(t)
	for rest, want := range map[string]string{"//db": "recess", "//db?application_name=shop": "shop"} {
		got, err := parse(rest)
		if err != nil {
			t.Fatal(err)
		}
		if name := got.pool.ConnConfig.RuntimeParams["application_name"]; name != want {
			t.Errorf("%s: application_name is %q, want %q", rest, name, want)
		}
	}
}

const secret = "hunter2"

func TestWhatIsWrongInAURLIsSaidWithoutItsSecrets(t *testing.T) {
	plain(t)
	for _, c := range []struct{ name, rest, want string }{
		{"no slashes", "app:hunter2@db/shop", "postgres://user@host/database"},
		{"a path alone", "/shop", "postgres://user@host/database"},
		{"an '@' in the password", "//app:hunter2@hunter2@db/shop", "%40"},
		{"a '/' in the password", "//app:hunter2/hunter2@db/shop", "%2F"},
		{"a '?' in the password", "//app:hunter2?hunter2@db/shop", "%3F"},
		{"a '#' in the password", "//app:hunter2#hunter2@db/shop", "%23"},
		{"a '%' in the password", "//app:hunter2%zz@db/shop", "%25"},
		{"a ':' in the host", "//app:x@hunter2:hunter2/shop", "a host and its port"},
		{"no host after the password", "//app:hunter2", "a host and its port"},
		{"no host after the password, with a database", "//app:hunter2/shop", "a host and its port"},
		{"a blank in the host", "//app:x@hunter2 /shop", "a host and its port"},
		{"a port too large", "//app:hunter2@db:99999/shop", "ports"},
		{"fewer ports than hosts", "//app:hunter2@a:1,b:2,c/shop?port=1,2", "ports"},
		{"a '%' in the database", "//app:hunter2@db/sh%op", "%25"},
		{"an unknown parameter", "//app:hunter2@db/shop?tabel=recess", "parameter tabel"},
		{"a parameter of pgx that it does not leave to us", "//app:hunter2@db/shop?pool_min_conns=3", "parameter pool_min_conns"},
		{"a parameter that may be a password", "//app:hunter2@db/shop?Hunter2", "a parameter's name"},
		{"a parameter given twice", "//app:hunter2@db/shop?name=a&name=b", "parameter name is given twice"},
		{"a parameter without a value", "//app:hunter2@db/shop?name=", "parameter name has no value"},
		{"a '=' in a value", "//app:hunter2@db/shop?options=-cwork_mem=1MB", "%3D"},
		{"a '%' in a value", "//app:hunter2@db/shop?name=%zz", "parameter name"},
		{"an '@' in a value", "//app:x@db/shop?password=hunter2@x", "%40"},
		{"a bad watch", "//app:hunter2@db/shop?watch=maybe", `parameter watch: "maybe" is none of on, off`},
		{"a bad sslmode", "//app:hunter2@db/shop?sslmode=yes", "parameter sslmode"},
		{"a bad channel_binding", "//app:hunter2@db/shop?channel_binding=yes", "parameter channel_binding"},
		{"a bad target_session_attrs", "//app:hunter2@db/shop?target_session_attrs=writer", "parameter target_session_attrs"},
		{"a timeout without a unit", "//app:hunter2@db/shop?timeout=5", `parameter timeout: "5" is no duration`},
		{"a timeout below zero", "//app:hunter2@db/shop?timeout=-5s", "parameter timeout"},
		{"a probe of nothing", "//app:hunter2@db/shop?probe=0s", "parameter probe"},
		{"a pool of nothing", "//app:hunter2@db/shop?pool_max_conns=0", "parameter pool_max_conns"},
		{"a pool of words", "//app:hunter2@db/shop?pool_max_conns=many", "parameter pool_max_conns"},
		{"a connect_timeout of words", "//app:hunter2@db/shop?connect_timeout=4s", "parameter connect_timeout"},
		{"a bad search_path", "//app:hunter2@db/shop?search_path=a;drop", "parameter search_path"},
		{"a bad table", "//app:hunter2@db/shop?table=a-b", "the table"},
		{"a bad name", "//app:hunter2@db/shop?name=Shop", "name"},
		{"a certificate that is not there", "//app:hunter2@db/shop?sslmode=verify-full&sslrootcert=/nonexistent/ca.pem", "/nonexistent/ca.pem"},
		{"a service that is not there", "//app:hunter2@db/shop?service=none&servicefile=/nonexistent/services", "/nonexistent/services"},
		{"a protocol that is not there", "//app:hunter2@db/shop?min_protocol_version=9", "9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := state.Open(t.Context(), "postgres:"+c.rest)
			if err == nil {
				b.Close()
				t.Fatal("it was opened")
			}
			if !strings.HasPrefix(err.Error(), "pgstate: open: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %q, which names no %q", err, c.want)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
					if text := fmt.Sprintf(verb, e); strings.Contains(strings.ToLower(text), secret) {
						t.Errorf("by %s it says %s", verb, text)
					}
				}
			}
		})
	}
}

func TestBothSchemesAreKnown(t *testing.T) {
	plain(t)
	for _, scheme := range []string{"postgres", "postgresql"} {
		b, err := state.Open(t.Context(), scheme+"://app@127.0.0.1:1/shop")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := b.(state.Presence); !ok {
			t.Errorf("%s: there is no Presence", scheme)
		}
		if _, ok := b.(state.Migrator); !ok {
			t.Errorf("%s: there is no Migrator", scheme)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: close: %v", scheme, err)
		}
	}
}

// TestOpeningWaitsForNobody opens a URL whose server takes every connection and never says a word.
func TestOpeningWaitsForNobody(t *testing.T) {
	plain(t)
	ctx, cancel := context.WithCancel(t.Context())
	silent := listen(t)
	b, err := state.Open(ctx, "postgres://app:hunter2@"+silent.Addr().String()+"/shop?sslmode=disable&timeout=100ms")
	cancel() // it is the context of the opening alone
	if err != nil {
		t.Fatal(err)
	}
	_, err = state.Read(t.Context(), b)
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), secret) {
		t.Errorf("reading from a silent server: %v", err)
	}
	began := time.Now()
	if err := b.Close(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("close took %v: %v", time.Since(began), err)
	}
}
