package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// among returns the state URL of a cluster, or of some of its members.
func among(members ...*servers.Server) string {
	var addrs []string
	for _, member := range members {
		addrs = append(addrs, member.Addr)
	}
	return "etcd://" + strings.Join(addrs, ",")
}

// lead returns the members of a cluster, the one that leads first.
func lead(t *testing.T, members []*servers.Server) []*servers.Server {
	t.Helper()
	for i, member := range members {
		status, err := rigs.EtcdClient(t, by(member)).Status(t.Context(), member.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if status.Leader == status.Header.MemberId {
			members[0], members[i] = members[i], members[0]
			return members
		}
	}
	t.Fatal("nobody leads")
	return nil
}

func TestAClusterOfThreeGoesOnWithoutOneOfThem(t *testing.T) {
	members := lead(t, servers.EtcdCluster(t))
	b, writer := open(t, among(members...)), open(t, among(members...))
	rev := must.Save(t, writer, state.None, document(1))
	announce(t, b, "web-1", "", time.Hour)
	n := 1
	step := func(what string) {
		t.Helper()
		n++
		told := following(t, b, rev)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		saved, err := writer.Save(ctx, rev, document(n))
		for deadline := time.Now().Add(patience); err != nil && !errors.Is(err, state.ErrConflict) && time.Now().Before(deadline); {
			saved, err = writer.Save(ctx, rev, document(n)) // the leader died: until there is another one
		}
		doc := <-told
		if err != nil && !bytes.Equal(doc.Data, document(n)) || err == nil && doc.Rev != saved {
			t.Fatalf("%s: the follower sees %q, saved was %q, %v", what, doc.Data, saved, err)
		}
		rev = doc.Rev
		announce(t, b, "web-1", what, time.Hour)
		if got := must.List(t, writer); got != "web-1="+what {
			t.Errorf("%s: the instances are %q", what, got)
		}
	}
	step("all")
	members[1].Kill(t)
	step("without a follower")
	members[1].Start(t)
	step("all again")
	members[0].Kill(t)
	step("without the leader")

	members[1].Kill(t)
	hasty := open(t, among(members...)+"?timeout=500ms")
	for deadline := time.Now().Add(patience); ; {
		_, err := state.Read(t.Context(), hasty)
		if err != nil && strings.Contains(err.Error(), "no leader: most members of the cluster must run") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("without a majority: %v", err)
		}
	}
	if _, err := hasty.Save(t.Context(), rev, document(99)); err == nil {
		t.Error("without a majority, a document was saved")
	}
	members[0].Start(t)
	step("two again")
}

// A member that ends takes its streams along. Whoever was told over them is told over others, and hears of no error.
func TestAMemberThatEndsDisturbsNobody(t *testing.T) {
	members := lead(t, servers.EtcdCluster(t))
	writer := open(t, among(members[0]))
	rev := must.Save(t, writer, state.None, document(1))
	type answer struct {
		doc state.Doc
		err error
	}
	waiting := func(b state.Backend, since state.Rev) <-chan answer {
		told := make(chan answer, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			doc, _, err := b.Next(ctx, since)
			told <- answer{doc, err}
		}()
		return told
	}
	var followers []state.Backend
	for range 6 { // each is told by one of the two
		followers = append(followers, open(t, among(members[0], members[1])+"?probe=20s"))
	}
	change := func(n int, before func()) {
		t.Helper()
		var told []<-chan answer
		for _, b := range followers {
			told = append(told, waiting(b, rev))
		}
		wait(t, 200*time.Millisecond) // by now most of them have looked
		before()
		rev = must.Save(t, writer, rev, document(n))
		for i := range told {
			if a := <-told[i]; a.err != nil || a.doc.Rev != rev {
				t.Errorf("follower %d, document %d: %q, %v", i, n, a.doc.Rev, a.err)
			}
		}
	}
	change(2, func() {})
	change(3, func() {}) // which every stream has told, whether or not a look was first
	change(4, func() { members[1].Kill(t) })
	change(5, func() {})
}

func TestALearnerIsPassedOver(t *testing.T) {
	voter := servers.Etcd(t)
	client := rigs.EtcdClient(t, by(voter))
	learner := servers.EtcdLearner(t, voter, func(peerURL string) {
		done(client.MemberAddAsLearner(t.Context(), []string{peerURL}))(t)
	})
	b := open(t, among(voter, learner))
	rev := state.None
	for n := 1; n <= 6; n++ { // round and round
		told := following(t, b, rev)
		rev = must.Save(t, b, rev, document(n))
		if doc := <-told; doc.Rev != rev {
			t.Errorf("document %d: %q", n, doc.Data)
		}
		announce(t, b, "web-1", "", time.Hour)
	}
	if _, err := state.Read(t.Context(), open(t, among(learner))); err == nil || !strings.Contains(err.Error(), "this member is a learner: name voting members") {
		t.Errorf("a learner alone: %v", err)
	}
}

func TestAClusterThatIsFullSaysHowItTakesWritesAgain(t *testing.T) {
	server := servers.Etcd(t, "-quota", "100000")
	client := rigs.EtcdClient(t, by(server))
	b := open(t, "etcd://"+server.Addr)
	rev := must.Save(t, b, state.None, document(1))
	told := following(t, b, rev)
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		_, err = client.Put(t.Context(), "filling", strings.Repeat("x", 10_000))
	}
	_, err = b.Save(t.Context(), rev, document(2))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "etcdctl alarm disarm") {
		t.Errorf("Save: %v", err)
	}
	if _, err := b.Announce(t.Context(), "web-1", nil, time.Minute); err == nil || !strings.Contains(err.Error(), "etcdctl alarm disarm") {
		t.Errorf("Announce: %v", err)
	}
	if doc, err := state.Read(t.Context(), b); err != nil || doc.Rev != rev {
		t.Errorf("Read: %q, %v", doc.Rev, err)
	}
	// What the advice says.
	status, err := client.Status(t.Context(), server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	done(client.Compact(t.Context(), status.Header.Revision, clientv3.WithCompactPhysical()))(t)
	done(client.Defragment(t.Context(), server.Addr))(t)
	done(client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}))(t)
	rev = must.Save(t, b, rev, document(2))
	if doc := <-told; doc.Rev != rev {
		t.Errorf("the follower sees %q", doc.Data)
	}
}
