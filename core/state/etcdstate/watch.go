package etcdstate

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A watch is a [driver.Watch] on the document's key. It is made on etcd's own stream and not on clientv3's watcher, which
// takes a broken stream up again where it was, for ever and without a word: at a revision that a store may never reach
// that was wiped in between.
//
// A stream that breaks is replaced, once, without troubling anybody: members restart, and balancers cut connections.
// Whoever waits then reads. If the new one breaks before it has given a sign of life, the watch is lost.
type watch struct {
	store  *store
	stream *stream
	lively bool       // the stream has given a sign of life since it was made
	missed *state.Doc // what Ping has heard of, for the next Wait
}

// Watch implements [driver.Watcher].
func (s *store) Watch(ctx context.Context) (driver.Watch, error) {
	stream, err := s.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	return &watch{store: s, stream: stream}, nil
}

// Wait implements [driver.Watch].
func (w *watch) Wait(ctx context.Context) (state.Doc, error) {
	if w.missed != nil {
		doc := *w.missed
		w.missed = nil
		return doc, nil
	}
	for {
		doc, changed, err := w.hear(ctx)
		if changed && doc.Rev != state.None {
			w.store.known.Store(&doc)
		}
		if changed || err != nil {
			return doc, w.store.explain(err, "read", w.store.key)
		}
	}
}

// Ping implements [driver.Watch]: it asks how far the watch has come, which the server answers on the watch's own stream.
func (w *watch) Ping(ctx context.Context) error {
	began := time.Now()
	request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
	_ = w.stream.Send(request) // if it fails, the stream has ended, and hear says why
	doc, changed, err := w.hear(ctx)
	switch {
	case changed:
		w.missed = &doc
	case errors.Is(err, context.DeadlineExceeded):
		w.store.reconnect(began)
	}
	return w.store.explain(err, "read", w.store.key)
}

// Close implements [driver.Watch].
func (w *watch) Close() { w.stream.close() }

// hear returns the next thing that the stream says: a change, with the document if there is one, or a sign of life. Of a
// stream that has been replaced it says that everything may have changed.
func (w *watch) hear(ctx context.Context) (doc state.Doc, changed bool, err error) {
	select {
	case answer, ok := <-w.stream.told:
		if !ok {
			err = w.stream.broken
			break
		}
		if err = failure(answer); err == nil {
			w.lively = true
			return last(answer.Events), len(answer.Events) > 0, nil
		}
	case <-ctx.Done():
		return state.Doc{}, false, ctx.Err()
	}
	if !w.lively {
		return state.Doc{}, false, err
	}
	stream, failed := w.store.subscribe(ctx)
	if failed != nil {
		return state.Doc{}, false, err
	}
	w.stream.close()
	w.stream, w.lively = stream, false
	return state.Doc{}, true, nil
}

// last returns the document after some events: the zero Doc if it was deleted, or if there are no events.
func last(events []*mvccpb.Event) state.Doc {
	if len(events) == 0 || events[len(events)-1].Type == mvccpb.Event_DELETE {
		return state.Doc{}
	}
	return docOf(events[len(events)-1].Kv)
}

// failure is why the server ends the watch with this answer; nil if it does not.
func failure(answer *pb.WatchResponse) error {
	switch {
	case answer.CompactRevision != 0:
		return rpctypes.ErrCompacted
	case !answer.Canceled:
		return nil
	}
	reason := answer.CancelReason
	if _, description, ok := strings.Cut(reason, " desc = "); ok {
		reason = description // it is the text of a gRPC status
	}
	return rpctypes.Error(errors.New(reason))
}

// A stream carries what a server tells of the key.
type stream struct {
	pb.Watch_WatchClient
	end    context.CancelFunc
	told   chan *pb.WatchResponse // closed at the end
	broken error                  // why it ended; to be read once told is closed
}

// subscribe returns a stream on which every change from now on is told. The context bounds the subscribing alone.
func (s *store) subscribe(ctx context.Context) (*stream, error) {
	var w *stream
	err := s.led(ctx, func(ctx context.Context) error {
		life, end := context.WithCancel(context.WithoutCancel(ctx))
		settle := context.AfterFunc(ctx, end)
		watching, err := s.create(life)
		if !settle() {
			err = ctx.Err()
		}
		if err != nil {
			end()
			return err
		}
		w = &stream{Watch_WatchClient: watching, end: end, told: make(chan *pb.WatchResponse)}
		go w.listen()
		return nil
	})
	return w, s.explain(err, "read", s.key)
}

func (s *store) create(life context.Context) (pb.Watch_WatchClient, error) {
	// Many changes may come in one message, which clientv3 too leaves unbounded.
	watching, err := s.watches.Watch(life, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		return nil, err
	}
	create := &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(s.key)}}
	if err := watching.Send(&pb.WatchRequest{RequestUnion: create}); err != nil {
		if _, why := watching.Recv(); why != nil {
			err = why
		}
		return nil, err
	}
	answer, err := watching.Recv()
	if err != nil {
		return nil, err
	}
	return watching, failure(answer)
}

func (w *stream) listen() {
	defer close(w.told)
	for {
		answer, err := w.Recv()
		if err != nil {
			w.broken = err
			return
		}
		select {
		case w.told <- answer:
		case <-w.Context().Done():
			w.broken = w.Context().Err()
			return
		}
	}
}

// close ends the stream, and returns when nothing of it runs any more. It waits for no server.
func (w *stream) close() {
	w.end()
	for range w.told { // what was told is not wanted any more
	}
}
