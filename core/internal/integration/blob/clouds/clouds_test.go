// Package clouds_test holds what can be known of the drivers of Google's and Azure's object stores without their clouds:
// that their URLs are understood, their errors explained, and that they ask for what compare-and-swap needs.
package clouds_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	_ "gocloud.dev/blob/azureblob" // brings azblob:
	_ "gocloud.dev/blob/gcsblob"   // brings gs:
	_ "gocloud.dev/blob/s3blob"    // brings s3:

	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/blobstate" // brings them all
)

// open opens a backend, which is closed with the test.
func open(t *testing.T, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// A cloud is a server that answers as a cloud would that refuses, and takes down what it was asked.
type cloud struct {
	addr     string
	answer   func(w http.ResponseWriter, r *http.Request)
	requests []*http.Request
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests = append(c.requests, r)
		c.answer(w, r)
	}))
	t.Cleanup(server.Close)
	c.addr = strings.TrimPrefix(server.URL, "http://")
	return c
}

func TestGoogleCloudStorageIsUnderstood(t *testing.T) {
	c := newCloud(t)
	t.Setenv("STORAGE_EMULATOR_HOST", c.addr)
	refuse := func(status int, reason string) {
		c.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error": {"code": %d, "message": "made up", "errors": [{"reason": %q, "message": "made up"}]}}`, status, reason)
		}
	}
	b := open(t, "gs://ops?anonymous=true&prefix=shop")
	for _, e := range []struct {
		status       int
		reason, says string
	}{
		{http.StatusNotFound, "notFound", "no such bucket"},
		{http.StatusForbidden, "forbidden", "storage.objects.list"},
		{http.StatusUnauthorized, "authError", "no such credentials"},
	} {
		refuse(e.status, e.reason)
		_, err := state.Read(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), e.says) {
			t.Errorf("%s: %v", e.reason, err)
		}
	}
	if q := c.requests[0].URL.Query(); q.Get("prefix") != "shop/rev-" || q.Get("delimiter") != "/" {
		t.Errorf("it was asked for %s", c.requests[0].URL)
	}
	conditions := 0
	c.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodPost && r.URL.Query().Get("ifGenerationMatch") == "0":
			conditions++
			w.WriteHeader(http.StatusPreconditionFailed)
			fmt.Fprint(w, `{"error": {"code": 412, "message": "made up", "errors": [{"reason": "conditionNotMet"}]}}`)
		case strings.Contains(r.URL.Path, "rev-"):
			fmt.Fprint(w, `{"name": "shop/rev-00000001.json", "metadata": {"recesswriter": "somebody else"}}`)
		default:
			fmt.Fprint(w, `{"items": []}`)
		}
	}
	_, err := b.Save(t.Context(), state.None, []byte("x"))
	if !errors.Is(err, state.ErrConflict) || conditions != 1 {
		t.Errorf("Save, with %d conditions: %v", conditions, err)
	}
}

func TestAzureBlobStorageIsUnderstood(t *testing.T) {
	c := newCloud(t)
	t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
	t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0LWtleQ==")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "")
	b := open(t, "azblob://ops?protocol=http&domain="+c.addr+"&prefix=shop")
	for _, e := range []struct {
		status     int
		code, says string
	}{
		{http.StatusNotFound, "ContainerNotFound", "no such bucket"},
		{http.StatusForbidden, "AuthenticationFailed", "AZURE_STORAGE_KEY"},
		{http.StatusForbidden, "AuthorizationPermissionMismatch", "Storage Blob Data Reader"},
	} {
		c.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", e.code)
			w.WriteHeader(e.status)
		}
		_, err := state.Read(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), e.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", e.code, err)
		}
	}
	if q := c.requests[0].URL.Query(); q.Get("prefix") != "shop/rev-" || q.Get("delimiter") != "/" {
		t.Errorf("it was asked for %s", c.requests[0].URL)
	}
	conditions := 0
	c.answer = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.Header.Get("If-None-Match") == "*":
			conditions++
			w.Header().Set("x-ms-error-code", "BlobAlreadyExists")
			w.WriteHeader(http.StatusConflict)
		case r.Method == http.MethodHead:
			w.Header().Set("x-ms-meta-recesswriter", "somebody else")
			w.Header().Set("Last-Modified", "Sat, 21 Nov 2026 12:00:00 GMT")
			w.Header().Set("x-ms-creation-time", "Sat, 21 Nov 2026 12:00:00 GMT")
		default:
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>`)
		}
	}
	_, err := b.Save(t.Context(), state.None, []byte("x"))
	if !errors.Is(err, state.ErrConflict) || conditions != 1 {
		t.Errorf("Save, with %d conditions: %v", conditions, err)
	}
}

func TestAParameterThatADriverDoesNotKnowIsRefused(t *testing.T) {
	const secret = "s3cr3tValue"
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	for stateURL, names := range map[string]string{
		"s3://ops?region=us-east-1&secret=":        "secret",
		"s3://ops?anonymous=":                      "anonymous",
		"s3://ops?role=":                           "role",
		"s3://ops?use_path_style=":                 "use_path_style",
		"gs://ops?secret=":                         "secret",
		"gs://ops?anonymous=":                      "anonymous",
		"azblob://ops?storage_account=a&secret=":   "secret",
		"azblob://ops?storage_account=a&localemu=": "localemu",
	} {
		b, err := state.Open(t.Context(), stateURL+secret)
		switch {
		case err == nil:
			t.Errorf("%s was opened", stateURL)
			b.Close()
		case strings.Contains(err.Error(), secret), !strings.Contains(err.Error(), names):
			t.Errorf("%s: %v", stateURL, err)
		}
	}
}
