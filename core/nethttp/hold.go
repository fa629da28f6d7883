package nethttp

import (
	"io"
	"net/http"
	"time"
)

// maxPrefetch is the longest body that is read while its request waits, in bytes.
const maxPrefetch = 64 << 10

// HoldBytes implements [recess.Exchange].
func (x *Exchange) HoldBytes() int64 {
	if !prefetches(x.Request) {
		return 0
	}
	return x.Request.ContentLength
}

// Hold implements [recess.Exchange]. Over HTTP/1 net/http learns that a client has gone only once the request's body is
// read to its end, so a short one is read meanwhile. Whoever sends a long one, or one of unknown length, or waits for
// "100 Continue" first, may leave without being noticed: the request then waits until its time is up.
func (x *Exchange) Hold() (gone <-chan struct{}, release func()) {
	if prefetches(x.Request) {
		if _, ok := x.Request.Body.(*prefetched); !ok { // held twice, by two gates
			x.Request.Body = prefetch(x.Request.Body, x.Request.ContentLength)
		}
	}
	return x.Request.Context().Done(), func() {}
}

func prefetches(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ContentLength > 0 && r.ContentLength <= maxPrefetch && r.Header.Get("Expect") == ""
}

// prefetched is a body that is read before anybody asks for it.
type prefetched struct {
	io.ReadCloser
	done chan struct{} // closed when data and err are there
	data []byte
	err  error
}

func prefetch(body io.ReadCloser, length int64) *prefetched {
	p := &prefetched{ReadCloser: body, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		data := make([]byte, length)
		n, err := io.ReadFull(body, data)
		p.data, p.err = data[:n], err // the error is as a handler would have got it
	}()
	return p
}

// Read implements [io.Reader].
func (p *prefetched) Read(b []byte) (int, error) {
	<-p.done
	switch {
	case len(p.data) > 0:
		n := copy(b, p.data)
		p.data = p.data[n:]
		return n, nil
	case p.err != nil:
		return 0, p.err
	}
	return p.ReadCloser.Read(b)
}

// giveUp ends the reading of a body that nobody wants any more: net/http waits for whoever reads it. Where the deadline
// cannot be set it waits for the client.
func (p *prefetched) giveUp(w http.ResponseWriter) {
	select {
	case <-p.done:
		return
	default:
	}
	if http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) == nil {
		<-p.done // net/http takes the deadline away from a read that is under way
	}
}
