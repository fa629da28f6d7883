package natsstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

type store struct {
	link   *link
	config Config
	names  names

	known   atomic.Bool   // the bucket has been there
	checked atomic.Bool   // and can keep the document, as of this connection
	newest  atomic.Uint64 // the highest number of a message of the key that was heard of, or read
	latest  atomic.Pointer[sighting]
}

// A sighting is when the key's last message was seen: read, told by the watch, or written.
type sighting struct {
	entry entry
	at    time.Time
}

// justNow is for how long a sighting is as good as a look, as in package driver.
const justNow = 100 * time.Millisecond

// saw takes down what the key's last message is.
func (s *store) saw(found entry) { s.latest.Store(&sighting{found, time.Now()}) }

// justSaw returns the key's last message if it was seen just now, has this revision, and no other message can have the
// same number: that is so in a bucket that counts from the moment at which Migrate made it.
func (s *store) justSaw(rev state.Rev) (found entry, ok bool) {
	last := s.latest.Load()
	if last == nil || last.entry.doc.Rev != rev || last.entry.seq < leastMoment || time.Since(last.at) >= justNow || !s.checked.Load() {
		return entry{}, false
	}
	return last.entry, true
}

var _ driver.Watcher = (*store)(nil)

func newStore(l *link, c Config) *store { return &store{link: l, config: c, names: namesOf(c)} }

// An entry is the last message that the stream has of the key.
type entry struct {
	seq uint64 // 0 if there is none
	doc state.Doc
}

// Read implements [driver.Store].
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	found, err := twice(ctx, s.link, s.look)
	if errors.As(err, new(noBucket)) && s.known.Load() {
		return state.Doc{}, nil // it was there: with it, the document is gone
	}
	return found.doc, explain(err)
}

// catchUp is how long the leader may take to come to what another replica has told already. Of a caller who has less time
// it takes half.
const catchUp = time.Second

// look returns the last message of the key. It asks the stream's leader: other replicas may be behind. But one of them
// tells the watch of changes, and may be ahead for a moment; only if the older message stays, the stream was rolled back.
func (s *store) look(ctx context.Context, on *session) (entry, error) {
	if err := s.check(ctx, on); err != nil {
		return entry{}, err
	}
	until := time.Now().Add(catchUp)
	if deadline, ok := ctx.Deadline(); ok {
		until = earlier(until, time.Now().Add(time.Until(deadline)/2))
	}
	for {
		newest := s.newest.Load()
		answer, err := on.insist(ctx, s.lastOf(s.names.stream, s.names.subject))
		if err != nil {
			return entry{}, err
		}
		found, err := entryOf(answer.Data)
		switch {
		case err != nil:
			return entry{}, s.gone(err)
		case found.seq < newest && time.Now().Before(until):
			pause(ctx)
		case found.seq < newest:
			s.newest.CompareAndSwap(newest, found.seq)
			return found, nil
		default:
			s.heard(found.seq)
			s.saw(found)
			return found, nil
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// heard takes the number of a message down.
func (s *store) heard(seq uint64) {
	for {
		newest := s.newest.Load()
		if seq <= newest || s.newest.CompareAndSwap(newest, seq) {
			return
		}
	}
}

// pause leaves a cluster some time to agree.
func pause(ctx context.Context) {
	select {
	case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
	case <-ctx.Done():
	}
}

// lastOf asks for the last message of a subject.
func (s *store) lastOf(stream, subject string) *nats.Msg {
	return &nats.Msg{Subject: s.names.api + "STREAM.MSG.GET." + stream, Data: fmt.Appendf(nil, `{"last_by_subj":%q}`, subject)}
}

// entryOf reads the answer to that.
func entryOf(data []byte) (entry, error) {
	var answer struct {
		Message struct {
			Seq    uint64 `json:"seq"`
			Header []byte `json:"hdrs"`
			Data   []byte `json:"data"`
		} `json:"message"`
	}
	err := decode(data, &answer)
	m := answer.Message
	switch {
	case code(err) == jetstream.JSErrCodeMessageNotFound:
		return entry{}, nil
	case err != nil:
		return entry{}, err
	case len(m.Header) == 0:
		return entry{m.Seq, docOf(m.Seq, m.Data)}, nil
	}
	header, err := nats.DecodeHeadersMsg(m.Header)
	switch {
	case err != nil:
		return entry{}, fmt.Errorf("the server's answer makes no sense: %w", err)
	case isMarker(header):
		return entry{seq: m.Seq}, nil
	}
	return entry{m.Seq, docOf(m.Seq, m.Data)}, nil
}

// docOf returns the document that a message of the stream holds. An empty one is a document too.
func docOf(seq uint64, data []byte) state.Doc {
	if data == nil {
		data = []byte{}
	}
	return state.Doc{Rev: driver.Numbered(seq, data), Data: data}
}

// isMarker reports whether a message says that its key was removed: by somebody, or by the server.
func isMarker(h nats.Header) bool {
	operation := h.Get("KV-Operation")
	return operation == "DEL" || operation == "PURGE" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// Save implements [driver.Store]. The stream compares its own count alone, which begins anew with a stream; so the whole
// revision is compared first, with what was seen just now or else with what a look finds, and a bucket that Migrate made
// begins where no other has counted.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	data = bytes.Clone(data) // the caller may be gone before they are sent
	var sent atomic.Bool
	rev, err := twice(ctx, s.link, func(ctx context.Context, on *session) (state.Rev, error) {
		found, seen := s.justSaw(old)
		for ; ; seen = false {
			if !seen {
				var err error
				if found, err = s.look(ctx, on); err != nil {
					return state.None, err
				}
			}
			if found.doc.Rev != old {
				return state.None, state.ErrConflict
			}
			sent.Store(true)
			seq, err := on.put(ctx, &nats.Msg{Subject: s.names.put, Data: data, Header: nats.Header{
				jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(found.seq, 10)},
			}})
			switch {
			case err == nil:
				stored := docOf(seq, data)
				s.saw(entry{seq, stored})
				return stored.Rev, nil
			case seen && errors.Is(err, nats.ErrNoResponders): // the bucket may be gone
			case code(err) != jetstream.JSErrCodeStreamWrongLastSequenceConstant:
				return state.None, saving(err, len(data), on.conn.MaxPayload())
			}
			sent.Store(false)
			// Another document is there, or a cluster is just storing one. Until it has, nobody can see that.
			if !seen {
				pause(ctx)
			}
		}
	})
	if sent.Load() && (errors.Is(err, errUnconnected) || errors.Is(err, context.Canceled)) && !errors.As(err, new(unsure)) {
		err = unsure{err} // the call was left while it was under way
	}
	return rev, explain(err)
}

// Newer implements [driver.Watcher].
func (*store) Newer(a, b state.Rev) bool { return driver.NewerNumber(a, b) }

// Close implements [driver.Store].
func (s *store) Close() error {
	s.link.close()
	return nil
}
