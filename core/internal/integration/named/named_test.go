// Package named runs the conformance suite on servers that are there already: those that the environment names, and no
// others. It is for what cannot be started here, a cloud's store or another make of a server:
//
//	RECESS_TEST_MYSQL_URL='mysql://recess:secret@db.example/test' go test ./named
//
// It makes the tables or buckets that are missing, as "recess migrate" does, and leaves documents behind whose names
// begin with "recess-test-".
package named

import (
	"context"
	"crypto/rand"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql" // brings mysql: to sqlstate
	_ "gocloud.dev/blob/s3blob"        // brings s3:

	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/blobstate"
	_ "github.com/recess-go/recess/core/state/etcdstate"
	_ "github.com/recess-go/recess/core/state/natsstate"
	_ "github.com/recess-go/recess/core/state/pgstate"
	_ "github.com/recess-go/recess/core/state/redisstate"
	_ "github.com/recess-go/recess/core/state/sqlstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// variables name a state URL each. Parameter is what tells documents on the same server apart, in the URL.
var variables = map[string]struct {
	parameter string
	push      bool
}{
	"RECESS_TEST_REDIS_URL":    {"key", true},
	"RECESS_TEST_POSTGRES_URL": {"name", true},
	"RECESS_TEST_ETCD_URL":     {"key", true},
	"RECESS_TEST_NATS_URL":     {"key", true},
	"RECESS_TEST_MYSQL_URL":    {"name", false},
	"RECESS_TEST_S3_URL":       {"prefix", false},
}

func TestConformanceOnTheServersThatTheEnvironmentNames(t *testing.T) {
	names := slices.Sorted(maps.Keys(variables))
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "RECESS_TEST_") && strings.HasSuffix(name, "_URL") && !slices.Contains(names, name) {
			t.Errorf("%s is unknown: there are %s", name, strings.Join(names, ", "))
		}
	}
	for _, name := range names {
		stateURL := os.Getenv(name)
		if stateURL == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			statetest.Run(t, harness(t, stateURL, variables[name].parameter, variables[name].push))
		})
	}
}

func harness(t *testing.T, stateURL, parameter string, push bool) statetest.Harness {
	u, err := url.Parse(stateURL)
	if err != nil {
		t.Fatal("the state URL makes no sense")
	}
	of := func(name string) string {
		query := u.Query()
		query.Set(parameter, name)
		named := *u
		named.RawQuery = query.Encode()
		return named.String()
	}
	first := open(t, of("recess-test"))
	defer first.Close()
	if m, ok := state.As[state.Migrator](first); ok {
		if err := m.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, presence := state.As[state.Presence](first)
	return statetest.Harness{
		Push: push, Presence: presence, Resident: true,
		Fresh: func(*testing.T) statetest.Store {
			name := "recess-test-" + rand.Text()
			return statetest.Store{Open: func(t *testing.T) state.Backend { t.Helper(); return open(t, of(name)) }}
		},
	}
}

func open(t *testing.T, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(context.Background(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
