package nats_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/natsstate"
)

// slow is how long nats.go's own watcher took to recover from a restart of three seconds.
const slow = 16500 * time.Millisecond

// TestAFollowerConvergesSoonAfterARestart is fault F1.
func TestAFollowerConvergesSoonAfterARestart(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	must.Save(t, b, state.None, "before")
	f := follow(t, b)
	f.sees(t, "before")
	server.Kill(t)
	if _, err := state.Read(t.Context(), b); err == nil || !strings.Contains(err.Error(), "not connected to "+server.Addr+": ") {
		t.Errorf("Read without a server: %v", err)
	}
	server.Start(t)
	began := time.Now()
	rigs.NATSPut(t, server.Addr, "recess", []byte("after"))
	f.sees(t, "after")
	took := time.Since(began)
	t.Logf("converged %v after the restart", took.Round(time.Millisecond))
	if took > slow {
		t.Errorf("the follower converged after %v, not sooner than the client's own watcher", took)
	}
	isWatched(t, rigs.NATSClient(t, server.Addr), "recess")
	replace(t, b, "and on")
	f.sees(t, "and on")
}

// TestNothingAcknowledgedIsLostWhenTheServerIsKilled is fault F13.
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	for n := range 3 {
		var last string
		rev := must.Read(t, b).Rev
		for i := range 20 {
			last = fmt.Sprintf("%d of life %d", i, n)
			rev = must.Save(t, b, rev, last)
		}
		server.Kill(t)
		server.Start(t)
		if doc := must.Read(t, b); string(doc.Data) != last || doc.Rev != rev {
			t.Fatalf("after the restart the document is %q, revision %q; want %q, %q", doc.Data, doc.Rev, last, rev)
		}
	}
}

// TestWhatFailedWithoutAServerIsNotDoneLater: nats.go's clients buffer what is published while they are not connected.
func TestWhatFailedWithoutAServerIsNotDoneLater(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"the backend's own client", "the caller's client"} {
		t.Run(kind, func(t *testing.T) {
			server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
			b := open(t, "nats://"+server.Addr+"?timeout=500ms")
			if kind == "the caller's client" {
				client := rigs.NATSClient(t, server.Addr, reconnecting...).Conn()
				var err error
				b, err = natsstate.New(client, natsstate.Config{Timeout: 500 * time.Millisecond})
				must.Do(t, err)
				defer b.Close()
			}
			rev := must.Save(t, b, state.None, "first")
			_, err := b.Announce(t.Context(), "web-1", []byte("here"), time.Hour)
			must.Do(t, err)
			server.Kill(t)
			if _, err := b.Save(t.Context(), rev, []byte("vain")); !gone(err) {
				t.Errorf("Save without a server: %v", err)
			}
			if err := b.Withdraw(t.Context(), "web-1"); !gone(err) {
				t.Errorf("Withdraw without a server: %v", err)
			}
			server.Start(t)
			// Once the same connection answers, all that it had kept to send has been done.
			must.Become(t, "an answer", func() bool { _, err := state.Read(t.Context(), b); return err == nil })
			if doc := must.Read(t, b); string(doc.Data) != "first" || doc.Rev != rev {
				t.Errorf("the document is %q, revision %q: what had failed was done later", doc.Data, doc.Rev)
			}
			if instances, err := b.Instances(t.Context()); err != nil || len(instances) != 1 {
				t.Errorf("the instances are %v, %v: what had failed was done later", instances, err)
			}
		})
	}
}

// gone reports whether a call has failed since there was no server: by its deadline, or with the connection under it.
func gone(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || err != nil && strings.Contains(err.Error(), "the connection to the server was lost")
}

// TestReconnectsLeaveNoConsumersBehind is fault F16: a fleet of another program had 587 (openobserve/openobserve#13676).
func TestReconnectsLeaveNoConsumersBehind(t *testing.T) {
	t.Parallel()
	const reconnects, waiters = 50, 20
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	link := proxy.New(t, server.Addr)
	b := open(t, "nats://"+link.Addr)
	must.Save(t, b, state.None, "first")
	var followers []*follower
	for range waiters {
		followers = append(followers, follow(t, b))
	}
	isWatched(t, js, "recess")
	began := time.Now()
	most := 0
	for n := range reconnects {
		link.Cut()
		text := fmt.Sprintf("document %d", n)
		rigs.NATSPut(t, server.Addr, "recess", []byte(text))
		followers[n%waiters].sees(t, text)
		most = max(most, consumers(t, js, "recess"))
	}
	t.Logf("%d reconnects in %v: %d consumers at most", reconnects, time.Since(began).Round(time.Millisecond), most)
	if arrived := len(link.Arrived()); arrived < reconnects {
		t.Errorf("the backend connected %d times", arrived)
	}
	isWatched(t, js, "recess")
	must.Do(t, b.Close())
	must.Become(t, "no consumer", func() bool { return consumers(t, js, "recess") == 0 })
}

