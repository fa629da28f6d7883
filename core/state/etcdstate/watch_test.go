package etcdstate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// scripted returns a fake whose streams do one script after the other, and the last one from then on.
func scripted(t *testing.T, scripts ...func(pb.Watch_WatchServer) error) *fake {
	t.Helper()
	f := &fake{}
	f.onWatch = func(stream pb.Watch_WatchServer) error {
		return scripts[min(f.times("watch"), len(scripts))-1](stream)
	}
	return f.serve(t)
}

// watching subscribes, and ends the watch with the test.
func watching(t *testing.T, s *store) driver.Watch {
	t.Helper()
	w, err := s.Watch(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func tells(events ...*mvccpb.Event) *pb.WatchResponse {
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 9}, Events: events}
}

func put(kv *mvccpb.KeyValue) *mvccpb.Event { return &mvccpb.Event{Type: mvccpb.Event_PUT, Kv: kv} }

// quiet is a watch that is made, and of which nothing more is heard.
func quiet(stream pb.Watch_WatchServer) error {
	if err := created(stream); err != nil {
		return err
	}
	return untilGone(stream)
}

func TestWatchReturnsOnceTheServerHasConfirmedIt(t *testing.T) {
	asked, confirm := make(chan struct{}), make(chan struct{})
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if create := request.GetCreateRequest(); string(create.GetKey()) != DefaultKey || create.RangeEnd != nil || create.StartRevision != 0 {
			t.Errorf("asked for %v", request)
		}
		close(asked)
		<-confirm
		if err := stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{}, Created: true}); err != nil {
			return err
		}
		return untilGone(stream)
	})
	s := f.store(t, true)
	made := make(chan error, 1)
	go func() {
		w, err := s.Watch(soon(t))
		if err == nil {
			defer w.Close()
		}
		made <- err
	}()
	<-asked
	select {
	case err := <-made:
		t.Errorf("Watch returned before it was confirmed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(confirm)
	if err := <-made; err != nil {
		t.Error(err)
	}
}

func TestTheContextOfWatchBoundsTheSubscribingAlone(t *testing.T) {
	f := scripted(t,
		func(stream pb.Watch_WatchServer) error { // it never says that the watch is made
			return untilGone(stream)
		},
		func(stream pb.Watch_WatchServer) error {
			if err := created(stream); err != nil {
				return err
			}
			if _, err := stream.Recv(); err != nil {
				return err
			}
			return stream.Send(tells(put(kv(5, "later"))))
		})
	s := f.store(t, true)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Watch(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a watch that is never confirmed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cancel()
	if err := w.Ping(soon(t)); err != nil {
		t.Fatal(err)
	}
	if doc, err := w.Wait(soon(t)); err != nil || string(doc.Data) != "later" {
		t.Errorf("after the subscribing's context had ended: %q, %v", doc.Data, err)
	}
}

func TestAChangeCarriesTheDocument(t *testing.T) {
	deleted := &mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: []byte(DefaultKey), ModRevision: 8}}
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		for _, answer := range []*pb.WatchResponse{
			{Header: &pb.ResponseHeader{}, Created: true}, tells(put(kv(5, "five"))), tells(put(kv(6, "six")), put(kv(7, "seven"))), tells(deleted),
		} {
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		return untilGone(stream)
	})
	w := watching(t, f.store(t, true))
	for _, want := range []state.Doc{
		{Rev: driver.Numbered(5, []byte("five")), Data: []byte("five")},
		{Rev: driver.Numbered(7, []byte("seven")), Data: []byte("seven")}, // the last of those that came together
		{}, // deleted: the driver reads
	} {
		doc, err := w.Wait(soon(t))
		if err != nil || doc.Rev != want.Rev || string(doc.Data) != string(want.Data) {
			t.Errorf("told of %q %q, want %q: %v", doc.Rev, doc.Data, want.Rev, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if doc, err := w.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with nothing to tell: %q, %v", doc.Data, err)
	}
}

func TestAnyNumberOfChangesMayComeInOneMessage(t *testing.T) {
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		if err := created(stream); err != nil {
			return err
		}
		var events []*mvccpb.Event
		for n := range int64(40) {
			events = append(events, put(kv(n+2, strings.Repeat("x", state.MaxSize))))
		}
		return errors.Join(stream.Send(tells(events...)), untilGone(stream))
	})
	doc, err := watching(t, f.store(t, true)).Wait(soon(t))
	if n, _ := driver.Number(doc.Rev); err != nil || n != 41 {
		t.Errorf("told of %q, %v", doc.Rev, err)
	}
}

func TestAChangeThatComesWhilePingWaitsIsNotLost(t *testing.T) {
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		if err := created(stream); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(tells(put(kv(5, "five")))); err != nil {
			return err
		}
		return untilGone(stream)
	})
	w := watching(t, f.store(t, true))
	if err := w.Ping(soon(t)); err != nil {
		t.Fatal(err)
	}
	if doc, err := w.Wait(soon(t)); err != nil || string(doc.Data) != "five" {
		t.Errorf("after Ping: %q, %v", doc.Data, err)
	}
}

// ended says that the server has ended the watch.
func ended(stream pb.Watch_WatchServer, compacted int64, reason string) error {
	return stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{}, Canceled: true, CompactRevision: compacted, CancelReason: reason})
}

