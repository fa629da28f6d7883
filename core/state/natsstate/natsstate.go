// Package natsstate keeps the state in a key-value bucket of NATS JetStream: for fleets that have NATS already. Changes
// are pushed, and instances announce themselves with a time to live that the server measures. Its state URL is
//
//	nats://user:password@host:4222,host2:4222?bucket=recess&key=recess
//
// or nats+tls: where the server must speak TLS. One word before the '@' is a token; creds=FILE or nkey=FILE may stand in
// place of all that. What else a URL can say is in docs/backends.md.
//
// The bucket is made once, by "recess migrate" or [Backend.Migrate]: services need no right to make one, and how many
// replicas it has is nobody's accident. Until then every call is an error that says so. A bucket that has been there and
// is gone (a restarted server that kept it in memory) is a missing document: an engine keeps the last known state and
// reports it, and follows the bucket that is made anew. Instances are kept in a bucket of their own, BUCKET-instances, so
// that they cannot fill the other one, and a bucket without it carries the state all the same.
//
// The document is the plain value of its key, to be looked at and changed with NATS' own tool:
//
//	nats kv get recess recess --raw
//	nats kv put recess recess < recess.json
//	nats kv del recess recess
//
// Reads are answered by the leader of the bucket's stream, not by a replica that may be behind. A save is compared and
// stored there too: of two, one wins. A leader that was cut off from the majority answers reads until it notices.
package natsstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// The names of the bucket and of the key, where the configuration leaves them out.
const (
	DefaultBucket = "recess"
	DefaultKey    = "recess"
)

// Config says where the document is kept and how the server is treated. The zero Config is fine for one application.
type Config struct {
	// Bucket is the key-value bucket: DefaultBucket if "".
	Bucket string
	// Key is the document's key in it: DefaultKey if "".
	Key string
	// Domain is the JetStream domain of the bucket, for a client that is connected to a leaf node. "" is the domain of
	// the server that the client is connected to.
	Domain string

	// Timeout bounds every call to the server, the wait for a connection included: driver.DefaultTimeout if 0.
	Timeout time.Duration
	// Probe is after how much silence the watch asks the server for a sign of life: driver.DefaultProbe if 0.
	Probe time.Duration

	// Replicas is how many servers keep what Migrate makes, from 1 to 5: 1 if 0.
	Replicas int
	// Memory has Migrate make buckets that end with their servers.
	Memory bool
}

// A Backend is a [state.Backend], a [state.Presence] and a [state.Migrator] on a key-value bucket.
type Backend struct {
	*driver.Backend
	store *store
}

var (
	_ state.Backend  = (*Backend)(nil)
	_ state.Presence = (*Backend)(nil)
	_ state.Migrator = (*Backend)(nil)
)

// New returns a backend over a client, which the caller keeps and closes.
//
// How soon the backend gets over a lost or half-open connection is for the client's options to say, and nats.go's own
// are slow: set nats.MaxReconnects(-1), nats.PingInterval (a second or two) and nats.ReconnectWait. A client that is not
// connected buffers what is published: set nats.ReconnectBufSize(-1), or what was begun in the moment in which the
// connection broke may be done after it was reported as failed.
func New(client *nats.Conn, config Config) (*Backend, error) {
	if client == nil {
		return nil, errors.New("natsstate: new: the client is nil")
	}
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("natsstate: new: %w", err)
	}
	return on(handedIn(client), config), nil
}

func on(l *link, config Config) *Backend {
	config = config.complete()
	s := newStore(l, config)
	return &Backend{driver.New(s, driver.Config{Name: "natsstate", Timeout: config.Timeout, Probe: config.Probe}), s}
}

// complete returns the configuration with its defaults.
func (c Config) complete() Config {
	c.Bucket = cmp.Or(c.Bucket, DefaultBucket)
	c.Key = cmp.Or(c.Key, DefaultKey)
	c.Timeout = cmp.Or(c.Timeout, driver.DefaultTimeout)
	c.Probe = cmp.Or(c.Probe, driver.DefaultProbe)
	c.Replicas = cmp.Or(c.Replicas, 1)
	return c
}

const (
	maxName     = 200              // bytes of a bucket's or key's name; the server takes streams of up to 255
	maxReplicas = 5                // of a stream
	minProbe    = time.Second / 10 // the least that the server takes between two heartbeats
)

var (
	bucketShape = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	keyShape    = regexp.MustCompile(`^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$`)
	domainShape = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

func (c Config) check() error {
	switch c := c.complete(); {
	case !bucketShape.MatchString(c.Bucket):
		return fmt.Errorf("the bucket's name %.60q has other characters than letters, digits, '_' and '-'", c.Bucket)
	case !keyShape.MatchString(c.Key):
		return fmt.Errorf("the key %.60q is no name of a key: letters, digits and any of -/_= are allowed, in parts between dots", c.Key)
	case len(c.Bucket) > maxName || len(c.Key) > maxName:
		return fmt.Errorf("the names of bucket and key have %d and %d bytes, at most %d are allowed", len(c.Bucket), len(c.Key), maxName)
	case c.Domain != "" && !domainShape.MatchString(c.Domain):
		return fmt.Errorf("the domain %.60q has other characters than letters, digits, '_' and '-'", c.Domain)
	case c.Timeout < 0:
		return fmt.Errorf("the timeout is %s: it must be positive", c.Timeout)
	case c.Probe < minProbe:
		return fmt.Errorf("the probe is %s: it must be %s at least", c.Probe, minProbe)
	case c.Replicas < 1 || c.Replicas > maxReplicas:
		return fmt.Errorf("the number of replicas is %d: it must be from 1 to %d", c.Replicas, maxReplicas)
	}
	return nil
}

// Migrate implements [state.Migrator]: it makes the two buckets, where they are missing, with the configured number of
// replicas. Buckets that are there it leaves as they are; one that could not keep the state is an error that says why.
func (b *Backend) Migrate(ctx context.Context) error { return b.Call(ctx, "migrate", b.store.migrate) }

// names are what one document is called on the server.
type names struct {
	bucket  string
	stream  string // the bucket's
	subject string // the key's
	put     string // where the key is published to
	api     string // what stands before each subject of JetStream's API

	instances       string // the bucket of instances
	instancesStream string
	instancesPrefix string // what stands before the name of an instance in the subject of its key
	announce        string // and where it is published to
}

func namesOf(c Config) names {
	n := names{bucket: c.Bucket, instances: c.Bucket + "-instances", api: "$JS.API."}
	publish := ""
	if c.Domain != "" {
		n.api = "$JS." + c.Domain + ".API."
		publish = n.api
	}
	n.stream, n.instancesStream = "KV_"+n.bucket, "KV_"+n.instances
	n.subject = "$KV." + n.bucket + "." + c.Key
	n.instancesPrefix = "$KV." + n.instances + "." + c.Key + "."
	n.put, n.announce = publish+n.subject, publish+n.instancesPrefix
	return n
}

// instanceToken writes an instance's id as one part of a subject, where a dot would part it.
func instanceToken(id string) string { return strings.ReplaceAll(id, ".", "=") }

func instanceID(token string) string { return strings.ReplaceAll(token, "=", ".") }
