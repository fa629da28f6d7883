package nethttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/recess-go/recess/core"
)

// LongLived runs a handler as a [recess.Stream]. It is given a writer and a request of its own: the request's context is
// the stream's, and a connection that is hijacked through the writer is counted until it is closed, and closed last.
func (p *Port[C]) LongLived(c C, w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request)) {
	stream := p.Stream(c, w, r)
	if stream == nil {
		next(w, r)
		return
	}
	defer stream.Done()
	inner := r.WithContext(stream.Context())
	defer Rejoin(r, inner)
	next(Following(w, stream), inner)
}

// Stream begins the stream of a request, or returns nil if the request is part of one.
func (p *Port[C]) Stream(c C, w http.ResponseWriter, r *http.Request) (stream *recess.Stream) {
	p.ask(func(x recess.Exchange) bool {
		stream = p.Engine.Stream(r.Context(), x)
		return true
	}, c, Exchange{w, r})
	return stream
}

// Rejoin gives a request back what its copy with a stream's context has got: net/http removes the temporary files of the
// request that it made. It is a copy since whoever stands around the stream goes on with the request's own context, which
// lives longer.
func Rejoin(r, inner *http.Request) {
	if r.MultipartForm == nil {
		r.MultipartForm = inner.MultipartForm
	}
}

// Following returns a writer whose Hijack tells a stream of the connection. It is w itself where nothing can be hijacked:
// HTTP/2 has no connection to give away.
func Following(w http.ResponseWriter, stream *recess.Stream) http.ResponseWriter {
	if !hijackable(w) {
		return w
	}
	return &follower{w, stream}
}

func hijackable(w http.ResponseWriter) bool {
	for {
		switch inner := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return false
		}
	}
}

// follower passes everything on but Hijack. It has what net/http's own writer of HTTP/1.1 has.
type follower struct {
	http.ResponseWriter
	stream *recess.Stream
}

// Unwrap is what [http.ResponseController] asks for.
func (f *follower) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// Flush implements [http.Flusher].
func (f *follower) Flush() { _ = f.FlushError() }

// FlushError is what [http.ResponseController] prefers.
func (f *follower) FlushError() error { return http.NewResponseController(f.ResponseWriter).Flush() }

// ReadFrom implements [io.ReaderFrom]: a file goes to the socket without a copy, as far as the writer within can do that.
func (f *follower) ReadFrom(from io.Reader) (int64, error) { return io.Copy(f.ResponseWriter, from) }

// WriteString implements [io.StringWriter].
func (f *follower) WriteString(text string) (int, error) {
	return io.WriteString(f.ResponseWriter, text)
}

// Hijack implements [http.Hijacker].
func (f *follower) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(f.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return Follow(conn, f.stream), buffered, nil
}

// Follow has a hijacked connection counted until it is closed, and closed last.
func Follow(conn net.Conn, stream *recess.Stream) net.Conn {
	over := stream.Linger()
	f := &followed{Conn: conn, over: over}
	f.forget = stream.CloseLast(closer(func() error {
		defer over()
		return conn.Close()
	}))
	return f
}

// followed is a hijacked connection.
type followed struct {
	net.Conn
	forget, over func()
}

// Close closes the connection, and with it the stream if its handler has returned.
func (f *followed) Close() error {
	f.forget()
	defer f.over()
	return f.Conn.Close()
}

// CloseWrite closes one direction, where the connection can do that: what proxies do at the end of one.
func (f *followed) CloseWrite() error {
	if half, ok := f.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn is the connection itself, as [crypto/tls.Conn.NetConn] is: to set an option of its kind. Who closes it by that
// closes it behind the back of Recess, which goes on counting.
func (f *followed) NetConn() net.Conn { return f.Conn }

type closer func() error

func (c closer) Close() error { return c() }
