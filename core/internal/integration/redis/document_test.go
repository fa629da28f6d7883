package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// patience is how long what must happen may take on a slow machine.
const patience = 30 * time.Second

func TestTheDocumentStandsInAHashForRedisCLI(t *testing.T) {
	server := servers.Redis(t)
	b := open(t, "redis://"+server.Addr+"?key=shop:maintenance&db=3")
	must.Save(t, b, state.None, `{"version":1}`)
	conn := rigs.RedisClient(t, server.Addr).Conn()
	defer conn.Close()
	if err := conn.Select(t.Context(), 3).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.HGet(t.Context(), "shop:maintenance", "document").Result(); got != `{"version":1}` || err != nil {
		t.Errorf("HGET shop:maintenance document: %q, %v", got, err)
	}
	if doc := must.Read(t, open(t, "redis://"+server.Addr+"/0?key=shop:maintenance")); doc.Rev != state.None {
		t.Errorf("database 0 has the document of database 3")
	}
}

func TestASocketOfThisMachineIsAServerToo(t *testing.T) {
	dir, err := os.MkdirTemp("", "redis") // a socket's path must not be long
	must.Do(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "redis.sock")
	server := servers.RedisWith(t, "--unixsocket", path)
	url := "redis+unix://" + path + "?db=2"
	rev := must.Save(t, open(t, url), state.None, "first")
	got := waiting(t, open(t, url), rev, server.Addr, "{recess}:changes:2")
	must.Save(t, open(t, "redis://"+server.Addr+"/2"), rev, "second")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "second" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}

// TestADocumentWrittenByHandHasARevisionOfItsOwn writes as an operator would, who knows nothing of the other fields.
func TestADocumentWrittenByHandHasARevisionOfItsOwn(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr)
	seen := make(map[state.Rev]string)
	look := func(want string) state.Rev {
		t.Helper()
		doc := must.Read(t, b)
		if string(doc.Data) != want {
			t.Errorf("the document is %q, want %q", doc.Data, want)
		}
		if other, again := seen[doc.Rev]; again && other != want {
			t.Errorf("%q and %q share the revision %s", want, other, doc.Rev)
		}
		seen[doc.Rev] = want
		return doc.Rev
	}
	by := func(args ...any) {
		t.Helper()
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	by("hset", "recess", "document", "by hand")
	first := look("by hand")
	must.Save(t, b, first, "saved")
	saved := look("saved")
	by("hset", "recess", "document", "by hand again")
	look("by hand again")
	if _, err := b.Save(t.Context(), saved, []byte("late")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("saving over what was replaced by hand: %v", err)
	}
	for i, rev := range []any{"-1", "x", "", "007", "999999999999999", "1000000000000000", "1e3", "1\n"} {
		by("hset", "recess", "document", fmt.Sprint("with rev ", i), "rev", rev)
		before := look(fmt.Sprint("with rev ", i))
		must.Save(t, b, before, fmt.Sprint("saved after ", i))
		if after := look(fmt.Sprint("saved after ", i)); after == before {
			t.Errorf("after rev %q, both are %s", rev, after)
		}
	}
	by("hdel", "recess", "rev", "save")
	look("saved after 7")
	by("hdel", "recess", "document")
	if doc := must.Read(t, b); doc.Rev != state.None {
		t.Errorf("a hash without a document is revision %q", doc.Rev)
	}
	must.Save(t, b, state.None, "anew")
	look("anew")
}

func TestAHintThatWasPublishedByHandWakesWaiters(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr)
	rev := must.Save(t, b, state.None, "first")
	got := waiting(t, b, rev, admin.Options().Addr, "{recess}:changes:0")
	rigs.RedisPut(t, admin, "recess", []byte("by hand"))
	for _, message := range []string{"look", "2-forged\nforged", ""} { // whatever it says: the store is read
		if err := admin.Publish(t.Context(), "{recess}:changes:0", message).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "by hand" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}

// waiting starts a waiter, and returns when the server has its subscription.
func waiting(t *testing.T, b state.Backend, since state.Rev, addr, channel string) <-chan state.Doc {
	t.Helper()
	got := make(chan state.Doc, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			doc, _, err := b.Next(ctx, since)
			if err == nil {
				got <- doc
			}
			if err == nil || errors.Is(err, state.ErrClosed) {
				return
			}
		}
	}()
	awaitSubscribers(t, addr, channel, 1)
	return got
}

func awaitSubscribers(t *testing.T, addr, channel string, want int64) {
	t.Helper()
	admin := rigs.RedisClient(t, addr)
	must.Become(t, fmt.Sprintf("%d subscribers", want), func() bool {
		n, err := admin.PubSubNumSub(t.Context(), channel).Result()
		return err == nil && n[channel] == want
	})
}

// TestDatabasesDoNotHearOfEachOther matters since Redis has one set of channels for all of them.
func TestDatabasesDoNotHearOfEachOther(t *testing.T) {
	server := servers.Redis(t)
	zero, one := open(t, "redis://"+server.Addr+"/0"), open(t, "redis://"+server.Addr+"/1")
	rev := must.Save(t, zero, state.None, "zero")
	got := waiting(t, zero, rev, server.Addr, "{recess}:changes:0")
	other := must.Save(t, one, state.None, "one")
	must.Save(t, one, other, "one again")
	must.Save(t, zero, rev, "zero again")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "zero again" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}

