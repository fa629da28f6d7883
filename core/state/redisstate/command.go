package redisstate

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// call runs do, and returns when it has or when the context has ended: while go-redis waits for an answer it heeds a
// context's deadline, but not its cancellation. What comes too late is dropped.
func call[T any](ctx context.Context, s *store, do func(context.Context) (T, error), drop func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	result := make(chan outcome)
	s.calls.Go(func() {
		value, err := do(ctx)
		select {
		case result <- outcome{value, err}:
		case <-ctx.Done():
			if err == nil {
				drop(value)
			}
		}
	})
	select {
	case o := <-result:
		deadline, bounded := ctx.Deadline()
		if bounded && errors.Is(o.err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline) {
			<-ctx.Done() // the socket has seen it a moment earlier
		}
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// A once is a command that every client sends no more than once, and whose answer it takes from no cache.
type once struct{ *redis.Cmd }

// NoRetry implements [redis.Cmder].
func (once) NoRetry() bool { return true }

// A letter is a text in a command of which can be told whether it was sent. One that was recalled never will be.
type letter struct {
	text string
	fate atomic.Int32 // 0 while it lies there
}

const (
	posted = iota + 1
	recalled
)

// MarshalBinary implements [encoding.BinaryMarshaler]: go-redis calls it when it writes the command.
func (l *letter) MarshalBinary() ([]byte, error) {
	if l.fate.CompareAndSwap(0, posted) || l.fate.Load() == posted {
		return []byte(l.text), nil
	}
	return nil, errors.New("the command was given up")
}

// recall keeps a letter from being sent, and reports whether it was in time.
func (l *letter) recall() bool {
	return l.fate.CompareAndSwap(0, recalled) || l.fate.Load() == recalled
}

// do sends a command and returns its answer: nil, a string, an int64 or a []any of these.
func (s *store) do(ctx context.Context, args ...any) (any, error) {
	return call(ctx, s, func(ctx context.Context) (any, error) {
		cmd := once{redis.NewCmd(ctx, args...)}
		if err := s.client.Process(ctx, cmd); err != nil {
			return nil, err
		}
		s.met.Store(true)
		return cmd.Val(), nil
	}, func(any) {})
}

// A script runs on the server, where nothing else runs meanwhile.
type script struct{ source, hash string }

func newScript(source string) script { return script{source, redis.NewScript(source).Hash()} }

// eval runs a script by its hash, or whole where the server does not know it (any more).
func (s *store) eval(ctx context.Context, script script, keys []string, args ...any) (any, error) {
	rest := []any{len(keys)}
	for _, key := range keys {
		rest = append(rest, key)
	}
	rest = append(rest, args...)
	answer, err := s.do(ctx, append([]any{"evalsha", script.hash}, rest...)...)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		answer, err = s.do(ctx, append([]any{"eval", script.source}, rest...)...)
	}
	return answer, err
}

// twice does what may be done twice. The first attempt has half of the time. If it meets a connection that is dead, or a
// server that is no master any more, there is a second one over a new connection.
func (s *store) twice(ctx context.Context, do func(context.Context) error) error {
	first, cancel := ctx, func() {}
	if deadline, bounded := ctx.Deadline(); bounded {
		first, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	err := do(first)
	cancel()
	if err == nil || ctx.Err() != nil {
		return err
	}
	unsure := lost(err)
	demoted := s.own != nil && redis.IsReadOnlyError(err)
	if unsure || demoted || unmade(err) {
		s.doubt()
	}
	if unsure || demoted {
		err = do(ctx)
	}
	return err
}

// doubt keeps the connections that there are from being used for another command, and has a cluster client ask again
// who the masters are: by itself it would dial one that is gone for ever.
func (s *store) doubt() {
	if s.own != nil {
		s.own.doubt()
	}
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(context.Background())
	}
}
