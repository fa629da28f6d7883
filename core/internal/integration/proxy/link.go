package proxy

import (
	"context"
	"io"
	"net"
	"time"
)

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve keeps a link from its beginning to its end.
func (p *Proxy) serve(client net.Conn) {
	ctx, end := context.WithCancel(p.ctx)
	l := &link{client: client, ctx: ctx, end: end}
	p.mu.Lock()
	p.arrived = append(p.arrived, time.Now())
	refuse, freeze := p.fault.refuse, p.fault.freeze
	l.frozen = freeze
	if !refuse {
		p.links[l] = true
	}
	p.mu.Unlock()
	defer p.forget(l)
	if refuse {
		reset(client)
		return
	}
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	if freeze {
		_, _ = io.Copy(io.Discard, client) // until the client closes it
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	l.server = server
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	p.running.Go(func() { p.pass(l, server, client) })
	p.pass(l, client, server)
	if p.isFrozen(l) {
		p.mu.Lock()
		l.gone = true
		p.mu.Unlock()
		_ = client.Close()
		<-ctx.Done() // the target is not told: it sees nothing of a link that is half open
	}
}

// reset ends a connection as a host does on which nobody listens.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // at worst the end is a polite one
	}
	_ = conn.Close()
}

func (p *Proxy) forget(l *link) {
	l.end()
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// pass carries data one way until one side ends, which ends the link, unless it is frozen.
func (p *Proxy) pass(l *link, from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !p.drops(l, from, buffer[:n]) && !p.send(l, to, buffer[:n]) {
			err = io.ErrClosedPipe
		}
		if err != nil {
			if !p.isFrozen(l) {
				l.end()
			}
			return
		}
	}
}

// drops reports whether this is the piece that Drop is to lose.
func (p *Proxy) drops(l *link, from net.Conn, piece []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose == nil || from != l.server || !p.lose(piece) {
		return false
	}
	p.lose = nil
	close(p.lost)
	return true
}

// send writes a piece as slowly as the faults demand, and reports whether the link still lives.
func (p *Proxy) send(l *link, to net.Conn, piece []byte) bool {
	read := time.Now()
	for len(piece) > 0 {
		if l.ctx.Err() != nil {
			return false
		}
		p.mu.Lock()
		frozen, f, changed := l.frozen, p.fault, p.changed
		p.mu.Unlock()
		if frozen {
			return true
		}
		if held := f.delay - time.Since(read); held > 0 {
			l.wait(held, changed)
			continue
		}
		n := len(piece)
		if f.rate > 0 {
			n = min(n, max(1, f.rate/10))
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return false
		}
		piece = piece[n:]
		if f.rate > 0 {
			l.wait(time.Duration(n)*time.Second/time.Duration(f.rate), changed)
		}
	}
	return true
}

// wait waits until the time has passed, the faults change or the link ends.
func (l *link) wait(d time.Duration, changed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-l.ctx.Done():
	}
}

func (p *Proxy) isFrozen(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.frozen
}
