package blobstate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

// secret stands for what no error may show.
const secret = "S3cr3tValue"

func TestAURLThatCannotBeUsedIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ url, says string }{
		{"s3:", "s3://BUCKET"},
		{"s3:" + secret, "s3://BUCKET"},
		{"s3://", "which bucket"},
		{"s3://?region=" + secret, "which bucket"},
		{"s3:///" + secret, "which bucket"},
		{"s3://b/" + secret, "prefix="},
		{"s3://b:9000", "no port"},
		{"s3://key:" + secret + "@b", "AWS_SECRET_ACCESS_KEY"},
		{"s3://" + secret + "@b", "AWS_SECRET_ACCESS_KEY"},
		{"s3://key:" + secret + "/x@b", "AWS_SECRET_ACCESS_KEY"},
		{"s3://key:" + secret + "?x@b", "URL"},
		{"s3://key:" + secret + "#x@b", "%23"},
		{"s3://b#" + secret, "%23"},
		{"s3://b?region=" + secret + "%zz", "query"},
		{"s3://b?region=eu;" + secret, "query"},
		{"s3://b%zz" + secret, "URL"},
		{"s3://b?region=" + secret + "&region=eu", `"region" is given twice`},
		{"s3://b?timeout=" + "soon", "timeout"},
		{"s3://b?timeout=-1s", "timeout"},
		{"s3://b?timeout=0s", "timeout"},
		{"s3://b?timeout=", "timeout"},
		{"s3://b?timeout=4", "timeout"},
		{"s3://b?prefix=", "prefix is empty"},
		{"s3://b?prefix=/a", "prefix"},
		{"s3://b?prefix=a/", "prefix"},
		{"s3://b?prefix=a//b", "prefix"},
		{"s3://b?prefix=a/../b", "prefix"},
		{"s3://b?prefix=.", "prefix"},
		{"s3://b?prefix=a%20b", "prefix"},
		{"s3://b?prefix=" + strings.Repeat("a", 513), "512"},
		{"s3://b?key=" + secret, `"key"`},
		{"s3://b?endpoint=localhost:9000", "endpoint"},
		{"s3://b?endpoint=ftp://localhost", "endpoint"},
		{"s3://b?endpoint=http://", "endpoint"},
		{"s3://b?endpoint=http://key:" + secret + "@localhost", "endpoint"},
		{"s3://b?endpoint=http://localhost/%3Ftoken%3D" + secret, "endpoint"},
		{"s3://b?endpoint=http://" + secret + "%25zz", "endpoint"},
		{"s3://b?region=eu", `import _ "gocloud.dev/blob/s3blob"`},
		{"s3://b?secret=" + secret, `import _ "gocloud.dev/blob/s3blob"`},
		{"gs://b", `import _ "gocloud.dev/blob/gcsblob"`},
		{"gs://key:" + secret + "@b", "GOOGLE_APPLICATION_CREDENTIALS"},
		{"azblob://b?storage_account=a", `import _ "gocloud.dev/blob/azureblob"`},
		{"azblob://key:" + secret + "@b", "AZURE_STORAGE_KEY"},
		{"blob+file:" + dir, "blob+file:///DIRECTORY"},
		{"blob+file://", "which directory"},
		{"blob+file:///", "which directory"},
		{"blob+file://elsewhere/tmp", "host"},
		{"blob+file://u:" + secret + "@localhost/tmp", "credentials"},
		{"blob+file://" + dir + "/missing", "create_dir=true"},
		{"blob+file://" + dir + "?secret=" + secret, `"secret"`},
		{"blob+file://" + dir + "?metadata=" + secret, "metadata"},
		{"blob+file://" + dir + "?dir_file_mode=" + secret, "dir_file_mode"},
		{"blob+file://" + dir + "?base_url=" + secret, "secret_key_path"},
	} {
		b, err := state.Open(t.Context(), c.url)
		switch {
		case err == nil:
			t.Errorf("%s was opened", c.url)
			b.Close()
		case b != nil:
			t.Errorf("%s: with an error came a backend", c.url)
		case !strings.HasPrefix(err.Error(), "blobstate: open: "), !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %q does not say %q", c.url, err, c.says)
		case strings.Contains(err.Error(), secret), strings.ContainsAny(err.Error(), "\n\r\t"):
			t.Errorf("%s: %q", c.url, err)
		}
	}
}

func TestParametersOfOursAndOfTheDriver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not made yet")
	b := open(t, "blob+file://"+strings.ReplaceAll(dir, " ", "%20")+"?create_dir=true&prefix=shop/state_1.2-x&timeout=10s")
	defer b.Close()
	save(t, b, state.None, "one")
	if _, err := os.Stat(filepath.Join(dir, "shop", "state_1.2-x", "rev-00000001.json")); err != nil {
		t.Error(err)
	}
	t.Chdir(filepath.Dir(dir))
	relative := open(t, "blob+file://./not%20made%20yet?prefix=shop/state_1.2-x")
	defer relative.Close()
	wantText(t, relative, "one")
	elsewhere := open(t, "blob+file://localhost"+strings.ReplaceAll(dir, " ", "%20"))
	defer elsewhere.Close()
	wantText(t, elsewhere, "")
}

func TestTheTimeoutCounts(t *testing.T) {
	b, err := blobstate.New(bucketOf(&waiting{newFake()}), blobstate.Config{Timeout: 20 * time.Millisecond})
	must(t, err)
	defer b.Close()
	_, err = state.Read(t.Context(), b)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Next: %v", err)
	}
}

func TestAConfigThatCannotBeUsedIsRefused(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer bucket.Close()
	for name, config := range map[string]blobstate.Config{
		"prefix": {Prefix: "a b"}, "timeout": {Timeout: -1},
	} {
		if b, err := blobstate.New(bucket, config); err == nil || b != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := blobstate.New(nil, blobstate.Config{}); err == nil || b != nil {
		t.Error("no bucket was no error")
	}
}

func TestABucketHandedInStaysOpen(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	b, err := blobstate.New(bucket, blobstate.Config{})
	must(t, err)
	must(t, b.Close())
	must(t, bucket.WriteAll(t.Context(), "x", nil, nil))
	must(t, bucket.Close())
	b, err = blobstate.New(bucket, blobstate.Config{})
	must(t, err)
	defer b.Close()
	if _, err := b.Save(t.Context(), state.None, []byte("x")); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Save on a closed bucket: %v", err)
	}
}
