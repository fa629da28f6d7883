package faults

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
)

// TestACompactedStore is fault F8: what an instance has not heard of yet is gone when it comes back.
func TestACompactedStore(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		if rig.Name != "etcd" {
			t.Skip("it keeps no revisions that could be compacted")
		}
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		client := rigs.EtcdClient(t, clientv3.Config{Endpoints: []string{rig.Server.Addr}})
		compact := func() {
			t.Helper()
			now, err := client.Get(t.Context(), "none")
			if err == nil {
				_, err = client.Compact(t.Context(), now.Header.Revision, clientv3.WithCompactPhysical())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			s.link.Refuse()
			s.link.Cut()
			for range 3 {
				s.toggle()
			}
			compact()
			s.link.Heal()
			s.converge()
			s.toggle()
			s.converge()
		}
	})
}
