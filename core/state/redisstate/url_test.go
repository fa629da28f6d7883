package redisstate

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestURLsAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   kind
		tls    bool
		rest   string
		want   target
		server string // the name that its certificate must have
	}{
		{"a host", single, false, "//example.com", target{addrs: []string{"example.com:6379"}}, ""},
		{"a final slash", single, false, "//example.com/", target{addrs: []string{"example.com:6379"}}, ""},
		{"a port and a database", single, false, "//example.com:1/7", target{addrs: []string{"example.com:1"}, db: 7}, ""},
		{"a database by name", single, false, "//h?db=7", target{addrs: []string{"h:6379"}, db: 7}, ""},
		{"an IPv6 host", single, false, "//[::1]", target{addrs: []string{"[::1]:6379"}}, ""},
		{"an IPv6 host with a port", single, false, "//[fe80::1]:63", target{addrs: []string{"[fe80::1]:63"}}, ""},
		{"a password", single, false, "//:p%40%3a%2F%25@h", target{addrs: []string{"h:6379"}, password: "p@:/%"}, ""},
		{"a user", single, false, "//al%20ice:pw@h", target{addrs: []string{"h:6379"}, username: "al ice", password: "pw"}, ""},
		{"a colon in the password", single, false, "//:a:b@h", target{addrs: []string{"h:6379"}, password: "a:b"}, ""},
		{"a plus sign in the password", single, false, "//:a+b@h", target{addrs: []string{"h:6379"}, password: "a+b"}, ""},
		{
			"every parameter", single, false, "//h?key=shop%3Amaintenance&timeout=1s&probe=500ms",
			target{Config: Config{"shop:maintenance", time.Second, 500 * time.Millisecond}, addrs: []string{"h:6379"}},
			"",
		},
		{"a key with a hash tag", single, false, "//h?key={shop}:x", target{Config: Config{Key: "{shop}:x"}, addrs: []string{"h:6379"}}, ""},
		{
			"sentinels", sentinel, false, "//u:p@a,b:1,[::1]/my%2Fmaster/3?sentinel_username=s&sentinel_password=t",
			target{
				kind: sentinel, addrs: []string{"a:26379", "b:1", "[::1]:26379"}, username: "u", password: "p",
				masterName: "my/master", db: 3, sentinelUser: "s", sentinelSecret: "t",
			},
			"",
		},
		{"sentinels without a database", sentinel, false, "//a/mymaster", target{kind: sentinel, addrs: []string{"a:26379"}, masterName: "mymaster"}, ""},
		{"a cluster", cluster, false, "//a,b:1", target{kind: cluster, addrs: []string{"a:6379", "b:1"}}, ""},
		{"a cluster with a final slash", cluster, false, "//a/", target{kind: cluster, addrs: []string{"a:6379"}}, ""},
		{"a socket", socket, false, "///run/re%25dis.sock?db=2", target{kind: socket, addrs: []string{"/run/re%dis.sock"}, db: 2}, ""},
		{"a socket with a password", socket, false, "//:pw@/run/redis.sock", target{kind: socket, addrs: []string{"/run/redis.sock"}, password: "pw"}, ""},
		{"TLS", single, true, "//h", target{addrs: []string{"h:6379"}}, "h"},
		{"TLS by another name", single, true, "//h?tls_server_name=redis.example", target{addrs: []string{"h:6379"}}, "redis.example"},
		{"TLS to whomever", single, true, "//[::1]?tls_skip_verify=true", target{addrs: []string{"[::1]:6379"}}, "::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.kind, c.tls, c.rest)
			if err != nil {
				t.Fatal(err)
			}
			files := got.tls
			got.tls = nil
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("%+v\nwant %+v", *got, c.want)
			}
			if (files != nil) != c.tls {
				t.Fatalf("TLS: %v", files)
			}
			if files == nil {
				return
			}
			if config := newDialer(files.config).configFor(got.addrs[0]); config.ServerName != c.server || config.InsecureSkipVerify != strings.Contains(c.rest, "skip") {
				t.Errorf("the server's name is %q, skip %v", config.ServerName, config.InsecureSkipVerify)
			}
		})
	}
}

func TestURLsThatMakeNoSenseAreRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"nothing", "redis:", "after the scheme comes //"},
		{"no slashes", "redis:hunter2", "after the scheme comes //"},
		{"no host", "redis://", "host number 1"},
		{"a forgotten host", "redis://:hunter2", "host number 1"},
		{"a password in the place of the port", "redis://h:hunter2", "host number 1"},
		{"a port of zero", "redis://h:0", "host number 1"},
		{"a port that is too large", "redis://h:65536", "host number 1"},
		{"no port after the colon", "redis://h:", "host number 1"},
		{"half a bracket", "redis://[::1", "host number 1"},
		{"no address in brackets", "redis://[hunter2]", "host number 1"},
		{"no port after the bracket", "redis://[::1]:", "host number 1"},
		{"more after the bracket", "redis://[::1]hunter2", "host number 1"},
		{"an IPv6 address without brackets", "redis://::1", "host number 1"},
		{"a host that is none", "redis://hunter 2", "host number 1"},
		{"an empty host in a list", "redis+cluster://a,,b", "host number 2"},
		{"several hosts", "redis://a,b", "redis+sentinel: or redis+cluster:"},
		{"a user without a password", "redis://hunter2@h", "there is no password before the '@'"},
		{"an empty password", "redis://hunter2:@h", "there is no password before the '@'"},
		{"an at sign in the password", "redis://u:hun@ter2@h", "must be written as %XX"},
		{"a slash in the password", "redis://u:hunter2/x@h", "%2F, %3F, %23, %40 and %25"},
		{"a question mark in the password", "redis://u:hunter2?x@h", "%2F, %3F, %23, %40 and %25"},
		{"a hash in the password", "redis://u:hunter2#x@h", "%23"},
		{"a percent sign in the password", "redis://u:%hunter2@h", "must be written as %XX"},
		{"a percent sign in the user", "redis://%hunter2:x@h", "must be written as %XX"},
		{"a database that is no number", "redis://h/hunter2", "the number of a database"},
		{"a negative database", "redis://h/-1", "the number of a database"},
		{"a database of its own", "redis://h/1/2", "the number of a database"},
		{"a database in the query that is no number", "redis://h?db=hunter2", "the parameter db"},
		{"two databases", "redis://h/1?db=2", "the parameter db: the database is given twice"},
		{"a query that is not escaped", "redis://h?key=%hunter2", "the query is not escaped"},
		{"an unknown parameter", "redis://h?kee=hunter2", `the parameter "kee" is unknown`},
		{"a parameter of the client's own syntax", "redis://h?max_retries=2", `the parameter "max_retries" is unknown`},
		{"a parameter twice", "redis://h?key=a&key=hunter2", "the parameter key is given 2 times"},
		{"an empty parameter", "redis://h?key=", "the parameter key is empty"},
		{"a timeout that is none", "redis://h?timeout=hunter2", "the parameter timeout: it must be a positive duration"},
		{"a timeout without a unit", "redis://h?timeout=4", "the parameter timeout: it must be a positive duration"},
		{"a timeout of nothing", "redis://h?timeout=0s", "the parameter timeout: it must be a positive duration"},
		{"a negative probe", "redis://h?probe=-1s", "the parameter probe: it must be a positive duration"},
		{"a key with half a hash tag", "redis://h?key=a}b{c", "no hash tag"},
		{"a key with an empty hash tag", "redis://h?key={}a", "no hash tag"},
		{"TLS's parameter without TLS", "redis://h?tls_ca=x", "the parameter tls_ca is for TLS: write rediss"},
		{"a sentinel's parameter without sentinels", "redis://h?sentinel_password=hunter2", "the parameter sentinel_password is for redis+sentinel"},
		{"a sentinel's user alone", "redis+sentinel://h/m?sentinel_username=hunter2", "sentinel_username needs sentinel_password"},
		{"no master", "redis+sentinel://h", "the name of the master"},
		{"an empty master", "redis+sentinel://h//1", "the name of the master"},
		{"a master that is not escaped", "redis+sentinel://h/%hunter2", "the name of the master"},
		{"a master's database that is none", "redis+sentinel://h/m/hunter2", "the number of a database"},
		{"a cluster's database", "redis+cluster://h/1", "a cluster has no databases"},
		{"a cluster's database by name", "redis+cluster://h?db=1", "the parameter db: a cluster has no databases"},
		{"a socket on a host", "redis+unix://h/run/redis.sock", "redis+unix:///PATH/OF/SOCKET"},
		{"a socket without a path", "redis+unix:///", "redis+unix:///PATH/OF/SOCKET"},
		{"a socket that is not escaped", "redis+unix:///%hunter2", "redis+unix:///PATH/OF/SOCKET"},
		{"an authority that is not there", "rediss://h?tls_ca=/nowhere.pem", "the parameter tls_ca: open /nowhere.pem"},
		{"an authority that is none", "rediss://h?tls_ca=" + empty, "holds no certificate in PEM"},
		{"a certificate without its key", "rediss://h?tls_cert=x", "tls_cert and tls_key go together"},
		{"a key without its certificate", "rediss://h?tls_key=x", "tls_cert and tls_key go together"},
		{"a certificate that is not there", "rediss://h?tls_cert=/nowhere&tls_key=/nowhere", "tls_cert and tls_key: open /nowhere"},
		{"a truth that is none", "rediss://h?tls_skip_verify=hunter2", "the parameter tls_skip_verify: it must be true or false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := state.Open(context.Background(), c.url)
			if err == nil || b != nil || !strings.HasPrefix(err.Error(), "redisstate: open: ") || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// TestOpenTalksToNobody opens one of each kind where nobody listens.
func TestOpenTalksToNobody(t *testing.T) {
	for _, url := range []string{
		"redis://127.0.0.1:1", "rediss://127.0.0.1:1", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/m", "rediss+sentinel://127.0.0.1:1/m",
		"redis+cluster://127.0.0.1:1,127.0.0.1:2", "rediss+cluster://127.0.0.1:1", "redis+unix:///nowhere/redis.sock",
	} {
		b, err := state.Open(context.Background(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if _, err := state.Read(t.Context(), b); err == nil || !strings.Contains(err.Error(), "dial ") {
			t.Errorf("%s: Read: %v", url, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %v", url, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: Close: %v", url, err)
		}
	}
}

func TestWhatBelongsToADocumentHasNamesOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		key  string
		db   int
		want keys
	}{
		{"", 0, keys{"recess", "{recess}:changes:0", "{recess}:instances", "{recess}:instance:"}},
		{"shop:x", 3, keys{"shop:x", "{shop:x}:changes:3", "{shop:x}:instances", "{shop:x}:instance:"}},
		{"a:{shop}:x", 0, keys{"a:{shop}:x", "a:{shop}:x:changes:0", "a:{shop}:x:instances", "a:{shop}:x:instance:"}},
	} {
		if got := keysOf(c.key, c.db); got != c.want {
			t.Errorf("%q: %q, want %q", c.key, got, c.want)
		}
	}
}
