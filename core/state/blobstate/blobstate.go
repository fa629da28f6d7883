// Package blobstate keeps the state in an object store: Amazon S3 and what speaks its protocol, Google Cloud Storage,
// Azure Blob Storage, or a directory. It is for a fleet that has an object store and nothing faster: a bucket cannot
// tell of changes, so it is polled, with one request for each look as long as nothing changes.
//
// The store's driver is the application's choice, so that nobody carries three clouds' clients for the sake of one:
//
//	import (
//		_ "github.com/recess-go/recess/core/state/blobstate"
//		_ "gocloud.dev/blob/s3blob" // s3://; gcsblob for gs://, azureblob for azblob://, fileblob for blob+file://
//	)
//
// A state URL is s3://BUCKET, gs://BUCKET, azblob://CONTAINER or blob+file:///DIRECTORY. The query parameters prefix and
// timeout are those of [Config]; all others are the driver's, as in
//
//	s3://ops?region=eu-central-1
//	s3://ops?prefix=shop&endpoint=http://127.0.0.1:9000&use_path_style=true&region=us-east-1
//
// Credentials never stand in the URL: each driver finds them where its cloud's own tools do.
//
// # What is in the bucket
//
// Each revision is an object of its own, PREFIX/rev-00000042.json, which holds the document byte for byte. The one with
// the highest number counts. A change creates the next number, on the condition that it does not exist: of many writers
// exactly one succeeds. Old revisions are removed by the writers, but for the newest 32. Everything else under PREFIX
// is left alone. To change the document by hand, create the object with the next number.
//
// The store must list an object as soon as it is written, as Amazon's, Google's and Azure's do, and must refuse to
// create what exists: a backend tries that with its first change, and says so where it is not the case.
package blobstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/recess-go/recess/core/state/driver"
)

// DefaultPrefix is where the document is kept if nothing else is said.
const DefaultPrefix = "recess"

// Config says where in the bucket the document is kept. The zero Config is usable.
type Config struct {
	// Prefix is the folder of the revisions: names of letters, digits, '.', '_' and '-', separated by '/'.
	// DefaultPrefix if empty. Each application that shares a bucket needs its own.
	Prefix string
	// Timeout bounds every look and every change, which takes three to six requests, one after the other.
	// [driver.DefaultTimeout] if 0.
	Timeout time.Duration
}

// A Backend is a [state.Backend] on a bucket. It cannot be told of changes: Next answers at once, and callers poll.
type Backend struct {
	*driver.Backend

	store *store
}

// New returns a backend on a bucket, which the caller keeps and closes, after the backend. It does not ask the store
// for anything. A bucket of fileblob must make its temporary files in place (fileblob.Options.NoTempDir).
func New(bucket *blob.Bucket, config Config) (*Backend, error) {
	b, err := newBackend(bucket, config)
	if err != nil {
		return nil, fmt.Errorf("blobstate: %w", err)
	}
	return b, nil
}

func newBackend(bucket *blob.Bucket, config Config) (*Backend, error) {
	if bucket == nil {
		return nil, errors.New("a bucket is needed, and it is nil")
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	var directory os.FileInfo
	s := &store{
		bucket: bucket,
		prefix: cmp.Or(config.Prefix, DefaultPrefix) + "/",
		keep:   kept,
		local:  bucket.As(&directory),

		makeLink: os.Link,
	}
	return &Backend{driver.New(s, driver.Config{Name: "blobstate", Timeout: config.Timeout}), s}, nil
}

// Prune removes the revisions that no longer count, but for the newest 32. Each Save removes some too, and does not
// fail when it may not; this says why. A store that must not forget (a retention rule, a missing permission) works all
// the same, but each look then costs one request for every thousand revisions.
func (b *Backend) Prune(ctx context.Context) error {
	return b.Call(ctx, "prune", func(ctx context.Context) error {
		revisions, err := b.store.list(ctx)
		if err != nil {
			return err
		}
		return b.store.prune(ctx, revisions, len(revisions))
	})
}

const maxPrefix = 512 // bytes; keys of 1024 are allowed everywhere

var prefixShape = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)

func (c Config) check() error {
	if c.Timeout < 0 {
		return fmt.Errorf("timeout: %s is no time to wait: leave it out for %s", c.Timeout, driver.DefaultTimeout)
	}
	if c.Prefix == "" {
		return nil
	}
	ok := prefixShape.MatchString(c.Prefix) && len(c.Prefix) <= maxPrefix
	for _, name := range strings.Split(c.Prefix, "/") {
		ok = ok && name != "." && name != ".."
	}
	if !ok {
		return fmt.Errorf("prefix: %.80q: use names of letters, digits, '.', '_' and '-', separated by '/', %d bytes at most",
			c.Prefix, maxPrefix)
	}
	return nil
}
