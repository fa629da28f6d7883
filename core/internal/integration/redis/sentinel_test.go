package redis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/redisstate"
)

// keepSaving saves until a server takes it, as an operator would who reads again after each failure.
func keepSaving(t *testing.T, b state.Backend, data string) state.Rev {
	t.Helper()
	var rev state.Rev
	must.Become(t, "saving "+data, func() bool {
		doc, err := state.Read(t.Context(), b)
		if err == nil {
			rev, err = b.Save(t.Context(), doc.Rev, []byte(data))
		}
		return err == nil || string(doc.Data) == data // whose answer was lost
	})
	return rev
}

func TestABackendFollowsTheSentinelsToTheNewMaster(t *testing.T) {
	master := servers.RedisWith(t)
	replica := servers.RedisReplica(t, master)
	sentinel := servers.RedisSentinel(t, master, "my/master")
	follower := rigs.RedisClient(t, replica.Addr)
	must.Become(t, "the replica follows", func() bool {
		text, err := follower.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(text, "master_link_status:up")
	})
	scout := rigs.RedisClient(t, sentinel.Addr)
	must.Become(t, "the sentinel knows of the replica", func() bool {
		found, err := scout.Do(t.Context(), "sentinel", "replicas", "my/master").Slice()
		return err == nil && len(found) == 1
	})
	url := "redis+sentinel://127.0.0.1:1," + sentinel.Addr + "/my%2Fmaster/2?probe=200ms" // one of them is down
	a, b := open(t, url), open(t, url)
	rev := must.Save(t, a, state.None, "before")
	must.Become(t, "the replica has the document", func() bool {
		conn := follower.Conn()
		defer conn.Close()
		if conn.Select(t.Context(), 2).Err() != nil {
			return false
		}
		got, err := conn.HGet(t.Context(), "recess", "document").Result()
		return err == nil && got == "before"
	})
	got := waiting(t, b, rev, master.Addr, "{recess}:changes:2")
	master.Kill(t)
	keepSaving(t, a, "after")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "after" {
		t.Errorf("the waiter got %q", doc.Data)
	}
	awaitSubscribers(t, replica.Addr, "{recess}:changes:2", 0)
	waiting(t, b, must.Read(t, b).Rev, replica.Addr, "{recess}:changes:2")
}

// TestAMasterThatTheSentinelsHaveLeftIsLeft has a master go on that no sentinel counts as one, as when it is cut off from
// them but not from its clients.
func TestAMasterThatTheSentinelsHaveLeftIsLeft(t *testing.T) {
	for name, sees := range map[string]func(t *testing.T, b state.Backend, rev state.Rev, old string) func() bool{
		"by who watches": func(t *testing.T, b state.Backend, rev state.Rev, old string) func() bool {
			got := waiting(t, b, rev, old, channel)
			return func() bool { return string(must.Receive(t, "the waiter's answer", got).Data) == "now" }
		},
		"by who only reads": func(t *testing.T, b state.Backend, _ state.Rev, _ string) func() bool {
			return func() bool { // the sentinel knows no master for a moment
				doc, err := state.Read(t.Context(), b)
				return err == nil && string(doc.Data) == "now"
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, now := servers.RedisWith(t), servers.RedisWith(t)
			sentinel := servers.RedisSentinel(t, old, "mymaster")
			b := open(t, "redis+sentinel://"+sentinel.Addr+"/mymaster?probe=50ms")
			rev := must.Save(t, b, state.None, "old")
			must.Save(t, open(t, "redis://"+now.Addr), state.None, "now")
			seen := sees(t, b, rev, old.Addr)
			scout := rigs.RedisClient(t, sentinel.Addr)
			must.Do(t, scout.Do(t.Context(), "sentinel", "remove", "mymaster").Err())
			_, port, _ := strings.Cut(now.Addr, ":")
			must.Do(t, scout.Do(t.Context(), "sentinel", "monitor", "mymaster", "127.0.0.1", port, "1").Err())
			must.Become(t, "the new master's document is seen", seen)
		})
	}
}

