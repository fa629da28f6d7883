package blobstate_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

// The requests that a fake store counts, delays and fails.
const (
	list   = "list"
	get    = "get"
	head   = "head"
	put    = "put"
	remove = "delete"
)

var (
	errMissing       = errors.New("no such object")
	errThere         = errors.New("the object exists")
	errDenied        = errors.New("denied")
	errUnimplemented = errors.New("not implemented here")
)

// An object is what a fake store keeps.
type object struct {
	data     []byte
	metadata map[string]string
	made     time.Time
}

// A shelf is what views of one fake store share.
type shelf struct {
	mu      sync.Mutex
	objects map[string]object
	clock   time.Time // moves with each write
	count   map[string]int

	// shown changes what a listing says.
	shown func(keys []string) []string
	// careless creates objects in the place of others.
	careless bool
	// took is called at each request that took effect. It must not call the store.
	took func(request, key string)
}

// A fake is an object store as the drivers see one, that does to requests what a test tells it to.
type fake struct {
	*shelf

	// before is called before a request takes effect; an error keeps it from that. after is called when it has, and may
	// turn the answer into an error. Both may wait. Neither holds a lock.
	before, after func(request, key string) error
}

var _ driver.Bucket = (*fake)(nil)

func newFake() *fake {
	return &fake{shelf: &shelf{
		objects: make(map[string]object), count: make(map[string]int),
		clock: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
	}}
}

// view returns the same store, of which requests are hooked on their own.
func (f *fake) view() *fake { return &fake{shelf: f.shelf} }

// open returns another backend on the store.
func (f *fake) open(t testing.TB) *blobstate.Backend {
	t.Helper()
	b, err := blobstate.New(blob.NewBucket(f), blobstate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// write makes an object past every backend.
func (f *fake) write(key, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make(key, []byte(text), nil)
}

func (f *fake) make(key string, data []byte, metadata map[string]string) {
	f.clock = f.clock.Add(time.Second)
	f.objects[key] = object{bytes.Clone(data), maps.Clone(metadata), f.clock}
}

// erase removes objects past every backend: those whose keys begin as said.
func (f *fake) erase(prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.objects, func(key string, _ object) bool { return strings.HasPrefix(key, prefix) })
}

// keys lists what is there.
func (f *fake) keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.objects))
}

func (f *fake) text(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.objects[key].data)
}

// counted returns how often a request was made so far.
func (f *fake) counted(request string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[request]
}

// request does something on the store, between the hooks.
func (f *fake) request(ctx context.Context, request, key string, do func() error) error {
	f.mu.Lock()
	f.count[request]++
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(request, key); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	err := do()
	if err == nil && f.took != nil {
		f.took(request, key)
	}
	f.mu.Unlock()
	if after != nil && err == nil {
		err = after(request, key)
	}
	return err
}

// hook sets what happens to requests from now on.
func (f *fake) hook(before, after func(request, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *fake) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, errMissing):
		return gcerrors.NotFound
	case errors.Is(err, errThere):
		return gcerrors.FailedPrecondition
	case errors.Is(err, errDenied):
		return gcerrors.PermissionDenied
	case errors.Is(err, errUnimplemented):
		return gcerrors.Unimplemented
	}
	return gcerrors.Unknown
}

func (f *fake) As(any) bool             { return false }
func (f *fake) ErrorAs(error, any) bool { return false }
func (f *fake) Close() error            { return nil }

func (f *fake) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	page := &driver.ListPage{}
	return page, f.request(ctx, list, o.Prefix, func() error {
		keys := slices.Sorted(maps.Keys(f.objects))
		if f.shown != nil {
			keys = f.shown(keys)
		}
		for _, key := range keys {
			rest, under := strings.CutPrefix(key, o.Prefix)
			if !under || key <= string(o.PageToken) {
				continue
			}
			if o.PageSize > 0 && len(page.Objects) == o.PageSize {
				page.NextPageToken = []byte(page.Objects[o.PageSize-1].Key)
				break
			}
			if dir, _, deeper := strings.Cut(rest, "/"); deeper && o.Delimiter == "/" {
				page.Objects = append(page.Objects, &driver.ListObject{Key: o.Prefix + dir + "/", IsDir: true})
				continue
			}
			kept := f.objects[key]
			sum := md5.Sum(kept.data)
			page.Objects = append(page.Objects, &driver.ListObject{
				Key: key, ModTime: kept.made, Size: int64(len(kept.data)), MD5: sum[:],
			})
		}
		return nil
	})
}

