package httpstate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A source is the place where the document is published.
type source struct {
	url       *url.URL // without credentials
	shown     string   // how it may be shown
	transport http.RoundTripper
	strangers http.RoundTripper // for the targets of redirects that are not to know who is asking
	close     func()            // ends the transports, if they are the backend's own; else nil
	header    http.Header
	authorize func() (string, error) // the Authorization header; nil for none

	suspect atomic.Bool // a connection that was used again may be dead

	mu        sync.Mutex
	kept      copied
	fresh     time.Duration // for how long the last answer is fresh, as the server says
	quiet     time.Time     // until when the server asked not to be asked
	quietness error         // with what words
}

var _ driver.Store = (*source)(nil)

// maxRedirects is how often a server may send a look elsewhere.
const maxRedirects = 5

// Read implements [driver.Store].
func (s *source) Read(ctx context.Context) (state.Doc, error) {
	if err := s.mayAsk(); err != nil {
		return state.Doc{}, err
	}
	if s.suspect.Swap(false) {
		closeIdle(s.transport)
		closeIdle(s.strangers)
	}
	doc, err := s.look(ctx)
	for range 2 {
		if ctx.Err() != nil || !ended(err) {
			break
		}
		doc, err = s.look(ctx)
	}
	if err != nil {
		return state.Doc{}, fmt.Errorf("%s: %w", s.shown, err)
	}
	return doc, nil
}

func closeIdle(transport http.RoundTripper) {
	if t, ok := transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// ended reports whether an error is that of a context. Where the look's own goes on, it is another look's: net/http
// hands on a connection before the look that used it has done with it, and if that is then given up it takes the
// connection with it (transport.go of Go 1.26, readLoop and roundTrip; akin to golang/go#9496).
func ended(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err == context.Canceled || err == context.DeadlineExceeded { //nolint:errorlint // errors.Is would take a time limit of the client's for one
			return true
		}
	}
	return false
}

// look asks for the document, wherever the server says that it is.
func (s *source) look(ctx context.Context) (state.Doc, error) {
	kept := s.keeps()
	place, trusted := s.url, true
	for hops := 0; ; hops++ {
		answer, err := s.ask(ctx, place, trusted, kept)
		if err != nil {
			return state.Doc{}, err
		}
		next, err := redirection(place, answer)
		if next == nil && err == nil {
			return s.understand(place, answer, kept)
		}
		dispose(answer)
		switch {
		case err != nil:
			return state.Doc{}, err
		case hops == maxRedirects:
			return state.Doc{}, fmt.Errorf("there are more than %d redirects", maxRedirects)
		}
		trusted = trusted && sameHost(place, next) // once it was sent elsewhere, nothing more is told of who is asking
		place = next
	}
}

// ask sends one request, with what is known of the document if that was found in this very place.
func (s *source) ask(ctx context.Context, place *url.URL, trusted bool, kept copied) (*http.Response, error) {
	used := &usage{ctx: ctx, source: s}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { used.again.Store(got.Reused) },
	})
	r, err := http.NewRequestWithContext(traced, http.MethodGet, place.String(), http.NoBody)
	if err != nil {
		return nil, errors.New("it is no URL that can be asked for")
	}
	if trusted {
		for name, values := range s.header {
			r.Header[name] = values
		}
		if s.authorize != nil {
			credentials, err := s.authorize()
			if err != nil {
				return nil, err
			}
			r.Header.Set("Authorization", credentials)
		}
	}
	setDefault(r.Header, "Accept", "application/json, text/plain, */*;q=0.1")
	setDefault(r.Header, "User-Agent", "recess")
	transport := s.transport
	if !sameHost(s.url, place) {
		transport = s.strangers
	}
	r.Header.Set("Accept-Encoding", "identity") // what would be decompressed could be a bomb, and there is little to save
	r.Header.Set("Cache-Control", "no-cache")   // caches on the way ask the server (RFC 9111 5.2.1.4)
	if kept.usable(place) {
		kept.ask(r.Header)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		used.failed()
		if noTLS := (tls.RecordHeaderError{}); errors.As(err, &noTLS) {
			return nil, fmt.Errorf("what answers there is no TLS: is it http: instead of https:? (%w)", brief{err})
		}
		return nil, brief{err}
	}
	answer.Body = &body{answer.Body, used}
	return answer, nil
}

// A usage is the use of a connection by one request.
type usage struct {
	ctx    context.Context
	source *source
	again  atomic.Bool // it was used before
}

// failed casts suspicion on the connection. A caller who has gone says nothing about it.
func (u *usage) failed() {
	if u.again.Load() && !errors.Is(u.ctx.Err(), context.Canceled) {
		u.source.suspect.Store(true)
	}
}

// A body tells of a connection that has died under it.
type body struct {
	io.ReadCloser
	used *usage
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.used.failed()
	}
	return n, err
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

// A brief error is one whose words may be the server's, and endless.
type brief struct{ error }

func (b brief) Error() string { return excerpt(b.error.Error(), 400) }

func (b brief) Unwrap() error { return b.error }

// excerpt keeps words of the server's short.
func excerpt(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// redirection returns where an answer sends the look, nil if it does not.
func redirection(place *url.URL, answer *http.Response) (*url.URL, error) {
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	location, status := answer.Header.Get("Location"), statusText(answer.StatusCode)
	next, err := place.Parse(location)
	switch {
	case location == "" || err != nil:
		return nil, fmt.Errorf("%s: the place that it sends to is no URL", status)
	case next.Scheme != "http" && next.Scheme != "https" || next.Host == "":
		return nil, fmt.Errorf("%s: the place that it sends to cannot be asked by HTTP", status)
	case place.Scheme == "https" && next.Scheme != "https":
		return nil, fmt.Errorf("%s: it sends from https to http, to %s, where anybody on the way could change the answer: that is not followed",
			status, excerpt(next.Host, 80))
	}
	next.User, next.Fragment, next.RawFragment = nil, "", ""
	return next, nil
}

// sameHost reports whether credentials for one place may be told to another: the same host and port, or the same host
// by https instead of http, each at its default port.
func sameHost(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	if a.Scheme == b.Scheme {
		return portOf(a) == portOf(b)
	}
	return portOf(a) == "80" && portOf(b) == "443"
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// dispose ends an answer that is not needed. A short one is read, so that the connection can be used again.
func dispose(answer *http.Response) {
	if n := answer.ContentLength; n >= 0 && n <= 4<<10 {
		_, _ = io.Copy(io.Discard, answer.Body)
	}
	_ = answer.Body.Close()
}

// Save implements [driver.Store]: nothing can be changed by this way.
func (s *source) Save(context.Context, state.Rev, []byte) (state.Rev, error) {
	return state.None, fmt.Errorf("%w: %s is only read by HTTP: change the document where it is published", state.ErrReadOnly, s.shown)
}

// Close implements [driver.Store].
func (s *source) Close() error {
	if s.close != nil {
		s.close()
	}
	return nil
}
