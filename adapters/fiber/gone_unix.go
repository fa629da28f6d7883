//go:build unix

package recessfiber

import (
	"net"
	"syscall"
	"time"
)

// watch looks whether the other end of a connection goes away, without taking anything from it. What the client sends
// meanwhile, a pipelined request or a piece of TLS, ends the look: the end of the connection is behind it. release ends
// it too, and leaves the connection as fasthttp expects it: without a deadline.
func watch(conn net.Conn) (gone <-chan struct{}, release func()) {
	for { // TLS and what else stands before the socket
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = inner.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, func() {}
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, func() {}
	}
	left, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var n int
		var errPeek error
		err := raw.Read(func(fd uintptr) bool {
			var one [1]byte
			for {
				if n, _, errPeek = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK); errPeek != syscall.EINTR {
					return errPeek != syscall.EAGAIN
				}
			}
		})
		if err == nil && n <= 0 { // its end, or a reset
			close(left)
		}
	}()
	return left, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // else the connection is closed, and the look over
		<-done
		_ = conn.SetReadDeadline(time.Time{})
	}
}