// A stream that gave a sign of life and then breaks, in one of the ways there are, is replaced; whoever waits reads.
func TestAStreamThatBreaksIsReplaced(t *testing.T) {
	for name, end := range map[string]func(pb.Watch_WatchServer) error{
		"what it waits for is compacted":  func(s pb.Watch_WatchServer) error { return errors.Join(ended(s, 7, ""), untilGone(s)) },
		"the server ends the watch":       func(s pb.Watch_WatchServer) error { return errors.Join(ended(s, 0, "because"), untilGone(s)) },
		"the member has lost its leader":  func(pb.Watch_WatchServer) error { return rpctypes.ErrGRPCNoLeader },
		"the server ends":                 func(pb.Watch_WatchServer) error { return nil },
		"the connection ends in an error": func(pb.Watch_WatchServer) error { return status.Error(codes.Unavailable, "gone") },
	} {
		for _, during := range []string{"Wait", "Ping"} {
			t.Run(name+" during "+during, func(t *testing.T) {
				gone := make(chan struct{})
				lively := func(stream pb.Watch_WatchServer) error {
					defer close(gone)
					if err := errors.Join(created(stream), alive(stream)); err != nil {
						return err
					}
					return end(stream)
				}
				f := scripted(t, lively, quiet)
				w := watching(t, f.store(t, true))
				if err := w.Ping(soon(t)); err != nil {
					t.Fatal(err)
				}
				if during == "Ping" {
					if err := w.Ping(soon(t)); err != nil {
						t.Errorf("Ping: %v", err)
					}
				}
				if doc, err := w.Wait(soon(t)); err != nil || doc.Rev != state.None {
					t.Errorf("Wait: %q, %v, want to have the document read", doc.Rev, err)
				}
				if n := f.times("watch"); n != 2 {
					t.Errorf("%d streams were made", n)
				}
				select {
				case <-gone:
				case <-time.After(patience):
					t.Error("the old stream was not ended")
				}
			})
		}
	}
}

func TestAStreamThatBreaksBeforeAnySignOfLifeIsLost(t *testing.T) {
	lively := func(stream pb.Watch_WatchServer) error {
		if err := errors.Join(created(stream), alive(stream)); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "broken for the first time")
	}
	broken := func(stream pb.Watch_WatchServer) error {
		if err := created(stream); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "broken again")
	}
	f := scripted(t, broken)
	if _, err := watching(t, f.store(t, true)).Wait(soon(t)); err == nil || !strings.Contains(err.Error(), "broken again") {
		t.Errorf("a new one: %v", err)
	}
	f = scripted(t, func(stream pb.Watch_WatchServer) error {
		return errors.Join(created(stream), ended(stream, 7, ""), untilGone(stream))
	})
	if _, err := watching(t, f.store(t, true)).Wait(soon(t)); !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("a new one that is behind a compaction: %v", err)
	}
	f = scripted(t, lively, broken)
	w := watching(t, f.store(t, true))
	if err := w.Ping(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(soon(t)); err == nil || !strings.Contains(err.Error(), "broken again") {
		t.Errorf("one that has been replaced: %v", err)
	}
	if n := f.times("watch"); n != 2 {
		t.Errorf("%d streams were made", n)
	}
}

func TestAStreamThatCannotBeReplacedIsLost(t *testing.T) {
	lively := func(stream pb.Watch_WatchServer) error {
		if err := errors.Join(created(stream), alive(stream)); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "broken")
	}
	f := scripted(t, lively, func(stream pb.Watch_WatchServer) error {
		return ended(stream, 0, rpctypes.ErrGRPCPermissionDenied.Error())
	})
	w := watching(t, f.store(t, true))
	if err := w.Ping(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(soon(t)); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("Wait: %v", err)
	}
}

func TestAWatchThatIsNotAllowedSaysWhatIsMissing(t *testing.T) {
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		return errors.Join(ended(stream, 0, rpctypes.ErrGRPCPermissionDenied.Error()), untilGone(stream))
	})
	_, err := f.store(t, true).Watch(soon(t))
	if !errors.Is(err, rpctypes.ErrPermissionDenied) || !strings.Contains(err.Error(), "role grant-permission ROLE read recess") {
		t.Errorf("Watch: %v", err)
	}
}

func TestAWatchIsAskedForAgainUntilThereIsALeader(t *testing.T) {
	f := scripted(t,
		func(pb.Watch_WatchServer) error { return rpctypes.ErrGRPCNoLeader },
		func(pb.Watch_WatchServer) error { return rpctypes.ErrGRPCNoLeader },
		quiet)
	watching(t, f.store(t, true))
	if n := f.times("watch"); n != 3 {
		t.Errorf("%d streams were made", n)
	}
}

func TestAPingThatIsNotAnsweredHasOurOwnClientConnectAnew(t *testing.T) {
	for _, owned := range []bool{true, false} {
		f := scripted(t, quiet)
		s := f.store(t, owned)
		w := watching(t, s)
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.Ping(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
		w.Close()
		if _, err := s.Read(soon(t)); err != nil {
			t.Errorf("a read afterwards: %v", err)
		}
		want := 1
		if owned {
			want = 2
		}
		if n := f.connections(); n != want {
			t.Errorf("the client is the backend's own: %v, and it connected %d times, want %d", owned, n, want)
		}
	}
}

func TestAPingThatTheEndOfTheBackendInterruptsConnectsNothing(t *testing.T) {
	f := scripted(t, quiet)
	s := f.store(t, true)
	w := watching(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping: %v", err)
	}
	if _, err := s.Read(soon(t)); err != nil || f.connections() != 1 {
		t.Errorf("the client connected %d times: %v", f.connections(), err)
	}
}

func TestCloseWaitsForNoServer(t *testing.T) {
	f := scripted(t, func(stream pb.Watch_WatchServer) error {
		if err := created(stream); err != nil {
			return err
		}
		for stream.Send(tells(put(kv(5, "five")))) == nil { // more than anybody reads
		}
		return nil
	})
	watching(t, f.store(t, true)).Close()
}
