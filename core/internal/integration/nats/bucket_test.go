package nats_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// migrate does what "recess migrate" does.
func migrate(t testing.TB, stateURL string) {
	t.Helper()
	must.Do(t, open(t, stateURL).Migrate(t.Context()))
}

func TestABucketThatNeverWasIsAnErrorThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	b := open(t, "nats://"+server.Addr+"?bucket=shop")
	check := func(what, bucket string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, state.ErrConflict) || !strings.Contains(err.Error(), "there is no bucket "+bucket+": make it with recess migrate") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range 2 {
		_, err := state.Read(t.Context(), b)
		check("Read", "shop", err)
		_, _, err = b.Next(t.Context(), state.None)
		check("Next", "shop", err)
		_, err = b.Save(t.Context(), state.None, []byte("x"))
		check("Save", "shop", err)
		_, err = b.Announce(t.Context(), "web-1", []byte("x"), time.Minute)
		check("Announce", "shop-instances", err)
		_, err = b.Instances(t.Context())
		check("Instances", "shop-instances", err)
		check("Withdraw", "shop-instances", b.Withdraw(t.Context(), "web-1"))
	}
	if js := rigs.NATSClient(t, server.Addr); consumers(t, js, "shop") != -1 {
		t.Error("the bucket was made although nobody asked for it")
	}
	must.Do(t, b.Migrate(t.Context()))
	must.Save(t, b, state.None, "first")
}

func TestABucketThatIsRemovedLooksLikeAMissingDocumentAndIsFollowedWhenItIsMadeAnew(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	b := open(t, "nats://"+server.Addr)
	old := must.Save(t, b, state.None, "first")
	f := follow(t, b)
	f.sees(t, "first")
	isWatched(t, js, "recess")

	must.Do(t, js.DeleteKeyValue(t.Context(), "recess"))
	f.sees(t, "") // the watch ended with the bucket, without a word
	if _, err := b.Save(t.Context(), state.None, []byte("x")); err == nil || !strings.Contains(err.Error(), "recess migrate") {
		t.Errorf("Save without a bucket: %v", err)
	}
	must.Do(t, b.Migrate(t.Context()))
	if _, err := b.Save(t.Context(), old, []byte("x")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Save over a revision of the old bucket: %v", err)
	}
	rev := must.Save(t, b, state.None, "second")
	if !driver.NewerNumber(rev, old) {
		t.Errorf("the new bucket counts %q after %q", rev, old)
	}
	f.sees(t, "second")
	isWatched(t, js, "recess")
	must.Save(t, b, rev, "third")
	f.sees(t, "third")
}

// TestABucketMadeAnewAtOnceIsFollowed removes the bucket and makes it anew by hand, so fast that no look falls in between.
func TestABucketMadeAnewAtOnceIsFollowed(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	b := open(t, "nats://"+server.Addr+"?probe=200ms")
	must.Save(t, b, state.None, "first")
	f := follow(t, b)
	f.sees(t, "first")
	isWatched(t, js, "recess")
	for n := range 3 {
		must.Do(t, js.DeleteKeyValue(t.Context(), "recess"))
		bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "recess"})
		must.Do(t, err)
		text := fmt.Sprintf("bucket %d", n)
		_, err = bucket.Put(t.Context(), "recess", []byte(text))
		must.Do(t, err)
		f.sees(t, text)
		isWatched(t, js, "recess")
	}
}

// TestNoDocumentOfAnotherBucketIsReplaced: buckets that were made by hand all count from 1.
func TestNoDocumentOfAnotherBucketIsReplaced(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	js := rigs.NATSClient(t, server.Addr)
	b := open(t, "nats://"+server.Addr)
	make := func(text string) {
		t.Helper()
		bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "recess"})
		must.Do(t, err)
		_, err = bucket.Put(t.Context(), "recess", []byte(text))
		must.Do(t, err)
	}
	make("first")
	old := must.Read(t, b)
	must.Do(t, js.DeleteKeyValue(t.Context(), "recess"))
	make("second")
	if n, _ := driver.Number(old.Rev); n != 1 {
		t.Fatalf("the first document is revision %q", old.Rev)
	}
	if _, err := b.Save(t.Context(), old.Rev, []byte("third")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Save over the other bucket's revision: %v", err)
	}
	now := must.Read(t, b)
	if string(now.Data) != "second" || now.Rev == old.Rev {
		t.Errorf("the document is %q, revision %q", now.Data, now.Rev)
	}
	if n, _ := driver.Number(now.Rev); n != 1 {
		t.Errorf("the second document is revision %q: it does not share the first one's number", now.Rev)
	}
}