func (f *fake) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	attributes := &driver.Attributes{}
	return attributes, f.request(ctx, head, key, func() error {
		kept, found := f.objects[key]
		if !found {
			return errMissing
		}
		attributes.Metadata = kept.metadata
		return nil
	})
}

func (f *fake) NewRangeReader(ctx context.Context, key string, _, _ int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	r := &fakeReader{}
	return r, f.request(ctx, get, key, func() error {
		kept, found := f.objects[key]
		if !found {
			return errMissing
		}
		r.Reader = bytes.NewReader(kept.data)
		r.attributes = driver.ReaderAttributes{ModTime: kept.made, Size: int64(len(kept.data))}
		return nil
	})
}

type fakeReader struct {
	*bytes.Reader
	attributes driver.ReaderAttributes
}

func (r *fakeReader) Close() error                         { return nil }
func (r *fakeReader) As(any) bool                          { return false }
func (r *fakeReader) Attributes() *driver.ReaderAttributes { return &r.attributes }

func (f *fake) NewTypedWriter(ctx context.Context, key, _ string, o *driver.WriterOptions) (driver.Writer, error) {
	if o.BeforeWrite != nil {
		if err := o.BeforeWrite(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	return &fakeWriter{fake: f, ctx: ctx, key: key, options: *o}, nil
}

type fakeWriter struct {
	bytes.Buffer
	fake    *fake
	ctx     context.Context
	key     string
	options driver.WriterOptions
}

func (w *fakeWriter) Close() error {
	return w.fake.request(w.ctx, put, w.key, func() error {
		if _, found := w.fake.objects[w.key]; found && w.options.IfNotExist && !w.fake.careless {
			return errThere
		}
		w.fake.make(w.key, w.Bytes(), w.options.Metadata)
		return nil
	})
}

func (f *fake) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return f.request(ctx, remove, key, func() error {
		if _, found := f.objects[key]; !found {
			return errMissing
		}
		delete(f.objects, key)
		return nil
	})
}

func (f *fake) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errUnimplemented
}

func (f *fake) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errUnimplemented
}

// key is a revision's object under the default prefix.
func key(n int) string { return fmt.Sprintf("recess/rev-%08d.json", n) }

// text is the nth document.
func text(n int) string { return fmt.Sprintf("document %d", n) }

func read(t testing.TB, b state.Backend) state.Doc {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func save(t testing.TB, b state.Backend, old state.Rev, text string) state.Rev {
	t.Helper()
	rev, err := b.Save(t.Context(), old, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// saveUpTo makes the revisions that are missing up to the nth: document n in revision n.
func saveUpTo(t testing.TB, b state.Backend, n int) {
	t.Helper()
	for doc := read(t, b); ; {
		var at int
		fmt.Sscanf(string(doc.Data), "document %d", &at)
		if at >= n {
			return
		}
		doc = state.Doc{Rev: save(t, b, doc.Rev, text(at+1)), Data: []byte(text(at + 1))}
	}
}

func wantText(t testing.TB, b state.Backend, want string) {
	t.Helper()
	if doc := read(t, b); string(doc.Data) != want {
		t.Errorf("the document is %q, want %q", doc.Data, want)
	}
}

func keepFew(backends ...*blobstate.Backend) {
	for _, b := range backends {
		blobstate.Keep(b, few)
	}
}

func bucketOf(d driver.Bucket) *blob.Bucket { return blob.NewBucket(d) }

// waiting is a store that never answers.
type waiting struct{ *fake }

func (*waiting) ListPaged(ctx context.Context, _ *driver.ListOptions) (*driver.ListPage, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