func TestAFrozenSentinelHoldsNobodyUp(t *testing.T) {
	master := servers.RedisWith(t)
	frozen, other := servers.RedisSentinel(t, master, "mymaster"), servers.RedisSentinel(t, master, "mymaster")
	before := goroutines()
	b := open(t, "redis+sentinel://"+frozen.Addr+","+other.Addr+"/mymaster?timeout=2m&probe=2m")
	frozen.Freeze(t)
	defer frozen.Thaw(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := state.Read(ctx, b); err != nil {
		t.Errorf("Read: %v", err)
	}
	must.Become(t, "nobody asks the frozen one any more", func() bool { return goroutines("redisstate.(*sentinels).ask") == 0 })
	must.Do(t, b.Close())
	must.Become(t, "no goroutine stays", func() bool { return goroutines() <= before })
}

func TestWhatIsWrongWithSentinelsIsSaid(t *testing.T) {
	master := servers.RedisWith(t, "--requirepass", "hunter2")
	replica := servers.RedisReplica(t, master, "--masterauth", "hunter2")
	free := servers.RedisSentinel(t, master, "mymaster", "sentinel auth-pass mymaster hunter2")
	locked := servers.RedisSentinel(t, master, "mymaster", "requirepass hunter3")
	stale := servers.RedisSentinel(t, replica, "mymaster")
	frozen := servers.RedisSentinel(t, master, "mymaster")
	frozen.Freeze(t)
	defer frozen.Thaw(t)
	for _, c := range []struct{ name, url, want string }{
		{"another name", "redis+sentinel://:hunter2@" + free.Addr + "/another", `knows no master of the name "another"`},
		{"one sentinel is frozen, and another has another name", "redis+sentinel://" + frozen.Addr + "," + free.Addr + "/another?timeout=1s", `knows no master of the name "another"; `},
		{"no sentinel there", "redis+sentinel://127.0.0.1:1/mymaster", "the sentinel 127.0.0.1:1: dial tcp"},
		{"a server is no sentinel", "redis+sentinel://" + replica.Addr + "/mymaster", replica.Addr + " is no sentinel"},
		{"the sentinel wants a password", "redis+sentinel://:hunter2@" + locked.Addr + "/mymaster", "?sentinel_password=PASSWORD"},
		{"the sentinel's password is wrong", "redis+sentinel://:hunter2@" + locked.Addr + "/mymaster?sentinel_password=hunter4", "refuses sentinel_username or sentinel_password"},
		{"the master wants a password", "redis+sentinel://" + free.Addr + "/mymaster", "it wants a password"},
		{"the master's password is wrong", "redis+sentinel://:hunter4@" + free.Addr + "/mymaster", "it refuses the user or the password"},
		{"the sentinels are behind", "redis+sentinel://" + stale.Addr + "/mymaster", "is a replica"},
		{"all is well", "redis+sentinel://:hunter2@" + locked.Addr + "/mymaster?sentinel_password=hunter3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.url)
			_, err := state.Read(t.Context(), b)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Read: %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error holds a password: %v", err)
			}
		})
	}
}

func TestAClientOfTheSentinelsFromTheCallerWorksToo(t *testing.T) {
	master := servers.RedisWith(t)
	sentinel := servers.RedisSentinel(t, master, "mymaster")
	redis.SetLogger(quiet{}) // go-redis tells stderr which sentinel it has chosen
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "mymaster", SentinelAddrs: []string{sentinel.Addr}, ContextTimeoutEnabled: true,
	})
	defer client.Close()
	b, err := redisstate.New(client, redisstate.Config{})
	must.Do(t, err)
	defer b.Close()
	rev := must.Save(t, b, state.None, "first")
	got := waiting(t, b, rev, master.Addr, channel)
	must.Save(t, open(t, "redis://"+master.Addr), rev, "second")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "second" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}
