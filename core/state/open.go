package state

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// An Opener makes a backend from the part of a state URL that follows "scheme:". It must not wait for a server: a
// backend that is down shows when it is read.
type Opener func(ctx context.Context, rest string) (Backend, error)

var openers = struct {
	sync.Mutex
	byScheme map[string]Opener
}{byScheme: make(map[string]Opener)}

// imports names the package that brings each scheme, so that a URL whose backend is not linked can say what to import.
var imports = map[string]string{
	"memory": "core/state/memstate", "env": "core/state/envstate", "file": "core/state/filestate",
	"redis": "core/state/redisstate", "rediss": "core/state/redisstate", "redis+unix": "core/state/redisstate",
	"redis+sentinel": "core/state/redisstate", "rediss+sentinel": "core/state/redisstate",
	"redis+cluster": "core/state/redisstate", "rediss+cluster": "core/state/redisstate",
	"postgres": "core/state/pgstate", "postgresql": "core/state/pgstate",
	"etcd": "core/state/etcdstate", "etcds": "core/state/etcdstate", "nats": "core/state/natsstate", "nats+tls": "core/state/natsstate",
	"s3": "core/state/blobstate", "gs": "core/state/blobstate", "azblob": "core/state/blobstate", "blob+file": "core/state/blobstate",
	"mysql": "core/state/sqlstate", "mariadb": "core/state/sqlstate", "sqlite": "core/state/sqlstate",
	"http": "core/state/httpstate", "https": "core/state/httpstate", "multi": "core/state/multistate",
}

// Register makes a scheme known to [Open]. Backend packages call it from init; a second call for a scheme replaces the first.
func Register(scheme string, open Opener) {
	openers.Lock()
	defer openers.Unlock()
	openers.byScheme[scheme] = open
}

// Open makes the backend that a state URL names: "file:recess.json", "memory:", "env:NAME". Its errors never repeat
// what follows the scheme, where secrets may stand; with an error the Backend is nil.
func Open(ctx context.Context, stateURL string) (Backend, error) {
	scheme, rest, ok := strings.Cut(stateURL, ":")
	if !ok || !schemeShape.MatchString(scheme) {
		return nil, fmt.Errorf("state: open: the state URL has no scheme: write it as in file:recess.json")
	}
	openers.Lock()
	open, linked := openers.byScheme[scheme]
	known := slices.Sorted(maps.Keys(openers.byScheme))
	openers.Unlock()
	switch pkg := imports[scheme]; {
	case linked:
		backend, err := open(ctx, rest)
		if err != nil {
			return nil, err // never a nil pointer in a Backend that is not nil, whatever the opener returned beside its error
		}
		return backend, nil
	case pkg != "":
		return nil, fmt.Errorf("state: open: the %s: backend is not linked into this program: import _ \"github.com/recess-go/recess/%s\"", scheme, pkg)
	}
	return nil, fmt.Errorf("state: open: no backend has the scheme %q; this program can open %s", scheme, strings.Join(known, ", "))
}
