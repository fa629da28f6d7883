package recess

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

const (
	// heartbeat is how often an instance announces itself while nothing changes.
	heartbeat = 10 * time.Second
	// announcementLasts is until when an announcement counts: two heartbeats may be lost.
	announcementLasts = 35 * time.Second
	// announceSpacing is the least time between two announcements, however much changes; but that an instance is drained is
	// told at once.
	announceSpacing = time.Second
	// withdrawing bounds the goodbye of an instance that ends, and goodbyeLasts is for how long it can be read.
	withdrawing  = time.Second
	goodbyeLasts = 15 * time.Second
	// drainLook is the first pause between two looks at whether an instance is drained; they get longer up to
	// drainLookLast, since what has not ended by then is a long download or a stream.
	drainLook     = 10 * time.Millisecond
	drainLookLast = 250 * time.Millisecond
)

// announce keeps the instance announced until ctx ends: at every heartbeat, and soon after a change of what it says.
func (e *Engine) announce(ctx context.Context, presence state.Presence) {
	defer e.withdraw(ctx, presence)
	sleepUntil(ctx, e.known, announceSpacing) // "initializing" would be old as soon as it is written
	failing := false
	var offset time.Duration
	for ctx.Err() == nil {
		said := e.report()
		said.ClockOffset = offset.Milliseconds()
		began := e.now()
		at, err := presence.Announce(ctx, e.id, said.encode(), announcementLasts)
		if err == nil {
			offset = clockOffset(began, e.now(), at)
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, state.ErrClosed):
			return
		case errors.Is(err, state.ErrReadOnly) && !failing: // a mounted ConfigMap: it is so on purpose
			e.log.Info("the instance is not announced to the fleet: nothing can be written where the state is", "instance", e.id, "error", err)
		case err != nil && !failing:
			e.log.Warn("the instance cannot announce itself to the fleet", "instance", e.id, "error", err)
		case err == nil && failing:
			e.log.Info("the instance is announced to the fleet again", "instance", e.id)
		}
		failing = err != nil
		e.untilNews(ctx, said.Earlier)
	}
}

// clockOffset is by how much our clock is ahead of the store's at least, if it was asked between two instants of ours. It is
// negative if ours is behind, and 0 as long as both may agree.
func clockOffset(asked, answered, store time.Time) time.Duration {
	switch {
	case store.IsZero():
		return 0
	case store.Before(asked):
		return asked.Sub(store)
	case store.After(answered):
		return answered.Sub(store)
	}
	return 0
}

// untilNews returns when there is something new to announce, or a heartbeat is due. said is how much work from before a
// window was announced to run still.
func (e *Engine) untilNews(ctx context.Context, said int64) {
	began, beat := time.Now(), heartbeat-randv2.N(heartbeat/5)
	for look := drainLook; ctx.Err() == nil; look = min(2*look, drainLookLast) {
		left, soonest := beat-time.Since(began), announceSpacing-time.Since(began)
		now := e.earlier()
		switch {
		case left <= 0, said > 0 && now == 0, soonest <= 0 && now != said:
			return
		case now > 0:
			left = min(left, look)
		}
		if soonest > 0 {
			sleep(ctx, min(left, soonest))
		} else if sleepUntil(ctx, e.news, left) {
			return
		}
	}
}

// hasNews has the instance announced anew, soon.
func (e *Engine) hasNews() {
	select {
	case e.news <- struct{}{}:
	default: // it is about to be
	}
}

// withdraw takes leave of the fleet: an instance that ends in good order is not lost. While a window runs somebody may
// wait for this instance, and has to be told why it is not there any more. If that fails, the last announcement expires.
func (e *Engine) withdraw(ctx context.Context, presence state.Presence) {
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawing)
	defer cancel()
	said := e.report()
	var err error
	if len(said.Running) > 0 {
		said.Left = true
		_, err = presence.Announce(leaving, e.id, said.encode(), goodbyeLasts)
	} else {
		err = presence.Withdraw(leaving, e.id)
	}
	if err != nil && !errors.Is(err, state.ErrClosed) {
		e.log.Info("the instance could not withdraw from the fleet: its announcement expires", "instance", e.id, "error", err)
	}
}

// earlier returns how much work runs that may have been admitted before the windows that run now; 0 while none does.
func (e *Engine) earlier() int64 {
	e.mu.Lock()
	defer e.unlock()
	return e.earlierLocked(e.snap.Load())
}

func (e *Engine) earlierLocked(snap *snapshot) int64 {
	if snap == nil || len(snap.running) == 0 {
		return 0
	}
	return e.inflight.earlier(e.snapshots) + e.streaming().looseTold
}

// report is what the instance says of itself.
func (e *Engine) report() *Instance {
	host, _ := os.Hostname() // the name says as much
	e.mu.Lock()
	defer e.unlock()
	counts := e.counts()
	i := &Instance{
		Name: e.config.Instance, Host: host, PID: os.Getpid(), Version: version(),
		Epoch: e.current.Epoch, Revision: e.current.Revision,
		Follower: e.follower.Phase, FollowerSince: e.follower.Since.UTC(), Source: e.follower.Source,
		InFlight: counts.InFlight, Held: counts.Held, Streams: counts.Streams, Closing: e.streaming().told,
		ReportOnly: e.rules.policy.ReportOnly, NamesRequests: e.rules.policy.NameRequests,
	}
	if snap := e.snap.Load(); snap != nil {
		for _, w := range snap.running {
			i.Running = append(i.Running, occurrence(&w.Window))
		}
		i.Earlier = e.earlierLocked(snap)
		i.Oldest = e.oldest(i.Earlier)
	}
	if e.follower.lastError != nil {
		i.LastError = e.follower.LastError[:min(len(e.follower.LastError), 500)]
	}
	if e.haveState && e.current.Numbered() && e.follower.refused() {
		i.Known, _ = state.Encode(e.current) // it was decoded: it can be encoded
	}
	return i
}

func (i *Instance) encode() []byte {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // a document of the largest size must fit
	_ = enc.Encode(i)        // plain strings, numbers and a time of a four-digit year: it cannot fail
	return data.Bytes()
}

// version is the program's, as the go command recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return strings.Trim(info.Main.Version, "()")
	}
	return ""
}

// instanceID makes the id of one run of an instance of this name.
func instanceID(name string) string { return name + "." + strings.ToLower(rand.Text()[:8]) }

// CheckInstance returns an error for a name that [Config].Instance cannot have.
func CheckInstance(name string) error {
	if limit := state.MaxInstance - len(instanceID("")); len(name) > limit {
		return fmt.Errorf("the instance's name has %d bytes, at most %d are allowed", len(name), limit)
	}
	return state.CheckAnnouncement(name, nil, announcementLasts)
}

// defaultInstance is host-pid, of the host's name what an announcement can carry.
func defaultInstance() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%s-%d", name[:min(len(name), 64)], os.Getpid())
}
