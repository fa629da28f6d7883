package rigs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // brings s3:

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
	"github.com/recess-go/recess/core/state/driver"
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("s3", newS3) }

func newS3(t testing.TB) Rig {
	S3Credentials()
	server := servers.S3(t)
	url := func(addr string) string { return S3URL(addr, blobstate.DefaultPrefix) }
	return Rig{
		Server: server,
		URL:    url,
		Open:   func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, url(addr)) },
		Put:    func(t testing.TB, data []byte) { t.Helper(); S3Put(t, server.Addr, blobstate.DefaultPrefix, data) },
		Notice: driver.DefaultTimeout,
		Harness: statetest.Harness{
			Packages: []string{"github.com/aws/aws-sdk-go-v2"},
			Fresh: func(t *testing.T) statetest.Store {
				prefix, reads := freshKey(), new(atomic.Int64)
				counted := countReads(t, server.Addr, reads)
				return statetest.Store{
					Open:  func(t *testing.T) state.Backend { t.Helper(); return open(t, S3URL(counted, prefix)) },
					Put:   func(t *testing.T, data []byte) { t.Helper(); S3Put(t, server.Addr, prefix, data) },
					Looks: func() int { return int(reads.Load()) },
				}
			},
		},
	}
}

// S3URL is the state URL of the document under a prefix.
func S3URL(addr, prefix string) string {
	return fmt.Sprintf("s3://%s?endpoint=http://%s&use_path_style=true&region=us-east-1&prefix=%s", servers.S3Bucket, addr, prefix)
}

// S3Credentials makes this process, and those that it starts, the owner of the bucket, whatever else stands in the
// developer's environment and files.
func S3Credentials() {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": servers.S3Owner, "AWS_SECRET_ACCESS_KEY": servers.S3Secret(servers.S3Owner), "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "", "AWS_CA_BUNDLE": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err) // the names above are sound
		}
	}
}

// S3Operator returns the bucket as an operator has it, past every backend. It is closed with the test.
func S3Operator(t testing.TB, addr string) *blob.Bucket {
	t.Helper()
	address, _, _ := strings.Cut(S3URL(addr, ""), "&prefix=")
	bucket, err := blob.OpenBucket(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	return bucket
}

// S3Put makes the next revision, as an operator would; nil data removes them all.
func S3Put(t testing.TB, addr, prefix string, data []byte) {
	t.Helper()
	bucket := S3Operator(t, addr)
	ctx := context.Background()
	keys := S3Keys(t, bucket, prefix)
	if data == nil {
		for _, key := range keys {
			if err := bucket.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	number := 0
	if len(keys) > 0 {
		if _, err := fmt.Sscanf(keys[len(keys)-1], prefix+"/rev-%d.json", &number); err != nil {
			t.Fatal(err)
		}
	}
	if err := bucket.WriteAll(ctx, fmt.Sprintf("%s/rev-%08d.json", prefix, number+1), data, nil); err != nil {
		t.Fatal(err)
	}
}

// S3Keys lists what is under a prefix.
func S3Keys(t testing.TB, bucket *blob.Bucket, prefix string) (keys []string) {
	t.Helper()
	for objects := bucket.List(&blob.ListOptions{Prefix: prefix + "/"}); ; {
		object, err := objects.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
}

// countReads passes connections on to a server, and counts the requests on the way that read. It returns its address.
// A request of HTTP/1.1 begins with what a client sends next when it was answered.
func countReads(t testing.TB, addr string, reads *atomic.Int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	relay := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer server.Close()
		running.Go(func() {
			_, _ = io.Copy(client, server) // until one of them closes it
			client.Close()
		})
		for piece := make([]byte, 64<<10); ; {
			n, err := client.Read(piece)
			if bytes.HasPrefix(piece[:n], []byte("GET ")) || bytes.HasPrefix(piece[:n], []byte("HEAD ")) {
				reads.Add(1)
			}
			if _, lost := server.Write(piece[:n]); err != nil || lost != nil {
				return
			}
		}
	}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			running.Go(func() { relay(client) })
		}
	})
	return listener.Addr().String()
}

// S3Front starts an HTTP proxy that hands each request to serve, together with the way on to the server, and returns its
// address. Signatures stay sound: a request arrives as it was sent.
func S3Front(t testing.TB, addr string, serve func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	next := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as if there were no proxy
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, next) }))
	t.Cleanup(func() {
		front.Close()
		transport.CloseIdleConnections()
	})
	return strings.TrimPrefix(front.URL, "http://")
}
