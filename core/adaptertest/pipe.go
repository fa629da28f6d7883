package adaptertest

import (
	"net"
	"sync"
)

// pipes is a listener whose connections never leave the process: the fuzz sends its requests over them.
type pipes struct {
	incoming chan net.Conn
	done     chan struct{}
	once     sync.Once
}

func newPipes() *pipes {
	return &pipes{incoming: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements [net.Listener].
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.incoming:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements [net.Listener].
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// connect makes a connection and waits until it is accepted.
func (p *pipes) connect() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.incoming <- peered{server}:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// peered is a connection with a peer as TCP has it.
type peered struct{ net.Conn }

func (peered) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

func (peered) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
