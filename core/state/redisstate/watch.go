package redisstate

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A watch is one subscription. Its goroutine reads from it without ever giving up, since go-redis cannot go on after a
// part of a message.
type watch struct {
	store  *store
	sub    *redis.PubSub
	master string         // to which server it was subscribed, where sentinels know that
	news   chan state.Doc // of one place: the last message counts
	pongs  chan string    // of one place
	lost   chan struct{}  // closed when the subscription has ended
	err    error          // why it has
	pings  int
}

// Watch implements [driver.Watcher]. In a cluster every node tells what was published on any of them; sharded channels
// would spare the cluster's bus a message of a few kilobytes per change, and need Redis 7.
func (s *store) Watch(ctx context.Context) (driver.Watch, error) {
	w, err := call(ctx, s, s.subscribe, (*watch).Close)
	if err != nil {
		if lost(err) || unmade(err) {
			s.doubt()
		}
		return nil, s.explain(err)
	}
	return w, nil
}

func (s *store) subscribe(ctx context.Context) (w *watch, err error) {
	w = &watch{store: s, news: make(chan state.Doc, 1), pongs: make(chan string, 1), lost: make(chan struct{})}
	if s.master != nil {
		if w.master, err = s.master.find(ctx); err != nil {
			return nil, err
		}
	}
	w.sub = s.client.Subscribe(ctx)
	err = w.sub.Subscribe(ctx, s.keys.channel)
	if err == nil {
		err = w.confirmed(ctx)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	s.calls.Go(w.receive)
	return w, nil
}

// confirmed waits for the server's answer to SUBSCRIBE.
func (w *watch) confirmed(ctx context.Context) error {
	answer, err := w.sub.Receive(ended{ctx})
	if _, ok := answer.(*redis.Subscription); err == nil && !ok {
		err = unexpected("SUBSCRIBE", answer)
	}
	return err
}

// An ended context has the deadline of another one, and has ended. A subscription that exists is read and written by its
// deadline alone; where go-redis would connect anew, and subscribe behind our back, it finds that it must not.
type ended struct{ context.Context }

var done = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done implements [context.Context].
func (ended) Done() <-chan struct{} { return done }

// Err implements [context.Context].
func (ended) Err() error { return context.Canceled }

func (w *watch) receive() {
	defer close(w.lost)
	for {
		message, err := w.sub.Receive(ended{context.Background()})
		if err != nil {
			w.err = err
			return
		}
		switch m := message.(type) {
		case *redis.Message:
			put(w.news, docOf(m.Payload))
		case *redis.Pong:
			put(w.pongs, m.Payload)
		default:
			w.err = fmt.Errorf("the server has ended the subscription: %v", m)
			return
		}
	}
}

// put makes v the one that a channel of one place holds. Nobody else sends on it.
func put[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// Wait implements [driver.Watch].
func (w *watch) Wait(ctx context.Context) (state.Doc, error) {
	select {
	case doc := <-w.news:
		return doc, nil
	case <-w.lost:
		return state.Doc{}, w.store.explain(w.err)
	case <-ctx.Done():
		return state.Doc{}, ctx.Err()
	}
}

// recheck is after how many pings the sentinels are asked whether the server is still the master.
const recheck = 10

// Ping implements [driver.Watch].
func (w *watch) Ping(ctx context.Context) error {
	w.pings++
	if err := w.ping(ctx, strconv.Itoa(w.pings)); err != nil {
		w.store.doubt()
		return w.store.explain(err)
	}
	if w.master == "" || w.pings%recheck != 0 {
		return nil
	}
	// Sentinels that cannot be asked do not end a watch that lives.
	if master, err := w.store.master.find(ctx); err == nil && master != w.master {
		w.store.doubt()
		return fmt.Errorf("the sentinels have made %s the master, in place of %s", master, w.master)
	}
	return nil
}

func (w *watch) ping(ctx context.Context, word string) error {
	if err := w.sub.Ping(ended{ctx}, word); err != nil {
		select {
		case <-w.lost: // for which there is a better reason
			return w.err
		case <-ctx.Done():
			return err
		}
	}
	for {
		select {
		case pong := <-w.pongs:
			if pong == word {
				return nil
			}
		case <-w.lost:
			return w.err
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("it does not answer a PING: %w", ctx.Err())
		}
	}
}

// Close implements [driver.Watch].
func (w *watch) Close() { _ = w.sub.Close() }
