package recess

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core/internal/rule"
)

// ErrClosing is the [context.Cause] of a long-lived request whose context was cancelled because a window has begun that
// covers it, and [Policy].Grace is over.
var ErrClosing = errors.New("recess: maintenance has begun and the grace period is over")

const (
	// DefaultGrace is the default of [Policy].Grace.
	DefaultGrace = 10 * time.Second
	// NoGrace as [Policy].Grace tells long-lived requests and cancels them in one moment, and leaves connections alone.
	NoGrace time.Duration = -1
	// lastWord is the time between the end of a long-lived request's context and that of its connection: who has only
	// listened to the context can still say goodbye.
	lastWord = time.Second
)

// A Stream is a long-lived request that was admitted: server-sent events, a WebSocket, a long poll. Adapters make one where
// a route says that its requests are such.
//
// It is told when a window begins in which a request like it would be refused: [Closing] is then done. After [Policy].Grace
// its context is cancelled with [ErrClosing] as the cause, and a second later its connections are closed. It is not told of
// windows that do not cover it, nor if a rule lets it in: the rules are asked once, when the stream begins. Once told, it
// is to end, whatever becomes of the window.
//
// It is counted as in flight until its handler has returned and all that [Stream.Linger] was called for is over.
type Stream struct {
	engine  *Engine
	ctx     context.Context
	cancel  context.CancelCauseFunc
	closing chan struct{} // closed when it is told

	// What it is judged by: written before the engine knows it.
	method string
	about  inquiry // the request's path, host and marker, of which nothing lives in the framework's buffers

	// What it is known by to a drain.
	name  *string
	since int64  // when it began, as Engine.age counts
	began uint64 // how many snapshots had been put in force by then

	// Guarded by the engine's lock.
	spared  bool // a rule lets it in
	told    bool
	handled bool // the handler has returned, and with it ends what the middleware counts
	lingers int  // what goes on all the same
	timer   *time.Timer
	last    map[*lastCloser]bool // what is closed last
}

// Stream begins to look after a request that the engine has let in. The handler is given the stream's context, which is
// made of ctx; [Stream.Done] has to be called when it has returned. Nil if ctx is that of a stream already.
//
// The request is asked now who is let in, [Hooks].User included, whether anything runs or not: once a window begins, another
// goroutine decides, and what belongs to the framework cannot be asked from there. No session is ended by it.
func (e *Engine) Stream(ctx context.Context, r Request) *Stream {
	if outer := streamOf(ctx); outer != nil && outer.engine == e {
		return nil
	}
	s := &Stream{engine: e, closing: make(chan struct{}), last: make(map[*lastCloser]bool), since: e.age()}
	s.learn(r)
	s.name = e.nameOf(r)
	ctx, s.cancel = context.WithCancelCause(ctx)
	s.ctx = context.WithValue(ctx, closingKey{}, s)
	e.mu.Lock()
	defer e.unlock()
	e.streams[s] = true
	s.began = e.snapshots
	switch snap := e.snap.Load(); {
	case !s.refusedBy(snap):
	case e.inflight.earlier(e.snapshots) == 0:
		s.spared = true // nothing runs that was decided on an older snapshot: this one let it in
	default:
		s.tell()
	}
	return s
}

// learn takes down what the request will be judged by. Where the application's own code fails nobody is let in, as ever.
func (s *Stream) learn(r Request) {
	q := &inquiry{request: r, rules: s.engine.rules, ahead: true}
	s.about = inquiry{hasPath: true, hasHost: true, marker: Marker{Scopes: []string{everyScope}}}
	defer func() {
		if v := recover(); v != nil {
			s.spared = false
			s.engine.reportOnce(q.asking, v)
		}
	}()
	s.method = strings.Clone(r.Method())
	s.about.path = rule.NewPath(strings.Clone(r.Path()))
	s.about.host = rule.CanonicalHost(strings.Clone(r.Host()))
	q.asking = "Marker"
	q.marker = r.Marker()
	s.about.marker = q.marker
	if snap := s.engine.snap.Load(); snap != nil { // it may be the visitor's turn
		q.snap, q.covered = snap, snap.covering(q)
	}
	s.spared = q.marker.Force == ForcedOff || q.allowed()
}