// TestALostConnectionIsNoticedAtOnce gives the sign of life ten minutes, which no test has.
func TestALostConnectionIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	link := proxy.New(t, server.Addr)
	b := open(t, "nats://"+link.Addr+"?probe=10m")
	must.Save(t, b, state.None, "first")
	f := follow(t, b)
	f.sees(t, "first")
	js := rigs.NATSClient(t, server.Addr)
	isWatched(t, js, "recess")
	link.Refuse()
	link.Cut()
	must.Become(t, "the consumer is removed", func() bool { return consumers(t, js, "recess") == 0 })
	link.Heal()
	rigs.NATSPut(t, server.Addr, "recess", []byte("second"))
	f.sees(t, "second")
}

// TestAnIdleInstanceReadsOnce, however many documents there were and however often its server beats.
func TestAnIdleInstanceReadsOnce(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr+"?probe=100ms")
	for n := range 5 {
		replace(t, b, fmt.Sprint(n))
	}
	rev := must.Read(t, b).Rev
	looks := rigs.NATSLooks(t, server.Addr, "recess")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	doc, _, err := b.Next(ctx, rev)
	if n := looks(); n != 1 {
		t.Errorf("it read %d times: revision %q, %v", n, doc.Rev, err)
	}
}

// What was read or written just now is not looked at again to be replaced: an operator's change takes one round trip less.
// (On a machine so loaded that "just now" is over, it is tried again.)
func TestWhatWasJustSeenIsReplacedWithoutALook(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	looks := rigs.NATSLooks(t, server.Addr, "recess")
	rev := must.Save(t, b, state.None, "first")
	for range 20 {
		before := looks()
		rev = must.Save(t, b, rev, "again")
		rev = must.Save(t, b, rev, "and again")
		if looks() == before {
			return
		}
	}
	t.Error("every write looks at the document")
}

// TestALostMessageIsMadeUpForByTheNextHeartbeat is fault F7.
func TestALostMessageIsMadeUpForByTheNextHeartbeat(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	link := proxy.New(t, server.Addr)
	b := open(t, "nats://"+link.Addr+"?probe=500ms")
	must.Save(t, b, state.None, "first")
	f := follow(t, b)
	isWatched(t, rigs.NATSClient(t, server.Addr), "recess")
	f.sees(t, "first")
	for n := range 3 {
		lost := link.Drop(func(piece []byte) bool { return strings.Contains(string(piece), "$JS.ACK.KV_recess.") })
		text := fmt.Sprintf("document %d", n)
		rigs.NATSPut(t, server.Addr, "recess", []byte(text))
		select {
		case <-lost:
		case <-time.After(patience):
			t.Fatal("no message came that tells of the change")
		}
		f.sees(t, text)
	}
	if n, err := f.failed(); n > 0 {
		t.Errorf("the follower failed %d times, last with %v", n, err)
	}
}

// TestAFrozenConnectionIsReplaced is fault F3, met by those who do not watch: what was not stored is tried over a new
// connection. (Of a write that follows at once on a look it is only known that it may have been stored.)
func TestAFrozenConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	link := proxy.New(t, server.Addr)
	b := open(t, "nats://"+link.Addr+"?probe=500ms&timeout=1m")
	must.Read(t, b)
	rev := must.Save(t, open(t, "nats://"+server.Addr), state.None, "first")
	for _, c := range []struct {
		what string
		use  func() error
	}{
		{"Save", func() error { _, err := b.Save(t.Context(), rev, []byte("second")); return err }},
		{"Read", func() error { _, err := state.Read(t.Context(), b); return err }},
		{"Instances", func() error { _, err := b.Instances(t.Context()); return err }},
	} {
		link.Freeze()
		began := time.Now()
		if err := c.use(); err != nil {
			t.Errorf("%s over a frozen connection: %v", c.what, err)
		}
		t.Logf("%s over a frozen connection took %v", c.what, time.Since(began).Round(time.Millisecond))
	}
	if now := string(must.Read(t, b).Data); now != "second" {
		t.Errorf("the document is %q", now)
	}
}

