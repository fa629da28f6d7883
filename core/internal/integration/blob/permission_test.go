package blob_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

// The actions that docs/backends.md names.
const (
	mayList   = "s3:ListBucket"
	mayRead   = "s3:GetObject"
	mayCreate = "s3:PutObject"
	mayRemove = "s3:DeleteObject"
)

// allow makes a user's rights in the bucket, as docs/backends.md says to, these and no others.
func allow(t *testing.T, server *servers.Server, user string, actions ...string) {
	t.Helper()
	var statements []string
	for _, action := range actions {
		if action == mayList {
			statements = append(statements, statement(user, action, "", `, "Condition": {"StringLike": {"s3:prefix": "recess/*"}}`))
		} else {
			statements = append(statements, statement(user, action, "/recess/*", ""))
		}
	}
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [%s]}`, strings.Join(statements, ", "))
	var client *s3.Client
	if !rigs.S3Operator(t, server.Addr).As(&client) {
		t.Fatal("it is no S3 client")
	}
	_, err := client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(servers.S3Bucket), Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
}

func statement(user, action, resource, condition string) string {
	return fmt.Sprintf(`{"Effect": "Allow", "Principal": {"AWS": [%q]}, "Action": [%q], "Resource": ["arn:aws:s3:::%s%s"]%s}`,
		user, action, servers.S3Bucket, resource, condition)
}

// as returns a state URL with which a user comes instead of the owner.
func as(t *testing.T, stateURL, user, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", user, user, secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	return stateURL + "&profile=" + user
}

func TestWhoFollowsNeedsToListAndToRead(t *testing.T) {
	server := newServer(t)
	owner := open(t, at(server.Addr))
	must.Save(t, owner, state.None, "one")
	allow(t, server, "follower", mayList, mayRead)
	b := open(t, as(t, at(server.Addr), "follower", servers.S3Secret("follower")))
	doc := must.Read(t, b)
	if string(doc.Data) != "one" {
		t.Errorf("the document is %q", doc.Data)
	}
	_, err := b.Save(t.Context(), doc.Rev, []byte("two"))
	wantRefusal(t, err, mayCreate)
	if !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("Save: %v", err)
	}
	wantText(t, owner, "one")
}

func TestWhoChangesNeedsToListReadAndCreate(t *testing.T) {
	server := newServer(t)
	allow(t, server, "writer", mayList, mayRead, mayCreate)
	b := open(t, as(t, at(server.Addr), "writer", servers.S3Secret("writer")))
	last := saveMore(t, b, kept+3)
	wantText(t, b, last)
	operator := rigs.S3Operator(t, server.Addr)
	if keys := rigs.S3Keys(t, operator, "recess"); len(keys) != kept+3 {
		t.Errorf("%d revisions stay of %d", len(keys), kept+3)
	}
	wantRefusal(t, b.(*blobstate.Backend).Prune(t.Context()), mayRemove)

	allow(t, server, "keeper", mayList, mayRead, mayCreate, mayRemove)
	keeper := open(t, as(t, at(server.Addr), "keeper", servers.S3Secret("keeper")))
	if err := keeper.(*blobstate.Backend).Prune(t.Context()); err != nil {
		t.Error(err)
	}
	last = saveMore(t, keeper, 2)
	wantText(t, keeper, last)
	if keys := rigs.S3Keys(t, operator, "recess"); len(keys) != kept {
		t.Errorf("%d revisions stay", len(keys))
	}
}

func TestEachRightThatIsMissingIsNamed(t *testing.T) {
	server := newServer(t)
	must.Save(t, open(t, at(server.Addr)), state.None, "one")
	all := []string{mayList, mayRead, mayCreate}
	for i, missing := range all {
		allow(t, server, "writer", append(append([]string{}, all[:i]...), all[i+1:]...)...)
		b := open(t, as(t, at(server.Addr), "writer", servers.S3Secret("writer")))
		doc, err := state.Read(t.Context(), b)
		if err == nil {
			_, err = b.Save(t.Context(), doc.Rev, []byte("two"))
		}
		wantRefusal(t, err, missing)
	}
	allow(t, server, "writer", all...)
	_, err := state.Read(t.Context(), open(t, as(t, at(server.Addr), "stranger", servers.S3Secret("stranger"))))
	wantRefusal(t, err, mayList)
	_, err = state.Read(t.Context(), open(t, as(t, rigs.S3URL(server.Addr, "elsewhere"), "writer", servers.S3Secret("writer"))))
	wantRefusal(t, err, mayList)
}

// wantRefusal asserts that an error names the action that is not allowed.
func wantRefusal(t *testing.T, err error, action string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "needs "+action) || !strings.Contains(err.Error(), "AccessDenied") && !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("%v does not say that %s is needed", err, action)
	}
}

func TestWhatIsWrongWithTheCredentialsOrTheBucketIsSaid(t *testing.T) {
	server := newServer(t)
	url := at(server.Addr)
	secret := servers.S3Secret("writer")
	unset := func(names ...string) {
		for _, name := range names {
			t.Setenv(name, "")
		}
	}
	for _, c := range []struct {
		name string
		url  func(t *testing.T) string
		says []string
	}{
		{"an unknown key", func(t *testing.T) string { return as(t, url, "nobody", secret) }, []string{"AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"}},
		{"a wrong secret", func(t *testing.T) string { return as(t, url, "writer", "wrong-"+secret) }, []string{"AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"}},
		{"no such bucket", func(*testing.T) string { return strings.Replace(url, "s3://ops", "s3://absent", 1) }, []string{"no such bucket", "NoSuchBucket"}},
		{"nobody there", func(*testing.T) string { return strings.Replace(url, server.Addr, "127.0.0.1:1", 1) }, []string{"connection refused"}},
		{"https where http is spoken", func(*testing.T) string { return strings.Replace(url, "http://", "https://", 1) }, []string{"http://", "HTTP response"}},
		{"no region", func(*testing.T) string { return strings.Replace(url, "region=us-east-1&", "", 1) }, []string{"region="}},
		{"another region", func(*testing.T) string { return strings.Replace(url, "us-east-1", "eu-west-7", 1) }, []string{"another region"}},
		{"no credentials", func(t *testing.T) string {
			unset("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
			return url
		}, []string{"no credentials were found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rigs.S3Credentials()
			_, err := state.Read(t.Context(), open(t, c.url(t)))
			if err == nil {
				t.Fatal("it was read")
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\ndoes not say %q", err, says)
				}
			}
			if strings.Contains(err.Error(), "secret-") || strings.Contains(err.Error(), "\n") {
				t.Errorf("it shows too much: %v", err)
			}
			t.Log(err)
		})
	}
}

func TestWhatACloudSaysIsExplained(t *testing.T) {
	server := newServer(t)
	f := newFront(t, server)
	for _, c := range []struct {
		status     int
		code, says string
	}{
		{http.StatusBadRequest, "ExpiredToken", "have expired"},
		{http.StatusBadRequest, "InvalidToken", "AWS_SESSION_TOKEN"},
		{http.StatusForbidden, "RequestTimeTooSkewed", "clocks"},
		{http.StatusMovedPermanently, "PermanentRedirect", "another region"},
		{http.StatusServiceUnavailable, "SlowDown", "so many requests"},
	} {
		f.set(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
			answer(w, c.status, c.code)
			return true
		})
		_, err := state.Read(t.Context(), open(t, at(f.addr)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.code, err)
		}
	}
	f.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if creates(r) {
			answer(w, http.StatusNotImplemented, "NotImplemented")
		}
		return creates(r)
	})
	_, err := open(t, at(f.addr)).Save(t.Context(), state.None, []byte("x"))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("NotImplemented: %v", err)
	}
	var conflicts int
	f.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if conflicts++; creates(r) && conflicts < 4 {
			answer(w, http.StatusConflict, "ConditionalRequestConflict")
			return true
		}
		return false
	})
	must.Save(t, open(t, at(f.addr)), state.None, "x")
}

func TestABackendThatWasClosedHoldsNoConnection(t *testing.T) {
	rig := rigs.New(t, "s3")
	link := proxy.New(t, rig.Server.Addr)
	var backends []state.Backend
	for range 3 {
		b := rig.Open(t, link.Addr)
		saveMore(t, b, 3)
		backends = append(backends, b)
	}
	if link.Open() == 0 {
		t.Fatal("no connection was kept")
	}
	for _, b := range backends {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	untilClosed(t, link)
}
