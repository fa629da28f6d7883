package adaptertest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/recess-go/recess/core/page"
)

// refuses sends a request that must be refused: with the golden answer, and without a handler having run.
func (w *world) refuses(a ask) answer {
	w.t.Helper()
	got := w.do(a)
	w.isRefusal(a, got, w.golden(a))
	return got
}

// isRefusal compares a response with a prepared answer, byte for byte.
func (w *world) isRefusal(a ask, got answer, want *page.Answer) {
	w.t.Helper()
	if len(got.ran) > 0 {
		w.t.Errorf("%s: the handler %v ran, want a refusal", a, got.ran)
	}
	if got.err != nil {
		w.t.Errorf("%s: %v, want a refusal", a, got.err)
		return
	}
	if got.status != want.Status {
		w.t.Errorf("%s: status %d, want %d", a, got.status, want.Status)
	}
	for _, f := range want.Header {
		if line := "\r\n" + f.Name + ": " + f.Value[0] + "\r\n"; strings.Count(got.head, line) != 1 {
			w.t.Errorf("%s: the response's head has no single line %q:\n%s", a, strings.TrimSpace(line), got.head)
		}
	}
	for name, values := range got.header {
		known := slices.ContainsFunc(want.Header, func(f page.Field) bool { return f.Name == name })
		if !known && !w.framework.adds(name) || len(values) != 1 {
			w.t.Errorf("%s: the response has the header %s: %q, which the refusal does not", a, name, values)
		}
	}
	body := string(want.Body)
	if a.method == http.MethodHead {
		body = ""
	}
	if got.body != body {
		have, want := difference(got.body, body)
		w.t.Errorf("%s: the body (%d bytes, want %d) goes on %q, want %q", a, len(got.body), len(body), have, want)
	}
}

// adds reports whether the framework or its server sends a header with every response.
func (f Framework) adds(name string) bool {
	return name == "Date" || name == "Connection" || slices.Contains(f.Traits.ExtraHeaders, name)
}

// passes sends a request that must reach a handler, once, and no other.
func (w *world) passes(a ask, handler string) answer {
	w.t.Helper()
	got := w.do(a)
	w.isFrom(a, got, handler)
	return got
}

func (w *world) isFrom(a ask, got answer, handler string) {
	w.t.Helper()
	if !slices.Equal(got.ran, []string{handler}) {
		w.t.Errorf("%s: the handlers %q ran, want %q once (status %d, %v)", a, got.ran, handler, got.status, got.err)
		return
	}
	name, _, _ := strings.Cut(got.body, "\n")
	if got.status != 200 || a.method != http.MethodHead && name != handler {
		w.t.Errorf("%s: status %d and body %q, want 200 from %q", a, got.status, got.body, handler)
	}
}

// passesUntold is passes for a response that must show nothing of Recess.
func (w *world) passesUntold(a ask, handler string) {
	w.t.Helper()
	got := w.passes(a, handler)
	for _, name := range []string{page.HeaderName, "Retry-After", "Cache-Control", "Vary", "Referrer-Policy"} {
		if value, ok := got.header[name]; ok {
			w.t.Errorf("%s: the response carries %s: %q, want nothing of the sort", a, name, value)
		}
	}
	if a.method != http.MethodHead && got.maintenance() != "none" {
		w.t.Errorf("%s: the handler was told %q, want nothing", a, got.maintenance())
	}
}

// passesByException is passes for a visitor who was let in while a full window over the whole site runs.
func (w *world) passesByException(a ask, handler string) {
	w.t.Helper()
	got := w.passes(a, handler)
	w.hasHeader(a, got, page.HeaderName, "full;allowed")
	w.hasHeader(a, got, "Cache-Control", "private, no-store")
	if a.method != http.MethodHead && got.maintenance() != "full active allowed" {
		w.t.Errorf("%s: the handler was told %q, want %q", a, got.maintenance(), "full active allowed")
	}
}

// hasHeader wants exactly one line of a header.
func (w *world) hasHeader(a ask, got answer, name, value string) {
	w.t.Helper()
	if lines := got.header[name]; !slices.Equal(lines, []string{value}) {
		w.t.Errorf("%s: the response has %s: %q, want %q", a, name, lines, value)
	}
}

// runsNothing sends a request that must reach no handler, whoever answers it with one of the statuses.
func (w *world) runsNothing(a ask, statuses ...int) {
	w.t.Helper()
	got := w.do(a)
	if len(got.ran) > 0 {
		w.t.Errorf("%s: the handlers %q ran, want none", a, got.ran)
	}
	if !slices.Contains(statuses, got.status) {
		w.t.Errorf("%s: status %d (%v), want one of %v", a, got.status, got.err, statuses)
	}
}

// refusesMethod is refuses for a method that the framework may not know and answer by itself.
func (w *world) refusesMethod(a ask) {
	w.t.Helper()
	if status := w.framework.Traits.UnknownMethod; status != 0 {
		w.runsNothing(a, status)
		return
	}
	w.refuses(a)
}

// refusesSlash is refuses for a path with a slash too many or too few, encoded or not, which the router may answer by a
// redirect of its own.
func (w *world) refusesSlash(a ask) {
	w.t.Helper()
	got := w.do(a)
	if w.framework.Traits.SlashRedirect && got.status/100 == 3 {
		if len(got.ran) > 0 {
			w.t.Errorf("%s: %q ran beside a redirect", a, got.ran)
		}
		return
	}
	w.isRefusal(a, got, w.golden(a))
}

// difference returns the beginnings of what differs between two texts.
func difference(a, b string) (string, string) {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	return a[start:min(start+60, len(a))], b[start:min(start+60, len(b))]
}
