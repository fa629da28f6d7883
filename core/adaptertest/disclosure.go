package adaptertest

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// disclosureTests are about what is told to whom, and what becomes of texts on the way.
var disclosureTests = []test{
	{"texts are texts, in every type", testTextsAreTexts},
	{"the public is told what is public", testPublic},
	{"what a client sends writes no line into a log", testLogLines},
}

// hostile is a text as nobody writes it who means well: tags, the ends of what a text may stand in, and what turns the
// direction of reading.
const hostile = `</title></script><script>alert(1)</script><img src=x onerror=alert(2)>"'><!--{{.}}` + "\u202e\u2028 end"

func testTextsAreTexts(t *testing.T, f Framework) {
	for _, fixed := range []page.Type{"", page.JSON} {
		w := f.open(t, recess.Policy{ControlPath: "/maintenance", ResponseType: fixed})
		w.on(recess.Opening{Messages: map[string]string{"": hostile, "de": hostile}, Reason: hostile})
		for accept, want := range map[string]string{
			"text/html": "text/html", "application/json": "application/json", "application/problem+json": "application/problem+json", "text/plain": "text/plain",
			"text/html;q=1, application/json;q=0.1": "text/html", "image/svg+xml": "text/html",
		} {
			if fixed == page.JSON {
				want = "application/json" // whatever the client would like
			}
			for _, language := range []string{"en", "de", `"><script>alert(3)</script>`} {
				a := get(`/orders/<script>alert(4)</script>?x="><script>`, "Accept: "+accept, "Accept-Language: "+language)
				w.harmless(a, w.do(a), want)
			}
		}
		for _, target := range []string{"/maintenance/status", "/maintenance/ready", "/maintenance/live"} {
			a := get(target, "Accept: text/html")
			w.harmless(a, w.do(a), "application/json")
		}
		a := get("/maintenance/pass?link=%22%3E%3Cscript%3Ealert(5)%3C/script%3E&to=%22%3E%3Cscript%3E", "Accept: text/html")
		w.harmless(a, w.do(a), "text/html")
	}
}

// harmless wants an answer of a type in which no text becomes anything else.
func (w *world) harmless(a ask, got answer, mediaType string) {
	w.t.Helper()
	w.hasHeader(a, got, "Content-Type", mediaType+"; charset=utf-8")
	w.hasHeader(a, got, "X-Content-Type-Options", "nosniff")
	if len(got.ran) > 0 || strings.Contains(got.head, "<script") {
		w.t.Errorf("%s: %q ran, and the head is\n%s", a, got.ran, got.head)
	}
	switch mediaType {
	case "text/plain":
	case "text/html":
		if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			w.t.Errorf("%s: Content-Security-Policy is %q", a, policy)
		}
		fallthrough
	default:
		for _, tag := range []string{"<script", "<img", "<!--{{"} {
			if strings.Contains(got.body, tag) {
				w.t.Errorf("%s: %s stands in the answer:\n%s", a, tag, got.body)
			}
		}
	}
}

func testPublic(t *testing.T, f Framework) {
	w := f.open(t, passPolicy)
	issued, p := w.issue(recess.PassOrder{Uses: 1, Reason: "ticket-4711"})
	w.on(recess.Opening{Reason: "the disk of db-17 is full", Messages: map[string]string{"": "back at nine"}})
	s, err := w.control.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		"db-17", "ticket-4711", "adaptertest", p.ID, p.For, p.Key + `"`, issued.Link, issued.Pass, s.Windows[0].ID, "127.0.0.1", "memory", "history", "revision", "epoch", "passes",
	}
	told := func(a ask, says string) (body string) {
		t.Helper()
		got := w.do(a)
		if !strings.Contains(got.body, says) {
			t.Errorf("%s: status %d, %q, want words like %q", a, got.status, got.body, says)
		}
		for _, secret := range secrets {
			if strings.Contains(got.head+got.body, secret) {
				t.Errorf("%s: %q stands in the answer:\n%s%s", a, secret, got.head, got.body)
			}
		}
		return got.body
	}
	for _, accept := range []string{"text/html", "application/json", "application/problem+json", "text/plain"} {
		told(get("/orders", "Accept: "+accept), "back at nine")
	}
	told(get("/live"), "live")
	told(get("/maintenance/live"), `"live":true`)
	told(get("/maintenance/ready"), `"ready":true`)
	told(get("/maintenance/pass"), "lets nobody in")
	told(get("/orders", cookie("rp1_"+strings.Repeat("A", 93))), "")

	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(told(get("/maintenance/status", "Authorization: Bearer x"), `"active":true`)), &members); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(members))
	if want := []string{"active", "ends_at", "follower", "message", "mode", "planned", "retry_after", "scope", "starts_at"}; !slices.Equal(names, want) {
		t.Errorf("the status has the members %q, want %q", names, want)
	}
}

// texts is a log of which every text is kept as the engine has given it.
type texts struct {
	mu           sync.Mutex
	all, methods []string
}

func (l *texts) Enabled(context.Context, slog.Level) bool { return true }
func (l *texts) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *texts) WithGroup(string) slog.Handler            { return l }

func (l *texts) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		l.all = append(l.all, a.Value.String())
		if a.Key == "method" {
			l.methods = append(l.methods, a.Value.String())
		}
		return true
	})
	return nil
}

// testLogLines has everything logged that the engine logs of requests, and reads it as a handler would that quotes nothing.
func testLogLines(t *testing.T, f Framework) {
	log := new(texts)
	f.logger = slog.New(log)
	w := f.closed(t, recess.Policy{ReportOnly: true})
	for _, target := range []string{
		"/orders%0alevel=ERROR%20msg=forged", "/orders\x1b[31m", "/orders\x07", "/a\u202eb", "/a\u0085b", "/a\u2028b", "/\xff\xfe", "/a\x7f", "/" + strings.Repeat("a", 3000), "/orders\tb",
	} {
		for _, method := range []string{"GET", "FOO\x1b[31m", "GET\u202e", strings.Repeat("X", 3000)} {
			w.do(request(method, target))
			w.do(request(method, target, "User-Agent: \x1b[31m", "X-Forwarded-For: a\u202e"))
		}
	}
	w.passes(get("/orders"), "orders")
	w.idle()
	log.mu.Lock()
	defer log.mu.Unlock()
	if len(log.all) == 0 {
		t.Error("nothing was logged")
	}
	for _, method := range log.methods { // as they are read later
		if method != "GET" && method != strings.Repeat("X", 32) {
			t.Errorf("the method %q is logged, which nobody has sent", method)
		}
	}
	for _, text := range log.all {
		if len(text) > 2048 || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%.200q (%d bytes) is handed to the log", text, len(text))
		}
	}
}
