// Package proxy is a TCP proxy that spoils links on purpose, for tests of how backends bear it: it cuts them, freezes
// them half open, refuses them, makes them slow, or loses a message. It counts the links that come in.
package proxy

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy passes every connection to Addr on to its target, as the faults that are set allow. All methods may be called
// by any number of goroutines.
type Proxy struct {
	Addr string // host:port, on the loopback address

	target   string
	listener net.Listener
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed, and replaced, when fault changes: who waits out a delay looks again
	links   map[*link]bool
	arrived []time.Time
	lose    func([]byte) bool // picks what Drop is to lose; nil: nothing
	lost    chan struct{}     // closed when it is lost
}

// A fault is what is wrong with the links. The zero fault is nothing.
type fault struct {
	refuse, freeze bool // new links
	delay          time.Duration
	rate           int // bytes per second; 0 is no limit
}

// A link is one connection from a client, and the one to the target that belongs to it.
type link struct {
	client net.Conn
	server net.Conn        // nil while there is none
	ctx    context.Context // ends with the link
	end    context.CancelFunc

	frozen bool // guarded by Proxy.mu
	gone   bool // the client has closed it; guarded by Proxy.mu
}

// New starts a proxy to a target, which need not be there yet. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{
		Addr: listener.Addr().String(), target: target, listener: listener, ctx: ctx, stop: stop,
		changed: make(chan struct{}), links: make(map[*link]bool),
	}
	p.running.Go(p.accept)
	t.Cleanup(p.Close)
	return p
}

// Close ends the proxy and all links, and returns when nothing of it runs any more.
func (p *Proxy) Close() {
	p.stop()
	_ = p.listener.Close()
	p.Cut()
	p.running.Wait()
}

// Cut closes all links. New ones are made as before.
func (p *Proxy) Cut() {
	for _, l := range p.all() {
		l.end()
	}
}

// Freeze makes all links half open: they stay, and swallow everything from both sides, the end of the other side too.
// New ones work. A frozen link stays so until it is cut.
func (p *Proxy) Freeze() {
	p.set(func(*fault) {
		for l := range p.links {
			l.frozen = true
		}
	})
}

// FreezeAll freezes the links that there are and those that come: these are accepted, and nothing ever answers.
func (p *Proxy) FreezeAll() {
	p.set(func(f *fault) {
		f.freeze = true
		for l := range p.links {
			l.frozen = true
		}
	})
}

// Refuse resets new links at once. Those that there are stay.
func (p *Proxy) Refuse() { p.set(func(f *fault) { f.refuse = true }) }

// Delay holds every piece of data back for at least this long, each way.
func (p *Proxy) Delay(d time.Duration) { p.set(func(f *fault) { f.delay = d }) }

// Rate lets so many bytes per second through on each link, each way.
func (p *Proxy) Rate(bytesPerSecond int) { p.set(func(f *fault) { f.rate = bytesPerSecond }) }

// Heal takes all faults away. What was delayed goes on at once; frozen links stay frozen, and so does what Drop waits for.
func (p *Proxy) Heal() { p.set(func(f *fault) { *f = fault{} }) }

// Drop loses one message: the next piece that the target sends, on whatever link, and that matches. The channel is
// closed when that has happened. A later Drop replaces one that has lost nothing yet.
func (p *Proxy) Drop(match func(piece []byte) bool) (lost <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose, p.lost = match, make(chan struct{})
	return p.lost
}

// Open is how many links there are that the client has not closed.
func (p *Proxy) Open() int {
	open := 0
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if !l.gone {
			open++
		}
	}
	return open
}

// Arrived returns when each link so far came in, oldest first, with those that were refused.
func (p *Proxy) Arrived() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Time(nil), p.arrived...)
}

// set changes the faults and wakes who waits one out.
func (p *Proxy) set(change func(*fault)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.fault)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}
