package shoptest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/nethttp"
)

// A Response is an answer, read to its end.
type Response struct {
	Request string
	Status  int
	Header  http.Header
	Body    string
	cookies []*http.Cookie
	t       testing.TB
}

// With changes a request before it is sent.
type With func(*http.Request)

// As sends a cookie along.
func As(cookie *http.Cookie) With {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value}) }
}

// Header sends a header along.
func Header(name, value string) With {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Ask sends a request, written as "GET /path" or "POST /path body".
func (s *Site) Ask(request string, with ...With) *Response {
	s.t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.Base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.HasPrefix(body, "item=") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, w := range with {
		w(r)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", request, err, s.Log())
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", request, err)
	}
	return &Response{request, response.StatusCode, response.Header, string(text), response.Cookies(), s.t}
}

// Wants sends requests and compares their status.
func (s *Site) Wants(status int, requests ...string) {
	s.t.Helper()
	for _, request := range requests {
		if got := s.Ask(request); got.Status != status {
			s.t.Errorf("%s: status %d, want %d", request, got.Status, status)
		}
	}
}

// JSON reads the body.
func (r *Response) JSON(v any) {
	r.t.Helper()
	if r.MediaType() != "application/json" {
		r.t.Fatalf("%s: %s, want JSON", r.Request, r.MediaType())
	}
	if err := json.Unmarshal([]byte(r.Body), v); err != nil {
		r.t.Fatalf("%s: %v in %s", r.Request, err, r.Body)
	}
}

// MediaType is the type of the body without parameters, in which frameworks differ.
func (r *Response) MediaType() string {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// Says complains about a body that does not hold a text.
func (r *Response) Says(text string) {
	r.t.Helper()
	if !strings.Contains(r.Body, text) {
		r.t.Errorf("%.80s: the body does not say %q:\n%s", r.Request, text, r.visible())
	}
}

// Hides complains about a body that holds a text.
func (r *Response) Hides(text string) {
	r.t.Helper()
	if strings.Contains(r.Body, text) {
		r.t.Errorf("%.80s: the body says %q:\n%s", r.Request, text, r.visible())
	}
}

// visible is the body without a page's styles.
func (r *Response) visible() string {
	before, rest, _ := strings.Cut(r.Body, "<style>")
	_, after, _ := strings.Cut(rest, "</style>")
	return before + after
}

// Carries complains about a header that has another value; "" is none.
func (r *Response) Carries(name, value string) {
	r.t.Helper()
	if got := r.Header.Get(name); got != value {
		r.t.Errorf("%s: %s is %q, want %q", r.Request, name, got, value)
	}
}

// Summary is what must be the same in all frameworks. Of a refusal that is all but the date; of what the application
// answers, the status, the type, what Recess adds, and the body unless the framework wrote it.
func (r *Response) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d\n", r.Request, r.Status)
	if nethttp.Blocked(r.Header) {
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if name != "Date" {
				fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
			}
		}
		return b.String() + r.Body
	}
	for _, name := range []string{"Cache-Control", "Maintenance-Mode", "Retry-After", "Location"} {
		fmt.Fprintf(&b, "%s: %q\n", name, r.Header[name])
	}
	framework := r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed || r.Status == http.StatusUpgradeRequired
	if !framework {
		fmt.Fprintf(&b, "%s\n%s", r.MediaType(), strings.TrimSpace(r.Body))
	}
	return b.String()
}
