package servers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Etcd starts an etcd cluster of one member, which answers when what it was told is on its disk. The arguments are more
// flags for the program beside this file.
func Etcd(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, etcdMember(t, 0, []string{freeAddr(t)}, args, etcdReady))
}

// EtcdCluster starts an etcd cluster of three members.
func EtcdCluster(t testing.TB, args ...string) []*Server {
	t.Helper()
	peers := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	formed := false // until most members run, none is ready
	ready := func(ctx context.Context, addr string) error {
		if !formed {
			return nil
		}
		return etcdReady(ctx, addr)
	}
	var members []*Server
	for i := range peers {
		members = append(members, launch(t, etcdMember(t, i, peers, args, ready)))
	}
	formed = true
	for _, member := range members {
		member.awaitReady(t)
	}
	return members
}

// EtcdLearner has a running cluster's only member joined by one that learns and does not vote. Add it to the cluster's
// list in between, under the peer URL that add is called with.
func EtcdLearner(t testing.TB, first *Server, add func(peerURL string)) *Server {
	t.Helper()
	peers := []string{flagOf(first, "-peers"), freeAddr(t)}
	add("http://" + peers[1])
	return launch(t, etcdMember(t, 1, peers, []string{"-join"}, func(ctx context.Context, addr string) error {
		err := etcdReady(ctx, addr)
		if errors.Is(err, errNotHealthy) {
			err = nil // it answers; it is for voters to be healthy
		}
		return err
	}))
}

// etcdMember is a member of the cluster of these peers that does not run yet. It answers /health on an address of its
// own, which is what ready is given.
func etcdMember(t testing.TB, i int, peers, args []string, ready func(ctx context.Context, addr string) error) *Server {
	t.Helper()
	path := own(t, "etcd")
	health := freeAddr(t)
	s := &Server{Name: "etcd", Addr: freeAddr(t)}
	s.ready = func(ctx context.Context, _ string) error { return ready(ctx, health) }
	s.command = func() *exec.Cmd {
		cmd := exec.Command(path, append([]string{
			"-addr", s.Addr, "-health", health, "-dir", s.Dir, "-peers", strings.Join(peers, ","), "-member", strconv.Itoa(i),
		}, args...)...)
		if _, err := cmd.StdinPipe(); err != nil { // it ends when nobody holds the other end any more
			t.Error(err)
		}
		return cmd
	}
	return s
}

var errNotHealthy = errors.New("it is not healthy")

func etcdReady(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/health", http.NoBody)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: it says %s", errNotHealthy, answer.Status)
	}
	return nil
}

// flagOf returns what a running server's command line says after a flag.
func flagOf(s *Server, name string) string {
	return s.running.Args[slices.Index(s.running.Args, name)+1]
}