func TestAMemoryBucketThatARestartLosesIsReportedAndRecovers(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	stateURL := "nats://" + server.Addr + "?storage=memory"
	migrate(t, stateURL)
	b := open(t, stateURL)
	old := must.Save(t, b, state.None, "first")
	f := follow(t, b)
	f.sees(t, "first")
	server.Kill(t)
	server.Start(t)
	f.sees(t, "")
	migrate(t, stateURL)
	if _, err := b.Save(t.Context(), old, []byte("x")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Save over a revision from before the restart: %v", err)
	}
	rev := must.Save(t, b, state.None, "second")
	f.sees(t, "second")
	isWatched(t, rigs.NATSClient(t, server.Addr), "recess")
	must.Save(t, b, rev, "third")
	f.sees(t, "third")
}

func TestADocumentThatTheOperatorRemovesIsGoneAndCanBeMadeAnew(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	bucket, err := js.KeyValue(t.Context(), "recess")
	must.Do(t, err)
	b := open(t, "nats://"+server.Addr)
	f := follow(t, b)
	seen := make(map[state.Rev]bool)
	for _, c := range []struct {
		name   string
		remove func() error
	}{
		{"deleted", func() error { return bucket.Delete(t.Context(), "recess") }},
		{"purged", func() error { return bucket.Purge(t.Context(), "recess") }},
		{"purged, and its marker", func() error {
			if err := bucket.Purge(t.Context(), "recess"); err != nil {
				return err
			}
			return bucket.PurgeDeletes(t.Context(), jetstream.DeleteMarkersOlderThan(-1))
		}},
	} {
		rev := must.Save(t, b, state.None, "the same text")
		if seen[rev] {
			t.Errorf("%s: revision %q comes again", c.name, rev)
		}
		seen[rev] = true
		f.sees(t, "the same text")
		must.Do(t, c.remove())
		f.sees(t, "")
		if doc := must.Read(t, b); doc.Rev != state.None || doc.Data != nil {
			t.Errorf("%s: the document is %q, revision %q", c.name, doc.Data, doc.Rev)
		}
		if _, err := b.Save(t.Context(), rev, []byte("x")); !errors.Is(err, state.ErrConflict) {
			t.Errorf("%s: Save over the old revision: %v", c.name, err)
		}
	}
}

func TestTheOperatorsOwnToolsShowAndChangeTheDocument(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	bucket, err := rigs.NATSClient(t, server.Addr).KeyValue(t.Context(), "recess")
	must.Do(t, err)
	b := open(t, "nats://"+server.Addr)
	f := follow(t, b)
	for n := 1; n <= 12; n++ {
		replace(t, b, fmt.Sprintf("document %d", n))
	}
	shown, err := bucket.Get(t.Context(), "recess")
	must.Do(t, err)
	if string(shown.Value()) != "document 12" {
		t.Errorf("the tool shows %q", shown.Value())
	}
	kept, err := bucket.History(t.Context(), "recess")
	must.Do(t, err)
	if len(kept) != 10 || string(kept[0].Value()) != "document 3" {
		t.Errorf("%d documents are kept, from %q on; want 10", len(kept), kept[0].Value())
	}
	for _, text := range []string{"by hand", ""} {
		_, err = bucket.Put(t.Context(), "recess", []byte(text))
		must.Do(t, err)
		must.Become(t, "the document is "+text, func() bool { return string(must.Read(t, b).Data) == text })
	}
	if doc := must.Read(t, b); doc.Rev == state.None || doc.Data == nil {
		t.Errorf("an empty document is %v, revision %q", doc.Data, doc.Rev)
	}
	replace(t, b, "again")
	f.sees(t, "again")
}

func TestABucketThatCannotKeepTheStateIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	kv := func(c jetstream.KeyValueConfig) func() error {
		return func() error { _, err := js.CreateKeyValue(t.Context(), c); return err }
	}
	stream := func(c jetstream.StreamConfig) func() error {
		return func() error { _, err := js.CreateStream(t.Context(), c); return err }
	}
	for _, c := range []struct {
		name, bucket string
		make         func() error
		want         string
	}{
		{"a TTL", "ttl", kv(jetstream.KeyValueConfig{Bucket: "ttl", TTL: time.Hour}), "forgets its keys after 1h0m0s"},
		{"a mirror", "mirror", kv(jetstream.KeyValueConfig{Bucket: "mirror", Mirror: &jetstream.StreamSource{Name: "recess"}}), "is a mirror"},
		{"no bucket", "stream", stream(jetstream.StreamConfig{Name: "KV_stream", Subjects: []string{"$KV.stream.>"}}), "is no key-value bucket"},
		{"other subjects", "other", stream(jetstream.StreamConfig{Name: "KV_other", Subjects: []string{"other"}, MaxMsgsPerSubject: 1}), "is no key-value bucket"},
		{"forgets when full", "full", stream(jetstream.StreamConfig{
			Name: "KV_full", Subjects: []string{"$KV.full.>"}, MaxMsgsPerSubject: 1, MaxBytes: 1 << 20, Discard: jetstream.DiscardOld,
		}), "forgets its oldest keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must.Do(t, c.make())
			b := open(t, "nats://"+server.Addr+"?bucket="+c.bucket)
			_, readErr := state.Read(t.Context(), b)
			_, saveErr := b.Save(t.Context(), state.None, []byte("x"))
			for what, err := range map[string]error{"Read": readErr, "Save": saveErr, "Migrate": b.Migrate(t.Context())} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want %q", what, err, c.want)
				}
			}
		})
	}
}

func TestMigrateMakesWhatIsMissingAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	js := rigs.NATSClient(t, server.Addr)
	stateURL := "nats://" + server.Addr + "?key=shop.eu"
	var all sync.WaitGroup
	for range 5 {
		b := open(t, stateURL)
		all.Go(func() {
			if err := b.Migrate(t.Context()); err != nil {
				t.Errorf("Migrate, five at once: %v", err)
			}
		})
	}
	all.Wait()
	b := open(t, stateURL)
	rev := must.Save(t, b, state.None, "first")
	must.Do(t, b.Migrate(t.Context()))
	if now := must.Read(t, b); now.Rev != rev {
		t.Errorf("Migrate changed revision %q to %q", rev, now.Rev)
	}
	for bucket, history := range map[string]int64{"recess": 10, "recess-instances": 1} {
		found, err := js.KeyValue(t.Context(), bucket)
		must.Do(t, err)
		status, err := found.Status(t.Context())
		must.Do(t, err)
		if status.History() != history || status.TTL() != 0 || status.Config().Storage != jetstream.FileStorage {
			t.Errorf("the bucket %s: %+v", bucket, status.Config())
		}
	}

	// A bucket of the operator's own is fine as well, and stays as it is.
	_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "own", History: 3, Storage: jetstream.MemoryStorage})
	must.Do(t, err)
	migrate(t, "nats://"+server.Addr+"?bucket=own")
	own, err := js.KeyValue(t.Context(), "own")
	must.Do(t, err)
	status, err := own.Status(t.Context())
	must.Do(t, err)
	if status.History() != 3 || status.Config().Storage != jetstream.MemoryStorage {
		t.Errorf("Migrate changed a bucket: %+v", status.Config())
	}
	must.Save(t, open(t, "nats://"+server.Addr+"?bucket=own"), state.None, "first")

	if err := open(t, "nats://"+server.Addr+"?bucket=three&replicas=3").Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "ask for fewer") {
		t.Errorf("three replicas on one server: %v", err)
	}
}
