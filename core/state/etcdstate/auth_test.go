package etcdstate

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// slow authenticates in a second, and counts how often.
type slow struct {
	clientv3.Auth
	mu    sync.Mutex
	times int
}

func (s *slow) Authenticate(ctx context.Context, _, _ string) (*clientv3.AuthenticateResponse, error) {
	s.mu.Lock()
	s.times++
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return &clientv3.AuthenticateResponse{Token: "token"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCallsAuthenticateTogetherAndEachWithinItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := &slow{}
		together := &shared{Auth: auth}
		var all sync.WaitGroup
		ask := func(within, after time.Duration, want error) {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			began := time.Now()
			answer, err := together.Authenticate(ctx, "u", "p")
			switch took := time.Since(began); {
			case !errors.Is(err, want), err == nil && answer.Token != "token":
				t.Errorf("a call with %v: %v, %v", within, answer, err)
			case took != after:
				t.Errorf("a call with %v took %v, want %v", within, took, after)
			}
		}
		for range 20 {
			all.Go(func() { ask(time.Minute, time.Second, nil) })
		}
		synctest.Wait()
		all.Go(func() { ask(time.Millisecond, time.Millisecond, context.DeadlineExceeded) })
		all.Wait()
		if auth.times != 1 {
			t.Errorf("21 calls authenticated %d times", auth.times)
		}

		auth.times = 0
		all.Go(func() { ask(time.Second/2, time.Second/2, context.DeadlineExceeded) })
		synctest.Wait()
		all.Go(func() { ask(time.Minute, time.Second+time.Second/2, nil) }) // the first one gives up: it goes on
		all.Wait()
		ask(time.Minute, time.Second, nil) // a later one is for another token
		if auth.times != 3 {
			t.Errorf("calls authenticated %d times, want 3", auth.times)
		}
	})
}
