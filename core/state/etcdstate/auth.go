package etcdstate

import (
	"context"
	"errors"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// shared is a client's way to authenticate, once for all calls that need it at the same time: clientv3 has each of them
// do so for itself, and a password check costs the cluster a write and tens of milliseconds of computing.
type shared struct {
	clientv3.Auth

	mu  sync.Mutex
	now *authentication // under way; nil if there is none
}

type authentication struct {
	done   chan struct{} // closed at its end
	answer *clientv3.AuthenticateResponse
	err    error
}

// Authenticate implements [clientv3.Auth].
func (s *shared) Authenticate(ctx context.Context, user, password string) (*clientv3.AuthenticateResponse, error) {
	for {
		s.mu.Lock()
		a := s.now
		if a == nil {
			a = &authentication{done: make(chan struct{})}
			s.now = a
			s.mu.Unlock()
			a.answer, a.err = s.Auth.Authenticate(ctx, user, password)
			s.mu.Lock()
			s.now = nil
			s.mu.Unlock()
			close(a.done)
			return a.answer, a.err
		}
		s.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !errors.Is(a.err, context.Canceled) && !errors.Is(a.err, context.DeadlineExceeded) {
			return a.answer, a.err
		}
		// Whoever was first had less time than this call.
	}
}