// refusedBy reports whether a request like this one would be refused. The engine's lock is held.
func (s *Stream) refusedBy(snap *snapshot) bool {
	if snap == nil || s.spared || snap.rules.policy.ReportOnly {
		return false
	}
	for _, w := range snap.running {
		if w.refuses(s.method, &s.about) {
			return true
		}
	}
	return false
}

// tell begins the end. The engine's lock is held.
func (s *Stream) tell() {
	s.told = true
	close(s.closing)
	s.timer = time.AfterFunc(s.engine.rules.grace, func() {
		s.cancel(ErrClosing)
		s.engine.mu.Lock()
		defer s.engine.unlock()
		if s.open() {
			s.timer = time.AfterFunc(lastWord, s.cut)
		}
	})
}

// cut closes what is closed last.
func (s *Stream) cut() {
	s.engine.mu.Lock()
	last := make([]*lastCloser, 0, len(s.last))
	for c := range s.last {
		last = append(last, c)
	}
	s.engine.unlock()
	for _, c := range last {
		c.close()
	}
}

func (s *Stream) open() bool { return !s.handled || s.lingers > 0 }

// settle forgets a stream that is over. The engine's lock is held.
func (s *Stream) settle() {
	if s.open() {
		return
	}
	delete(s.engine.streams, s)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel(nil)
}

// Context is the one that the handler gets.
func (s *Stream) Context() context.Context { return s.ctx }

// Done says that the handler has returned, before its ticket ends.
func (s *Stream) Done() {
	s.engine.mu.Lock()
	defer s.engine.unlock()
	s.handled = true
	s.settle()
}

// Linger has the stream counted although its handler may have returned, until the function that it returns is called. That
// may be called more than once.
func (s *Stream) Linger() (over func()) {
	e := s.engine
	e.mu.Lock()
	defer e.unlock()
	s.lingers++
	e.streams[s] = true
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.unlock()
		s.lingers--
		s.settle()
	})
}

// CloseLast has something closed when the stream was told to end and has not for the grace period and a second more. It is
// not touched any more once the function that CloseLast returns has returned.
func (s *Stream) CloseLast(c io.Closer) (forget func()) {
	last := &lastCloser{closer: c}
	e := s.engine
	e.mu.Lock()
	defer e.unlock()
	s.last[last] = true
	return func() {
		last.forget()
		e.mu.Lock()
		defer e.unlock()
		delete(s.last, last)
	}
}

// A lastCloser is what is closed last, unless it is gone by then.
type lastCloser struct {
	sync.Mutex
	closer io.Closer
}

func (l *lastCloser) forget() {
	l.Lock()
	defer l.Unlock()
	l.closer = nil
}

func (l *lastCloser) close() {
	l.Lock()
	defer l.Unlock()
	if l.closer != nil {
		_ = l.closer.Close() // it had its time
	}
}

func (s *Stream) channel() <-chan struct{} { return s.closing }

func streamOf(ctx context.Context) *Stream {
	s, _ := ctx.Value(closingKey{}).(*Stream)
	return s
}

// Linger is for work that goes on when the handler of a long-lived request has returned: until the function that it returns
// is called, drains wait for the request. It does nothing for a context that is none of such a request.
func Linger(ctx context.Context) (over func()) {
	if s := streamOf(ctx); s != nil {
		return s.Linger()
	}
	return func() {}
}

// streaming is how many streams are open, how many of them were told to end, and how many of all and of these are counted
// by nobody else, since their handlers have returned. The engine's lock is held.
func (e *Engine) streaming() (n streaming) {
	for s := range e.streams {
		n.open++
		if s.told {
			n.told++
		}
		if s.handled {
			n.loose++
			if s.told {
				n.looseTold++
			}
		}
	}
	return n
}

type streaming struct{ open, told, loose, looseTold int64 }

// tellStreams tells those that a new snapshot would refuse. The engine's lock is held.
func (e *Engine) tellStreams(snap *snapshot) {
	for s := range e.streams {
		if !s.told && s.refusedBy(snap) {
			s.tell()
		}
	}
}

// grace is Policy.Grace with its default; 0 is none.
func (p *Policy) grace() time.Duration { return max(cmp.Or(p.Grace, DefaultGrace), 0) }
