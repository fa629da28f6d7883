package servers

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// The bucket of an S3 server, its owner, and the others whom it knows: these may do what the bucket's policy says, which
// is nothing at first.
const (
	S3Bucket = "ops"
	S3Owner  = "owner"
)

// S3Users are the users beside the owner.
var S3Users = []string{"follower", "writer", "keeper", "stranger"}

// S3Secret returns a user's secret key.
func S3Secret(user string) string { return user + "-secret-0123456789" }

// S3 starts an S3 server, which keeps objects as files.
func S3(t testing.TB) *Server {
	t.Helper()
	path := own(t, "s3")
	var users []string
	for _, user := range S3Users {
		users = append(users, user+":"+S3Secret(user))
	}
	s := &Server{Name: "s3", Addr: freeAddr(t), ready: s3Ready}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(path, "-addr", s.Addr, "-dir", s.Dir, "-bucket", S3Bucket,
			"-owner", S3Owner+":"+S3Secret(S3Owner), "-users", strings.Join(users, ","))
		if _, err := cmd.StdinPipe(); err != nil { // it ends when nobody holds the other end any more
			t.Error(err)
		}
		return cmd
	}
	return launch(t, s)
}

// s3Ready asks for the bucket without saying who asks: a server that serves refuses that.
func s3Ready(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/"+S3Bucket, http.NoBody)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		return fmt.Errorf("it says %s", answer.Status)
	}
	return nil
}
