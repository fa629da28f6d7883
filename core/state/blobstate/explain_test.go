package blobstate_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
)

// answered is an error that has an answer's status, as the AWS client's errors do.
type answered struct {
	named

	status int
}

func (e answered) HTTPStatusCode() int { return e.status }

func TestWhatAnOperatorMustDoIsSaid(t *testing.T) {
	azure := func(status int, code string) error {
		return fmt.Errorf("GET https://acc.blob.core.windows.net/c\n-----\nRESPONSE %d: %d x\nERROR CODE: %s\n-----\n<xml/>", status, status, code)
	}
	google := func(status int, reason string) error {
		return fmt.Errorf("googleapi: Error %d: x does not have storage.objects.list access, %s", status, reason)
	}
	for _, c := range []struct {
		request  string
		err      error
		says     string
		readOnly bool
	}{
		{list, answered{"NoSuchBucket", 404}, "no such bucket", false},
		{list, azure(404, "ContainerNotFound"), "no such bucket", false},
		{list, google(404, "notFound"), "no such bucket", false},
		{list, answered{"AccessDenied", 403}, "s3:ListBucket", false},
		{list, azure(403, "AuthorizationPermissionMismatch"), "Storage Blob Data Reader", false},
		{list, google(403, "forbidden"), "storage.objects.list", false},
		{get, answered{"AccessDenied", 403}, "s3:GetObject", false},
		{put, answered{"AccessDenied", 403}, "s3:PutObject", true},
		{put, azure(403, "AuthorizationPermissionMismatch"), "Storage Blob Data Contributor", true},
		{put, google(403, "forbidden"), "storage.objects.create", true},
		{put, errDenied, "s3:PutObject", true},
		{list, answered{"InvalidAccessKeyId", 403}, "AWS_ACCESS_KEY_ID", false},
		{list, answered{"SignatureDoesNotMatch", 403}, "AWS_SECRET_ACCESS_KEY", false},
		{list, answered{"ExpiredToken", 400}, "expired", false},
		{list, answered{"ExpiredTokenException", 400}, "expired", false},
		{list, answered{"InvalidToken", 400}, "AWS_SESSION_TOKEN", false},
		{list, answered{"RequestTimeTooSkewed", 403}, "clock", false},
		{list, azure(403, "AuthenticationFailed"), "AZURE_STORAGE_KEY", false},
		{list, google(401, "authError"), "no such credentials", false},
		{list, answered{"PermanentRedirect", 301}, "another region", false},
		{list, answered{"", 301}, "another region", false},
		{list, answered{"AuthorizationHeaderMalformed", 400}, "another region", false},
		{list, answered{"SlowDown", 503}, "so many requests", false},
		{list, answered{"", 429}, "so many requests", false},
		{list, answered{"InvalidBucketName", 400}, "no bucket can have this name", false},
		{list, errors.New("not found, Invalid Configuration: Missing Region"), "region=", false},
		{list, errors.New("get identity: get credentials: failed to refresh cached credentials"), "no credentials", false},
		{list, errors.New("DefaultAzureCredential: failed to acquire a token"), "no credentials", false},
		{list, fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}), "AWS_CA_BUNDLE", false},
		{list, errors.New("http: server gave HTTP response to HTTPS client"), "http://", false},
		{list, errors.New("something else"), "list the revisions: blob", false},
	} {
		f := newFake()
		b := f.open(t)
		f.write(key(1), "x")
		f.hook(func(request, _ string) error {
			if request == c.request {
				return c.err
			}
			return nil
		}, nil)
		var err error
		if c.request == put {
			_, err = b.Save(t.Context(), read(t, b).Rev, []byte("y"))
		} else {
			_, err = state.Read(t.Context(), b)
		}
		switch {
		case err == nil:
			t.Errorf("%s: %v was no error", c.request, c.err)
		case !strings.Contains(err.Error(), c.says), strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %v was explained as %q", c.request, c.err, err)
		case !errors.Is(err, c.err):
			t.Errorf("%s: %v is not what %q wraps", c.request, c.err, err)
		case errors.Is(err, state.ErrReadOnly) != c.readOnly:
			t.Errorf("%s: %v is read-only: %v", c.request, c.err, !c.readOnly)
		}
	}
}

func TestAStoresErrorsShowNoSecrets(t *testing.T) {
	for _, text := range []string{
		`Get "https://acc.blob.core.windows.net/c?comp=list&sig=` + secret + `": dial tcp: no such host`,
		`Put "http://user:` + secret + `@127.0.0.1:9000/b/recess/rev-00000001.json": EOF`,
		"GET https://acc.blob.core.windows.net/c?sv=1&sig=" + secret + "\nRESPONSE 403",
		"redirected to https://b.s3.amazonaws.com/?X-Amz-Signature=" + secret + ", which failed",
	} {
		f := newFake()
		b := f.open(t)
		f.hook(func(string, string) error { return errors.New(text) }, nil)
		_, err := state.Read(t.Context(), b)
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q was shown as %q", text, err)
		}
	}
}

func TestALongErrorIsCut(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.hook(func(string, string) error { return errors.New(strings.Repeat("ä page of HTML ", 1000)) }, nil)
	_, err := state.Read(t.Context(), b)
	if err == nil || len(err.Error()) > 700 {
		t.Errorf("the error has %d bytes", len(fmt.Sprint(err)))
	}
}

// gcsblob calls an object missing that may not be read.
func TestAnObjectThatMayNotBeReadIsNotTakenForMissing(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, f.open(t), 1)
	refusal := fmt.Errorf("%w: googleapi: Error %d: x, forbidden", errMissing, http.StatusForbidden)
	f.hook(func(request, _ string) error {
		if request == get || request == remove || request == head {
			return refusal
		}
		return nil
	}, nil)
	_, err := state.Read(t.Context(), b)
	if err == nil || !strings.Contains(err.Error(), "storage.objects.get") || f.counted(get) != 1 {
		t.Errorf("after %d requests: %v", f.counted(get), err)
	}
	f.hook(nil, nil)
	keepFew(b)
	saveUpTo(t, b, few+3)
	f.hook(func(request, _ string) error {
		if request == remove {
			return refusal
		}
		return nil
	}, nil)
	f.write(key(few+4), "by hand")
	if err := b.Prune(t.Context()); err == nil || !strings.Contains(err.Error(), "storage.objects.delete") {
		t.Errorf("Prune: %v", err)
	}
}