// TestAWipedServerHasNoDocument is fault F6: what it means is the engine's to judge.
func TestAWipedServerHasNoDocument(t *testing.T) {
	for name, wipe := range map[string]func(t *testing.T, s *servers.Server){
		"FLUSHALL": func(t *testing.T, s *servers.Server) {
			if err := rigs.RedisClient(t, s.Addr).FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		"a restart without persistence": func(t *testing.T, s *servers.Server) { s.Kill(t); s.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			server := servers.RedisWith(t)
			b := open(t, "redis://"+server.Addr)
			revs := map[state.Rev]bool{}
			rev := state.None
			for i := range 3 {
				rev = must.Save(t, b, rev, fmt.Sprint("before ", i))
				revs[rev] = true
			}
			wipe(t, server)
			if doc := must.Read(t, b); doc.Rev != state.None || doc.Data != nil {
				t.Errorf("revision %q with %q", doc.Rev, doc.Data)
			}
			if _, err := b.Save(t.Context(), rev, []byte("late")); !errors.Is(err, state.ErrConflict) {
				t.Errorf("saving over what is gone: %v", err)
			}
			rev = state.None
			for i := range 3 {
				if rev = must.Save(t, b, rev, fmt.Sprint("after ", i)); revs[rev] {
					t.Errorf("%q was the revision of a document that is gone", rev)
				}
			}
		})
	}
}

// TestASaveWhoseAnswerWasLostKnowsItself drops the server's answer, so that only the second attempt gets one.
func TestASaveWhoseAnswerWasLostKnowsItself(t *testing.T) {
	server := servers.Redis(t)
	link := proxy.New(t, server.Addr)
	b := open(t, "redis://"+link.Addr+"?timeout=2s")
	rev := must.Save(t, b, state.None, "first")
	lost := link.Drop(func(piece []byte) bool { return bytes.Contains(piece, []byte("\r\n2-")) })
	next := must.Save(t, b, rev, "second")
	select {
	case <-lost:
	default:
		t.Fatal("no answer was lost")
	}
	if doc := must.Read(t, b); doc.Rev != next || string(doc.Data) != "second" {
		t.Errorf("the document is %q, revision %s, want %s", doc.Data, doc.Rev, next)
	}
	if doc := must.Read(t, b); doc.Rev[0] != '2' {
		t.Errorf("it was saved more than once: %s", doc.Rev)
	}
}

// TestASaveWhoseAnswerWasLostIsNoConflictWithWhoCameAfterIt has somebody else save between its two attempts: whether its
// own document was there first cannot be known any more, so that nobody may be told it was not.
func TestASaveWhoseAnswerWasLostIsNoConflictWithWhoCameAfterIt(t *testing.T) {
	server := servers.Redis(t)
	link := proxy.New(t, server.Addr)
	b, other := open(t, "redis://"+link.Addr+"?timeout=4s"), open(t, "redis://"+server.Addr)
	rev := must.Save(t, b, state.None, "first")
	lost := link.Drop(func(piece []byte) bool { return bytes.Contains(piece, []byte("\r\n2-")) })
	result := make(chan error, 1)
	go func() {
		_, err := b.Save(t.Context(), rev, []byte("second"))
		result <- err
	}()
	<-lost
	must.Save(t, other, must.Read(t, other).Rev, "third")
	err := <-result
	if err == nil || errors.Is(err, state.ErrConflict) || !bytes.Contains([]byte(err.Error()), []byte("not known")) {
		t.Errorf("Save: %v", err)
	}
}

// TestOnlyOneOfTwoEqualSavesWins keeps the recognition of one's own save from taking another's for it.
func TestOnlyOneOfTwoEqualSavesWins(t *testing.T) {
	server := servers.Redis(t)
	a, b := open(t, "redis://"+server.Addr), open(t, "redis://"+server.Addr)
	must.Save(t, a, state.None, "the same")
	if _, err := b.Save(t.Context(), state.None, []byte("the same")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("the second save: %v", err)
	}
}

func TestALargeDocumentIsReadByThoseWhoAreToldOfIt(t *testing.T) {
	server := servers.Redis(t)
	a, b := open(t, "redis://"+server.Addr), open(t, "redis://"+server.Addr)
	for _, size := range []int{8 << 10, 8<<10 + 1, state.MaxSize} {
		rev := must.Read(t, a).Rev
		got := waiting(t, a, rev, server.Addr, "{recess}:changes:0")
		before := rigs.RedisCalls(rigs.RedisClient(t, server.Addr), "hmget")
		data := bytes.Repeat([]byte("x"), size)
		must.Save(t, b, rev, string(data))
		if doc := must.Receive(t, "the waiter's answer", got); !bytes.Equal(doc.Data, data) {
			t.Errorf("of %d bytes, %d came", size, len(doc.Data))
		}
		looks := rigs.RedisCalls(rigs.RedisClient(t, server.Addr), "hmget") - before - 1 // one is the script's
		if want := size > 8<<10; (looks > 0) != want {
			t.Errorf("%d bytes took %d looks", size, looks)
		}
	}
}