// TestAFrozenConnectionThatNobodyUsesIsReplaced: the next change must not be the first to find out.
func TestAFrozenConnectionThatNobodyUsesIsReplaced(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	link := proxy.New(t, server.Addr)
	b := open(t, "nats://"+link.Addr+"?probe=300ms")
	must.Read(t, b)
	link.Freeze()
	must.Become(t, "another connection", func() bool { return len(link.Arrived()) > 1 })
	must.Read(t, b)
}

// TestCallsEndWithTheirContextThoughTheClientIsConnecting: nats.go holds its lock while it waits for a server.
func TestCallsEndWithTheirContextThoughTheClientIsConnecting(t *testing.T) {
	t.Parallel()
	silent := proxy.New(t, "127.0.0.1:1")
	silent.FreezeAll()
	b := open(t, "nats://"+silent.Addr+"?timeout=1m")
	began := time.Now()
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := state.Read(ctx, b)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not connected to "+silent.Addr) {
			t.Errorf("Read: %v", err)
		}
	}
	if took := time.Since(began); took > 50*time.Second { // at two seconds each, it were twice that
		t.Errorf("the calls took %v", took)
	}
}

// TestNothingStaysBehind closes backends in every state of their connection.
func TestNothingStaysBehind(t *testing.T) {
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	link, silent := proxy.New(t, server.Addr), proxy.New(t, "127.0.0.1:1")
	silent.FreezeAll()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	must.Do(t, err)
	must.Do(t, nobody.Close())
	before := goleak.IgnoreCurrent()
	for name, c := range map[string]struct {
		addr  string
		spoil func()
	}{
		"connected":           {server.Addr, func() {}},
		"nobody there":        {nobody.Addr().String(), func() {}},
		"nobody answers":      {silent.Addr, func() {}},
		"frozen":              {link.Addr, link.Freeze},
		"cut and not let in":  {link.Addr, func() { link.Refuse(); link.Cut() }},
		"cut and not greeted": {link.Addr, func() { link.Heal(); link.FreezeAll(); link.Cut() }},
	} {
		t.Run(name, func(t *testing.T) {
			link.Heal()
			b, err := state.Open(t.Context(), "nats://"+c.addr+"?timeout=2s&probe=1s")
			must.Do(t, err)
			_, _ = state.Read(t.Context(), b)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					for rev := state.Unseen; ; {
						doc, _, err := b.Next(context.Background(), rev)
						if errors.Is(err, state.ErrClosed) {
							return
						}
						rev = doc.Rev
						pause(t.Context(), 10*time.Millisecond)
					}
				})
			}
			c.spoil()
			pause(t.Context(), 300*time.Millisecond) // so that it notices, if it is to
			began := time.Now()
			must.Do(t, b.Close())
			all.Wait()
			for range 20 {
				b, err := state.Open(t.Context(), "nats://"+c.addr+"?timeout=2s&probe=1s")
				must.Do(t, err)
				short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				_, _ = state.Read(short, b)
				cancel()
				must.Do(t, b.Close())
			}
			if took := time.Since(began); took > 30*time.Second { // with two seconds for each
				t.Errorf("closing took %v", took)
			}
		})
	}
	link.Cut() // what was frozen is the proxy's
	for deadline := time.Now().Add(patience); ; pause(t.Context(), 20*time.Millisecond) {
		err := goleak.Find(before)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestAClientThatTheCallerClosesIsAnError, and one that lives is left alone.
func TestAClientThatTheCallerClosesIsAnError(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	client := rigs.NATSClient(t, server.Addr).Conn()
	before := client.NumSubscriptions()
	b, err := natsstate.New(client, natsstate.Config{})
	must.Do(t, err)
	must.Save(t, b, state.None, "first")
	f := follow(t, b)
	f.sees(t, "first")
	isWatched(t, rigs.NATSClient(t, server.Addr), "recess")
	must.Do(t, b.Close())
	if client.Status() != nats.CONNECTED {
		t.Errorf("Close left the caller's client %v", client.Status())
	}
	if now := client.NumSubscriptions(); now > before+1 { // the client's own, for the answers to its requests
		t.Errorf("Close left %d subscriptions, of %d", now, before)
	}
	if b, err = natsstate.New(client, natsstate.Config{}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client.Close()
	if _, err := state.Read(t.Context(), b); err == nil || !strings.Contains(err.Error(), "the client is closed") {
		t.Errorf("Read over a closed client: %v", err)
	}
}
