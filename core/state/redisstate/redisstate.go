// Package redisstate keeps the state in Redis or Valkey: on one server, behind Sentinel, or in a Cluster. Instances are
// told of a change within milliseconds, by pub/sub, and find it by polling where a message is lost.
//
// The document is the field "document" of one hash, byte for byte. With redis-cli it is read and replaced by
//
//	HGET recess document
//	HSET recess document '{"version":1}'
//
// and "PUBLISH {recess}:changes:0 look" afterwards tells all instances at once (0 is the number of the database);
// without it they see the new document at their next poll. The other fields are the backend's own: "rev" counts the
// saves, and "save" is the id of the last one.
//
// Its state URLs are
//
//	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
//	redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT],…/MASTER[/DB]
//	redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT],…
//	redis+unix://[[USER]:PASSWORD@]/PATH/OF/SOCKET[?db=DB]
//
// and, with TLS, rediss, rediss+sentinel (for the sentinels too) and rediss+cluster. In a user, a password and the name of
// a master, every character but letters, digits and "-._~" is written as %XX. The query may say
//
//	key=NAME                   Config.Key
//	timeout=4s, probe=2s       Config.Timeout, Config.Probe
//	db=DB                      the database, as after the slash
//	sentinel_username=USER     for the sentinels; USER and PASSWORD before the host are for the servers
//	sentinel_password=PASSWORD
//	tls_ca=FILE                PEM certificates of the authorities that are trusted, in place of the system's
//	tls_cert=FILE, tls_key=FILE  the client's own certificate, read again for each connection
//	tls_server_name=NAME       the name in the server's certificate; else the host that is connected to
//	tls_skip_verify=true       trust every server: for trying things out
//
// Redis answers a write before it is on a disk or a replica. A server that loses its data, or a replica that takes over
// without the last change, offers an older document or none: the engine keeps what it knows and reports a regression.
// Where maxmemory is set, the policy must not be one of allkeys-*, which forget the document.
package redisstate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// DefaultKey is the key of the document where [Config] names none.
const DefaultKey = "recess"

// Config says where the document is kept, and how the server is treated. The zero Config is of use.
type Config struct {
	// Key is the key of the hash that holds the document: DefaultKey if "". Applications that share a database need
	// keys of their own. Everything else that a backend keeps begins with "{Key}:", and so stands in the same slot of a
	// cluster; a Key with a hash tag ("{shop}:recess") puts all of it into the slot of that tag, and before the colon
	// stands the Key itself.
	Key string
	// Timeout bounds every call to the server: [driver.DefaultTimeout] if 0.
	Timeout time.Duration
	// Probe is after how much silence the server is asked whether it lives, and how long it may take to answer:
	// [driver.DefaultProbe] if 0.
	Probe time.Duration
}

// A Backend is a [state.Backend] and a [state.Presence] in Redis.
type Backend struct {
	*driver.Backend
	store *store
}

var (
	_ state.Backend  = (*Backend)(nil)
	_ state.Presence = (*Backend)(nil)
)

// New returns a backend over a *redis.Client (one of NewFailoverClient too) or a *redis.ClusterClient, which the caller
// keeps, and closes after the backend. The client must heed the deadlines of its callers (ContextTimeoutEnabled) and
// read from masters alone. How it retries does not matter: no command is sent twice without the server being able to
// tell. A Backend from [state.Open] copes better with connections that died in silence, since it knows its own.
//
// Close waits for calls that have begun, no longer than Config.Timeout: they are on the client's connections.
func New(client redis.UniversalClient, config Config) (*Backend, error) {
	db, where, err := check(client)
	if err == nil {
		err = config.check()
	}
	if err != nil {
		return nil, fmt.Errorf("redisstate: new: %w", err)
	}
	return on(&store{client: client, keys: keysOf(config.Key, db), where: where}, config), nil
}

func on(s *store, config Config) *Backend {
	return &Backend{driver.New(s, driver.Config{Name: "redisstate", Timeout: config.Timeout, Probe: config.Probe}), s}
}

func (c Config) check() error {
	switch {
	case c.Timeout < 0:
		return fmt.Errorf("the timeout is %s: it must be positive", c.Timeout)
	case c.Probe < 0:
		return fmt.Errorf("the probe is %s: it must be positive", c.Probe)
	}
	return checkKey(c.Key)
}

// check returns a client's database and address, or why the client cannot be used.
func check(client redis.UniversalClient) (db int, where string, err error) {
	heedless := errors.New("the client does not heed the deadlines of its callers: set ContextTimeoutEnabled in its options")
	switch c := client.(type) {
	case *redis.Client:
		if c == nil {
			break
		}
		if !c.Options().ContextTimeoutEnabled {
			return 0, "", heedless
		}
		return c.Options().DB, c.Options().Addr, nil
	case *redis.ClusterClient:
		if c == nil {
			break
		}
		switch o := c.Options(); {
		case !o.ContextTimeoutEnabled:
			return 0, "", heedless
		case o.ReadOnly:
			return 0, "", errors.New("the client reads from replicas, which may be behind: leave ReadOnly, RouteByLatency and RouteRandomly out of its options")
		default:
			return 0, strings.Join(o.Addrs, ","), nil
		}
	case *redis.Ring:
		return 0, "", errors.New("a Ring moves a key to another server when its own is down, and the state would fork: use one server, Sentinel or a Cluster")
	case nil:
	default:
		return 0, "", fmt.Errorf("a %T is not supported: hand in a *redis.Client or a *redis.ClusterClient", client)
	}
	return 0, "", errors.New("the client is nil")
}

// keys are the names of all that one document has on the server. In a cluster they stand in one slot.
type keys struct {
	document string // the hash
	channel  string // with the number of the database, since all databases share their channels
	index    string // the sorted set of instances, by the millisecond in which their announcement expires
	report   string // and an id: what that instance says of itself
}

func keysOf(key string, db int) keys {
	key = cmp.Or(key, DefaultKey)
	base := key
	if !strings.Contains(key, "{") {
		base = "{" + key + "}"
	}
	return keys{key, fmt.Sprintf("%s:changes:%d", base, db), base + ":instances", base + ":instance:"}
}

// checkKey refuses a key whose braces would send what belongs to it to another slot of a cluster.
func checkKey(key string) error {
	if !strings.ContainsAny(key, "{}") {
		return nil
	}
	before, after, _ := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(after, "}")
	if strings.Contains(before, "}") || !closed || tag == "" {
		return fmt.Errorf("the braces of the key %.60q are no hash tag: write them as in {shop}:recess, or leave them out", key)
	}
	return nil
}
