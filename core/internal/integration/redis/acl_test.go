package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
)

// These are the permissions that docs/backends.md lists.
var (
	reading    = []string{"+hmget", "+subscribe", "+ping"}
	saving     = []string{"+eval", "+evalsha", "+hset", "+publish"}
	announcing = []string{"+time", "+set", "+zadd", "+zremrangebyscore", "+pttl", "+pexpire"}
	listing    = []string{"+zrange", "+mget"}
	leaving    = []string{"+zrem", "+del"}
	inCluster  = []string{"+cluster|slots", "+asking"} // the second while a slot moves
)

var all = slices.Concat(reading, saving, announcing, listing, leaving)

// grant makes a user who may do exactly this, on one key, on what belongs to it, and on its channels.
func grant(t *testing.T, admin *redis.Client, user, key string, commands []string) {
	t.Helper()
	args := []any{"acl", "setuser", user, "reset", "on", ">secret", "~" + key, "~{" + key + "}:*", "&{" + key + "}:*"}
	for _, command := range commands {
		args = append(args, command)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTheDocumentedPermissionsAreEnough(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	statetest.Run(t, rigs.RedisHarness(admin, func(t *testing.T, key string) state.Backend {
		grant(t, admin, "of-"+key, key, all)
		return open(t, "redis://of-"+key+":secret@"+server.Addr+"?key="+key)
	}))
}

func TestEachDocumentedPermissionIsNeeded(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	for _, missing := range append(all, "none") {
		t.Run("without "+missing, func(t *testing.T) {
			if err := admin.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := admin.Do(t.Context(), "script", "flush").Err(); err != nil {
				t.Fatal(err)
			}
			grant(t, admin, "app", "recess", slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c == missing }))
			err := everything(t, admin, "redis://app:secret@"+server.Addr+"?probe=20ms")
			if (err == nil) != (missing == "none") {
				t.Errorf("all that a backend does: %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "app") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error names the user: %v", err)
			}
		})
	}
}

// TestAnotherDatabaseNeedsOnePermissionMore, for choosing it.
func TestAnotherDatabaseNeedsOnePermissionMore(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	grant(t, admin, "app", "recess", all)
	if err := everything(t, admin, "redis://app:secret@"+server.Addr+"/1?probe=20ms"); err == nil || !strings.Contains(err.Error(), "denies SELECT") {
		t.Errorf("without +select: %v", err)
	}
	grant(t, admin, "app", "recess", append(slices.Clone(all), "+select"))
	if err := everything(t, admin, "redis://app:secret@"+server.Addr+"/1?probe=20ms"); err != nil {
		t.Errorf("with +select: %v", err)
	}
}

// everything uses all of a backend and returns the first error. That nobody is told of a save is one too.
func everything(t *testing.T, admin redis.UniversalClient, stateURL string) error {
	published := rigs.RedisCalls(admin, "publish")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b := open(t, stateURL)
	rev, err := b.Save(ctx, state.None, []byte("first"))
	if err != nil {
		return err
	}
	if rev, err = b.Save(ctx, rev, []byte("second")); err != nil { // by the hash of the script
		return err
	}
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond) // of watching, with some pings
	defer stop()
	if _, _, err := b.Next(short, rev); !errors.Is(err, state.ErrUnchanged) || short.Err() == nil {
		return fmt.Errorf("Next returned early: %w", err)
	}
	if published = rigs.RedisCalls(admin, "publish") - published; published != 2 {
		return fmt.Errorf("%d messages were published", published)
	}
	if _, err := b.Announce(ctx, "web-1", []byte("x"), time.Minute); err != nil {
		return err
	}
	if there, err := b.Instances(ctx); err != nil || len(there) != 1 {
		return fmt.Errorf("%d instances: %w", len(there), err)
	}
	return b.Withdraw(ctx, "web-1")
}

// TestSentinelsAndClustersNeedOnePermissionMore has them ask the servers who they are.
func TestSentinelsAndClustersNeedOnePermissionMore(t *testing.T) {
	said := new(log)
	redis.SetLogger(said) // what go-redis would like to know besides, and is denied
	defer redis.SetLogger(quiet{})
	check := func(t *testing.T, stateURL, extra, missing string, nodes []*redis.Client, admin redis.UniversalClient) {
		t.Helper()
		for _, node := range nodes {
			grant(t, node, "app", "recess", all)
		}
		if err := everything(t, admin, stateURL); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", extra, err)
		}
		for _, node := range nodes {
			grant(t, node, "app", "recess", append(slices.Clone(all), extra))
		}
		if err := everything(t, admin, stateURL); err != nil {
			t.Errorf("with %s: %v", extra, err)
		}
	}
	t.Run("sentinels", func(t *testing.T) {
		master := servers.RedisWith(t)
		sentinel := servers.RedisSentinel(t, master, "mymaster")
		admin := rigs.RedisClient(t, master.Addr)
		check(t, "redis+sentinel://app:secret@"+sentinel.Addr+"/mymaster?probe=20ms", "+role", "denies ROLE", []*redis.Client{admin}, admin)
	})
	t.Run("a cluster", func(t *testing.T) {
		_, hosts, admin := cluster(t, 0)
		var nodes []*redis.Client
		for _, host := range strings.Split(hosts, ",") {
			nodes = append(nodes, rigs.RedisClient(t, host))
		}
		check(t, "redis+cluster://app:secret@"+hosts+"?probe=20ms", inCluster[0], "denies CLUSTER SLOTS", nodes, admin)
	})
	if text := said.String(); text != "" {
		t.Errorf("go-redis said:\n%s", text)
	}
}

// TestAUserWhoMayOnlyReadFollowsTheState is what an application deserves that only follows.
func TestAUserWhoMayOnlyReadFollowsTheState(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	grant(t, admin, "follower", "recess", reading)
	writer, b := open(t, "redis://"+server.Addr), open(t, "redis://follower:secret@"+server.Addr)
	rev := must.Save(t, writer, state.None, "first")
	got := waiting(t, b, rev, server.Addr, channel)
	must.Save(t, writer, rev, "second")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "second" {
		t.Errorf("the follower got %q", doc.Data)
	}
	_, err := b.Save(t.Context(), rev, []byte("third"))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "docs/backends.md") {
		t.Errorf("Save: %v", err)
	}
}

// TestASaveThatNobodyMayBeToldOfIsASave leaves out the channel.
func TestASaveThatNobodyMayBeToldOfIsASave(t *testing.T) {
	server := servers.Redis(t)
	admin := rigs.RedisClient(t, server.Addr)
	grant(t, admin, "app", "recess", all)
	if err := admin.Do(t.Context(), "acl", "setuser", "app", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	b := open(t, "redis://app:secret@"+server.Addr)
	rev := must.Save(t, b, state.None, "first")
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the document is %s, want %s", doc.Rev, rev)
	}
	_, wait, err := b.Next(t.Context(), rev)
	if !errors.Is(err, state.ErrUnchanged) || !strings.Contains(err.Error(), "denies the channel") || wait <= 0 {
		t.Errorf("Next: %v, %v", wait, err)
	}
}
