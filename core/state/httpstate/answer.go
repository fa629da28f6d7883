package httpstate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// understand says what the last answer of a look means.
func (s *source) understand(place *url.URL, answer *http.Response, asked copied) (state.Doc, error) {
	defer dispose(answer)
	where := ""
	if place.Host != s.url.Host {
		where = " from " + excerpt(place.Host, 80) + ", where it was redirected to"
	}
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		return s.take(place, answer)
	case code == http.StatusNotModified && asked.usable(place):
		s.believe(answer)
		return asked.doc, nil
	case code == http.StatusNotFound || code == http.StatusGone:
		s.keep(copied{}, answer)
		return state.Doc{}, nil
	default:
		err := fmt.Errorf("%s%s%s", statusText(code), where, advice(code))
		return state.Doc{}, s.obey(answer, err)
	}
}

// take reads the document.
func (s *source) take(place *url.URL, answer *http.Response) (state.Doc, error) {
	if coding := answer.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return state.Doc{}, fmt.Errorf("the answer is encoded as %.40q, which was not asked for: serve the document plain", coding)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, state.MaxSize+1)) // more is no document, and Decode says so
	if err != nil {
		return state.Doc{}, fmt.Errorf("the answer was cut off after %d bytes: %w", len(raw), brief{err})
	}
	doc := state.Doc{Rev: rev(raw), Data: raw}
	if on, ok := state.ParseWord(string(raw)); ok {
		if doc.Data, err = state.Encode(state.Switched(on, time.Time{}, time.Time{})); err != nil {
			return state.Doc{}, err
		}
	}
	s.keep(newCopy(place, answer, doc), answer)
	return doc, nil
}

// rev names a content by its hash: an entity tag is the server's word, and can be wrong.
func rev(raw []byte) state.Rev {
	sum := sha256.Sum256(raw)
	return state.Rev(hex.EncodeToString(sum[:16]))
}

// statusText is a status in words of ours: a server's own could be anything.
func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return fmt.Sprintf("status %d", code)
}

// advice says what to do about a status.
func advice(code int) string {
	switch {
	case code == http.StatusUnauthorized:
		return ": it wants credentials, or others: look at user and password in the URL, or at token_env or token_file behind its '#'"
	case code == http.StatusForbidden:
		return ": who asks, or where from, may not read the document: let it be read there"
	case code == http.StatusProxyAuthRequired:
		return ": the proxy wants credentials: look at HTTPS_PROXY and HTTP_PROXY"
	case code == http.StatusTooManyRequests:
		return ": it is asked too often: allow one look for each instance and RECESS_POLL"
	case code == http.StatusNotModified:
		return ": it was asked for the whole document"
	case code >= 500:
		return ": the server, or one before it, fails"
	case code >= 200 && code < 300:
		return ": a document comes with 200"
	}
	return ""
}

// A copied document is the last one that came in full, with what the server calls that version of it.
type copied struct {
	doc   state.Doc
	place string // where it was found, redirects followed; "" if there is none
	tag   string
	date  string // its Last-Modified

	until time.Time // for how long the server is believed that nothing has changed
}

// believed is for how long a server is believed that nothing has changed, however good its entity tags look.
const believed = 5 * time.Minute

// settled is how much older than the answer a document must be before its validators can be used. What changes twice
// within the resolution of a clock can have the same Last-Modified, and the same entity tag where that is made of time
// and size, as nginx does it (RFC 9110 8.8.2.2).
const settled = time.Minute

func newCopy(place *url.URL, answer *http.Response, doc state.Doc) copied {
	c := copied{
		doc: doc, place: place.String(), tag: answer.Header.Get("ETag"), date: answer.Header.Get("Last-Modified"),
		until: time.Now().Add(believed),
	}
	if c.date == "" {
		if c.tag == "" {
			return copied{}
		}
		return c
	}
	modified, err := http.ParseTime(c.date)
	if err != nil || dateOf(answer).Sub(modified) < settled {
		return copied{}
	}
	return c
}

// dateOf is when the server answered, by its own clock.
func dateOf(answer *http.Response) time.Time {
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// usable reports whether the server can be asked for what has changed since.
func (c copied) usable(place *url.URL) bool {
	return c.place != "" && c.place == place.String()
}

// ask makes a request one for what has changed.
func (c copied) ask(h http.Header) {
	if c.tag != "" {
		h.Set("If-None-Match", c.tag)
		return
	}
	h.Set("If-Modified-Since", c.date)
}

// keeps returns the copy, unless it has been believed for long enough.
func (s *source) keeps() copied {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !time.Now().Before(s.kept.until) {
		s.kept = copied{}
	}
	return s.kept
}

func (s *source) keep(c copied, answer *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.fresh = c, freshness(answer)
}

func (s *source) believe(answer *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = freshness(answer)
}

// freshness is for how much longer an answer is fresh, 0 if it does not say (RFC 9111 4.2).
func freshness(answer *http.Response) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(answer.Header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		lifetime := seconds(strings.Trim(value, `"`))
		if lifetime <= 0 {
			return 0
		}
		return max(lifetime-seconds(answer.Header.Get("Age")), time.Second)
	}
	return 0
}

// seconds reads a number of seconds; 0 if it is none. A day is as good as more.
func seconds(text string) time.Duration {
	n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 64) // 0 for what is no number, and the highest for more than that
	return time.Duration(min(n, 24*60*60)) * time.Second
}

func (s *source) freshFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh
}

// longestQuiet bounds for how long a server can ask not to be asked: a switch that nobody looks at is none.
const longestQuiet = time.Minute

// obey takes down for how long the server asks not to be asked again (RFC 9110 10.2.3).
func (s *source) obey(answer *http.Response, err error) error {
	text := answer.Header.Get("Retry-After")
	wait := seconds(text)
	if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(dateOf(answer))
	}
	if wait <= 0 {
		return err
	}
	wait = min(wait, longestQuiet)
	err = fmt.Errorf("%w (it asks for %s of rest, which it gets)", err, wait.Round(time.Second))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet, s.quietness = time.Now().Add(wait), err
	return err
}

// mayAsk returns the server's last words while it asks not to be asked.
func (s *source) mayAsk() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !time.Now().Before(s.quiet) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.shown, s.quietness)
}

// quietFor is what is left of that time.
func (s *source) quietFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.quiet), 0)
}
