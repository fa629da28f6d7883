package natsstate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A watch is a consumer of the key's new messages that ends with the connection on which it was made: what came while
// there was none is not made up for but read. The server removes it when nobody has listened for a while.
type watch struct {
	store    *store
	on       *session
	inbox    *nats.Subscription
	messages chan *nats.Msg

	delivered uint64    // the consumer's count of messages
	at        uint64    // and where it is in the stream
	heard     time.Time // when it was last heard of
}

const (
	// lingers is how long a watch's consumer stays that nobody listens to: it ends with the connection anyway.
	lingers = 2 * time.Second
	// backlog is how many messages may wait to be told. Should there be more, the next heartbeat shows it.
	backlog = 256
	// missed is how many heartbeats may fail to come.
	missed = 3
)

// consumerRequest makes a consumer.
type consumerRequest struct {
	Stream string                   `json:"stream_name"`
	Config jetstream.ConsumerConfig `json:"config"`
	Action string                   `json:"action"`
}

// Watch implements [driver.Watcher].
func (s *store) Watch(ctx context.Context) (driver.Watch, error) {
	w, err := within(ctx, s.link, s.subscribe, (*watch).Close)
	if err != nil {
		return nil, explain(err)
	}
	return w, nil
}

func (s *store) subscribe(ctx context.Context) (*watch, error) {
	on, err := s.link.use(ctx)
	if err != nil {
		return nil, err
	}
	w := &watch{store: s, on: on, messages: make(chan *nats.Msg, backlog)}
	if err := w.begin(ctx); err != nil {
		w.end()
		return nil, err
	}
	w.heard = time.Now()
	return w, nil
}

func (w *watch) begin(ctx context.Context) (err error) {
	s := w.store
	s.checked.Store(false) // another connection, or another stream
	if err := s.check(ctx, w.on); err != nil {
		return err
	}
	inbox := w.on.conn.NewInbox()
	if w.inbox, err = w.on.conn.ChanSubscribe(inbox, w.messages); err != nil {
		return w.on.broken(err)
	}
	c := jetstream.ConsumerConfig{
		Name: "recess-" + rand.Text(), FilterSubject: s.names.subject, DeliverSubject: inbox, DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy: jetstream.AckNonePolicy, IdleHeartbeat: s.config.Probe, InactiveThreshold: lingers, MemoryStorage: true, Replicas: 1,
	}
	var answer struct {
		Delivered struct {
			Stream uint64 `json:"stream_seq"`
		} `json:"delivered"`
	}
	err = w.on.call(ctx, s.names.api+"CONSUMER.CREATE."+s.names.stream+"."+c.Name+"."+s.names.subject, consumerRequest{s.names.stream, c, "create"}, &answer)
	w.at = answer.Delivered.Stream
	return s.gone(anyName(err, c.Name))
}

// Wait implements [driver.Watch].
func (w *watch) Wait(ctx context.Context) (state.Doc, error) {
	for {
		select {
		case m := <-w.messages:
			if doc, told, err := w.take(m); told || err != nil {
				return doc, err
			}
		case <-w.on.down:
			return state.Doc{}, errLost
		case <-ctx.Done():
			return state.Doc{}, ctx.Err()
		}
	}
}

// take reads a message of the consumer. It reports whether the document may have changed.
func (w *watch) take(m *nats.Msg) (doc state.Doc, told bool, err error) {
	w.heard = time.Now()
	switch status := m.Header.Get("Status"); status {
	case "":
	case "100":
		return state.Doc{}, w.beat(m.Header), nil
	default:
		return state.Doc{}, false, fmt.Errorf("the server ended the watch: %s %s", status, m.Header.Get("Description"))
	}
	meta, err := m.Metadata()
	if err != nil {
		return state.Doc{}, false, fmt.Errorf("a message of the watch makes no sense: %w", err)
	}
	w.delivered, w.at = meta.Sequence.Consumer, meta.Sequence.Stream
	w.store.heard(w.at)
	if isMarker(m.Header) {
		return state.Doc{}, true, nil
	}
	doc = docOf(w.at, m.Data)
	w.store.saw(entry{w.at, doc})
	return doc, true, nil
}

// beat reads a heartbeat, and reports whether the consumer is elsewhere than it should be: some message did not arrive, or
// the consumer was lost with its server and made anew by the cluster, and skipped what came in between. That other keys
// of the bucket have changed looks the same.
func (w *watch) beat(h nats.Header) (astray bool) {
	delivered, err := strconv.ParseUint(h.Get("Nats-Last-Consumer"), 10, 64)
	at, errToo := strconv.ParseUint(h.Get("Nats-Last-Stream"), 10, 64)
	if err != nil || errToo != nil {
		return true
	}
	astray = delivered != w.delivered || at != w.at
	w.delivered, w.at = delivered, at
	return astray
}

// Ping implements [driver.Watch]. That the connection lives is not enough: the consumer ends with its stream, without a
// word.
func (w *watch) Ping(ctx context.Context) error {
	_, err := within(ctx, w.store.link, func(ctx context.Context) (struct{}, error) {
		err := w.on.ping(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			w.on.doubt()
		}
		return struct{}{}, err
	}, func(struct{}) {})
	if err != nil {
		return err
	}
	if silence := time.Since(w.heard); silence > missed*w.store.config.Probe && len(w.messages) == 0 {
		return fmt.Errorf("the bucket's stream has been silent for %s: it may have been removed, or made anew", silence.Round(time.Millisecond))
	}
	return nil
}

// Close implements [driver.Watch].
func (w *watch) Close() { w.store.link.calls.Go(w.end) }

func (w *watch) end() {
	if w.inbox != nil {
		_ = w.inbox.Unsubscribe() // it fails only where there is no subscription any more
	}
	w.on.release()
}
