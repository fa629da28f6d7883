package page

import (
	"encoding/json"
	"fmt"
	"html"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func prepare(t testing.TB, renderer *Renderer, n Notice) *Set {
	t.Helper()
	set, err := renderer.Prepare(n)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func builtInRenderer(t testing.TB) *Renderer {
	t.Helper()
	renderer, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return renderer
}

// value is a field of an answer, "" if it is not there.
func value(a *Answer, name string) string {
	for _, field := range a.Header {
		if field.Name == name {
			return field.Value[0]
		}
	}
	return ""
}

func headerText(a *Answer) string {
	var b strings.Builder
	for _, field := range a.Header {
		b.WriteString(field.Name + ": " + strings.Join(field.Value, " | ") + "\n")
	}
	return b.String()
}

// checkCommonFields holds an answer to what all answers promise (property 12 of the faults-and-attacks matrix).
func checkCommonFields(t *testing.T, a *Answer) {
	t.Helper()
	seen := map[string]bool{}
	for _, field := range a.Header {
		if field.Name != textproto.CanonicalMIMEHeaderKey(field.Name) || seen[field.Name] {
			t.Errorf("field %q is not canonical, or doubled", field.Name)
		}
		if len(field.Value) != 1 || cap(field.Value) != 1 {
			t.Errorf("field %s has %d values and room for %d: appending would write into what is shared", field.Name, len(field.Value), cap(field.Value))
		}
		seen[field.Name] = true
	}
	if cap(a.Header) != len(a.Header) {
		t.Error("appending to the header would write into what is shared")
	}
	for name, want := range map[string]string{
		"Content-Type":           a.MediaType + "; charset=utf-8",
		"Content-Length":         strconv.Itoa(len(a.Body)),
		"Cache-Control":          "no-store",
		"Vary":                   "Accept, Accept-Language, Cookie",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
	} {
		if got := value(a, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, ok := ParseModeField(value(a, HeaderName)); !ok {
		t.Errorf("%s: %q does not parse", HeaderName, value(a, HeaderName))
	}
	if csp := value(a, "Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	if seen["Etag"] || seen["Last-Modified"] || a.Status == 301 || a.Status == 308 || a.Status < 300 {
		t.Errorf("status %d with %v could be cached", a.Status, a.Header)
	}
}

var (
	ends   = time.Date(2026, time.November, 21, 17, 30, 0, 0, time.FixedZone("CET", 3600))
	notice = Notice{
		Mode: "full", Scope: "checkout", Starts: ends.Add(-time.Hour), Ends: ends, RetryAfter: 59*time.Minute + time.Millisecond,
		Messages: map[string]string{"": "Moving <house>.\nBack soon.", "de": "Wir ziehen um.", "ar": "ننتقل الآن."},
	}
)

const (
	inertHeader = `Cache-Control: no-store
Vary: Accept, Accept-Language, Cookie
X-Content-Type-Options: nosniff
Content-Security-Policy: default-src 'none'; frame-ancestors 'none'
Referrer-Policy: no-referrer
`
	goldenMode = `Maintenance-Mode: full;scope="checkout";until=@1795278600
Retry-After: 3541
`
	goldenMembers = `"mode":"full","scope":"checkout","starts_at":"2026-11-21T15:30:00Z","ends_at":"2026-11-21T16:30:00Z","retry_after":3541}` + "\n"
)

func TestPreparedAnswers(t *testing.T) {
	defaultJSON := `{"type":"urn:recess:maintenance","title":"Under maintenance","status":503,` +
		`"detail":"Moving \u003chouse\u003e.\nBack soon.",` + goldenMembers
	germanJSON := `{"type":"urn:recess:maintenance","title":"Under maintenance","status":503,"detail":"Wir ziehen um.",` + goldenMembers
	defaultText := "Closed for maintenance\n\nMoving <house>.\nBack soon.\n\nExpected back: Saturday, 21 November 2026, 16:30 UTC\n"
	ownText := "Closed for maintenance\n\nThis site is being worked on. Please come back a little later.\n\n" +
		"We cannot say yet how long it will take. Thank you for your patience.\n"
	ownJSON := `{"type":"urn:recess:maintenance","title":"Under maintenance","status":503,` +
		`"detail":"This site is being worked on. Please come back a little later.","mode":"full"}` + "\n"
	for _, tt := range []struct {
		name             string
		notice           Notice
		accept, language string
		header, body     string
	}{
		{
			"problem details", notice, "application/problem+json", "",
			"Content-Type: application/problem+json; charset=utf-8\nContent-Length: " + strconv.Itoa(len(defaultJSON)) + "\n" + inertHeader + goldenMode, defaultJSON,
		},
		{
			"plain JSON has the same members", notice, "application/json", "",
			"Content-Type: application/json; charset=utf-8\nContent-Length: " + strconv.Itoa(len(defaultJSON)) + "\n" + inertHeader + goldenMode, defaultJSON,
		},
		{
			"German JSON", notice, "application/json", "de-AT",
			"Content-Type: application/json; charset=utf-8\nContent-Length: " + strconv.Itoa(len(germanJSON)) + "\nContent-Language: de\n" + inertHeader + goldenMode, germanJSON,
		},
		{
			"text", notice, "text/plain", "",
			"Content-Type: text/plain; charset=utf-8\nContent-Length: " + strconv.Itoa(len(defaultText)) + "\n" + inertHeader + goldenMode, defaultText,
		},
		{
			"text of which nothing is known",
			Notice{},
			"text/plain", "de",
			"Content-Type: text/plain; charset=utf-8\nContent-Length: " + strconv.Itoa(len(ownText)) + "\nContent-Language: en\n" + inertHeader + "Maintenance-Mode: full\n", ownText,
		},
		{
			"JSON of which nothing is known",
			Notice{},
			"application/json", "de",
			"Content-Type: application/json; charset=utf-8\nContent-Length: " + strconv.Itoa(len(ownJSON)) + "\nContent-Language: en\n" + inertHeader + "Maintenance-Mode: full\n", ownJSON,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := prepare(t, builtInRenderer(t), tt.notice).Choose(Auto, tt.accept, tt.language)
			if got := headerText(answer); got != tt.header {
				t.Errorf("header:\n%s\nwant:\n%s", got, tt.header)
			}
			if string(answer.Body) != tt.body {
				t.Errorf("body:\n%s\nwant:\n%s", answer.Body, tt.body)
			}
			if answer.Status != 503 {
				t.Errorf("status %d, want 503", answer.Status)
			}
			checkCommonFields(t, answer)
		})
	}
}

func TestBuiltInPage(t *testing.T) {
	for _, tt := range []struct {
		name     string
		notice   Notice
		language string
		want     []string
		not      []string
	}{
		{"shows the message as text and the end as a time", notice, "", []string{
			`<html lang="en" dir="ltr">`, "<p class=\"message\" lang=\"\" dir=\"auto\">Moving &lt;house&gt;.\nBack soon.</p>",
			`<time datetime="2026-11-21T16:30:00Z"><bdi lang="en">Saturday, 21 November 2026, 16:30 UTC</bdi></time>`,
		}, []string{"<house>", "cannot say"}},
		{"is in the message's language", notice, "de-CH", []string{`<html lang="de" dir="ltr">`, `lang="de" dir="auto">Wir ziehen um.</p>`}, nil},
		{"runs from right to left in Arabic", notice, "ar", []string{`<html lang="ar" dir="rtl">`, `lang="ar" dir="auto">ننتقل الآن.</p>`}, nil},
		{"promises nothing when nothing is known", Notice{}, "", []string{
			`<h1><bdi lang="en">Closed for maintenance</bdi></h1>`, "This site is being worked on.", "We cannot say yet",
		}, []string{"<time", "Expected"}},
		{"says that a part is closed", Notice{Scope: "checkout"}, "", []string{"This part of the site is being worked on."}, nil},
		{"says that nothing was saved when reading goes on", Notice{Mode: "readonly", Ends: ends}, "", []string{
			"<title>Read-only for now</title>", "was not saved", "Expected to end",
		}, []string{"Closed"}},
		{"says that the turn is about to come", Notice{Reopening: true, Ends: ends}, "", []string{
			"<title>Opening again</title>", "your turn is about to come", "Open for everybody",
		}, []string{"Closed", "Expected"}},
		{"rounds the end up to a minute", Notice{Ends: ends.Add(time.Second)}, "", []string{
			`datetime="2026-11-21T16:30:01Z"`, "16:31 UTC",
		}, nil},
		{"shows its own words for a message of blanks and controls", Notice{Messages: map[string]string{"": " \n\x00\x1b "}}, "", []string{"This site is being worked on."}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := prepare(t, builtInRenderer(t), tt.notice).Choose(HTML, "", tt.language)
			checkCommonFields(t, answer)
			page := string(answer.Body)
			for _, want := range tt.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %s:\n%s", want, page)
				}
			}
			for _, not := range append(tt.not, "<script", "http:", "https:", "url(", "@import", " style=", " src=", " href=") {
				if strings.Contains(page, not) {
					t.Errorf("the page has %s:\n%s", not, page)
				}
			}
			for _, once := range []string{"<main>", "<h1>", "<title>", "<style>"} {
				if strings.Count(page, once) != 1 {
					t.Errorf("the page has %s %d times", once, strings.Count(page, once))
				}
			}
			_, style, _ := strings.Cut(page, "<style>")
			style, _, _ = strings.Cut(style, "</style>")
			want := "default-src 'none'; style-src '" + styleHash(style) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
			if got := value(answer, "Content-Security-Policy"); got != want {
				t.Errorf("Content-Security-Policy: %s, want %s", got, want)
			}
		})
	}
}

// The example of Content Security Policy Level 3, section 2.3.1 ("sha256-…" of this very script).
func TestStyleHash(t *testing.T) {
	const want = "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
	if got := styleHash("alert('Hello, world.');"); got != want {
		t.Errorf("styleHash = %s, want %s", got, want)
	}
}

func TestContentLanguage(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages map[string]string
		language string
		want     string
	}{
		{"is ours without any message", nil, "de", "en"},
		{"is ours where no message fits", map[string]string{"de": "Pause"}, "fr", "en"},
		{"is the message's", map[string]string{"de": "Pause"}, "fr, de;q=0.1", "de"},
		{"is not known of a default message", map[string]string{"": "Pause"}, "de", ""},
		{"is ours when English is preferred and only we speak it", map[string]string{"de": "Pause"}, "en-US, de;q=0.5", "en"},
		{"is the message's when there may be no English", map[string]string{"": "Pause?", "de": "Pause"}, "en-US, de;q=0.5", "de"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := prepare(t, builtInRenderer(t), Notice{Messages: tt.messages})
			for _, form := range []Type{HTML, JSON, Problem, Text} {
				if got := value(set.Choose(form, "", tt.language), "Content-Language"); got != tt.want {
					t.Errorf("%s: Content-Language %q, want %q", form, got, tt.want)
				}
			}
		})
	}
}

func TestRetryAfterIsInWholeSeconds(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "", 1: "1", time.Second: "1", time.Second + 1: "2", 59*time.Second + 999*time.Millisecond: "60",
		-1: "1", -time.Hour: "1", time.Duration(1<<63 - 1): "9223372037",
	} {
		for name, set := range map[string]*Set{
			"prepared": prepare(t, builtInRenderer(t), Notice{RetryAfter: after}),
			"later":    prepare(t, builtInRenderer(t), Notice{RetryAfter: 5 * time.Second}).With(after),
		} {
			for _, form := range []Type{HTML, JSON, Problem, Text} {
				answer := set.Choose(form, "", "")
				checkCommonFields(t, answer)
				if got := value(answer, "Retry-After"); got != want {
					t.Errorf("%s %s: %v is sent as %q, want %q", name, form, after, got, want)
				}
			}
		}
	}
}

func TestWithChangesOnlyWhatTellsTheTime(t *testing.T) {
	before := prepare(t, builtInRenderer(t), notice)
	kept := map[string]string{}
	each := func(s *Set, visit func(where string, a *Answer)) {
		for _, form := range []Type{HTML, JSON, Problem, Text} {
			for _, language := range []string{"", "de", "ar"} {
				visit(string(form)+language, s.Choose(form, "", language))
			}
		}
	}
	each(before, func(where string, a *Answer) { kept[where] = headerText(a) + string(a.Body) })
	after := before.With(9 * time.Second)
	fresh := notice
	fresh.RetryAfter = 9 * time.Second
	want := map[string]string{}
	each(prepare(t, builtInRenderer(t), fresh), func(where string, a *Answer) { want[where] = headerText(a) + string(a.Body) })
	each(after, func(where string, a *Answer) {
		checkCommonFields(t, a)
		if got := headerText(a) + string(a.Body); got != want[where] {
			t.Errorf("%s: later:\n%s\nprepared for that time:\n%s", where, got, want[where])
		}
	})
	each(before, func(where string, a *Answer) {
		if headerText(a)+string(a.Body) != kept[where] {
			t.Errorf("%s: With changed the earlier set", where)
		}
	})
	for _, form := range []Type{HTML, Text} {
		a, b := before.Choose(form, "", "de"), after.Choose(form, "", "de")
		if &a.Body[0] != &b.Body[0] {
			t.Errorf("%s: With made a new body", form)
		}
		if &a.Header[0].Value[0] != &b.Header[0].Value[0] {
			t.Errorf("%s: With made a new Content-Type", form)
		}
	}
	if before.With(notice.RetryAfter-time.Microsecond) != before {
		t.Error("With made a new set within the same second")
	}
}

func TestTypeDecidesBeforeTheRequest(t *testing.T) {
	for _, tt := range []struct {
		name               string
		configured, forced Type
		want               string
	}{
		{"nothing demanded", Auto, Auto, "text/plain"},
		{"nothing said", "", "", "text/plain"},
		{"configured", JSON, Auto, "application/json"},
		{"configured, nothing said for the request", Problem, "", "application/problem+json"},
		{"demanded for the request", Auto, HTML, "text/html"},
		{"demanded against the configuration", JSON, HTML, "text/html"},
		{"demanded what is no type", Auto, "yaml", "text/plain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			renderer, err := New(Config{Type: tt.configured})
			if err != nil {
				t.Fatal(err)
			}
			if got := prepare(t, renderer, Notice{}).Choose(tt.forced, "text/plain", "").MediaType; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPrepareIsCompleteWhateverTheNotice(t *testing.T) {
	set, err := builtInRenderer(t).Prepare(Notice{
		Mode: "full\r\nX: y", Scope: "käse", Ends: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		Messages: map[string]string{"de\r\nX: y": "a", "de_DE": "b", "fr": "Pause"},
	})
	if err == nil || strings.Count(err.Error(), "page: ") != 4 {
		t.Errorf("Prepare = %v, want four problems", err)
	}
	for _, form := range []Type{HTML, JSON, Problem, Text} {
		answer := set.Choose(form, "", "fr")
		checkCommonFields(t, answer)
		if got := value(answer, HeaderName); got != "full" {
			t.Errorf("%s: %s: %q, want full", form, HeaderName, got)
		}
		if !strings.Contains(string(answer.Body), "Pause") {
			t.Errorf("%s: the valid message is missing:\n%s", form, answer.Body)
		}
	}
}

func TestPlain(t *testing.T) {
	for status, want := range map[int]int{503: 503, 0: 503, 200: 503, 301: 503, 429: 429, 600: 503} {
		answer := Plain(status)
		checkCommonFields(t, answer)
		if answer.Status != want || answer.MediaType != "text/plain" || len(answer.Body) == 0 {
			t.Errorf("Plain(%d) = %+v, want status %d", status, answer, want)
		}
	}
}

func TestChooseDoesNotAllocate(t *testing.T) {
	set := prepare(t, builtInRenderer(t), notice)
	for _, tt := range []struct{ name, accept, language string }{
		{"nothing", "", ""},
		{"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7"},
		{"a program", "application/json;q=0.9, text/plain;q=0.8, */*;q=0.1", "fr"},
		{"an attack", strings.Repeat(`a/b;c="d\"";q=0.123,`, 1<<16), strings.Repeat("zh-Hant-TW;q=0.1,", 1<<16)},
	} {
		if allocs := testing.AllocsPerRun(100, func() { set.Choose(Auto, tt.accept, tt.language) }); allocs != 0 {
			t.Errorf("%s: Choose allocates %v times", tt.name, allocs)
		}
	}
}

func TestSetsAreSharedByGoroutines(t *testing.T) {
	set := prepare(t, builtInRenderer(t), notice)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 50 {
				later := set.With(time.Duration(i) * time.Second)
				for _, form := range []Type{HTML, JSON} {
					answer := later.Choose(form, "", "de")
					for _, field := range answer.Header {
						_ = append(field.Value, "mine")
					}
					_ = append(answer.Header, Field{})
				}
			}
		})
	}
	group.Wait()
}

// Whatever the operator writes arrives as he wrote it, as text, and changes nothing around it.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		"Back soon", "</script><script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'\"`{{.Message}}</p></main>", "\u202egnp.exe\u2066",
		"a\x00b\x1b[31m", "\xff\xfe", "\r\n\r\nSet-Cookie: a=b", "<!--", "&lt;&amp;", "\u2028\u2029\ufeff", "</style><style>*{display:none}",
	} {
		f.Add(seed, "de")
	}
	f.Add("x", `de"><script>`)
	f.Add("x", "ar-Arab-EG")
	renderer, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, message, tag string) {
		set, _ := renderer.Prepare(Notice{Messages: map[string]string{"": message, tag: message}})
		for i, language := range []string{"", tag} {
			plain := plainText(message)
			if plain == "" || i == 1 && !ValidTag(tag) {
				continue
			}
			before, inside, after := cutMessage(t, set.Choose(HTML, "", language).Body)
			if strings.ContainsAny(inside, `<>"'`) || html.UnescapeString(inside) != plain {
				t.Errorf("message %q appears as %q", message, inside)
			}
			calm := prepare(t, renderer, Notice{Messages: map[string]string{"": "calm", "qaa": "calm"}})
			wantBefore, _, wantAfter := cutMessage(t, calm.Choose(HTML, "", []string{"", "qaa"}[i]).Body)
			if i == 1 {
				wantBefore = strings.ReplaceAll(wantBefore, "qaa", tag)
				wantBefore = strings.Replace(wantBefore, `dir="ltr"`, fmt.Sprintf("dir=%q", direction(tag)), 1)
			}
			if before != wantBefore || after != wantAfter {
				t.Errorf("message %q in %q changes the page around it:\n%s…%s", message, tag, before, after)
			}
			for _, form := range []Type{JSON, Problem} {
				var got struct{ Detail string }
				if err := json.Unmarshal(set.Choose(form, "", language).Body, &got); err != nil || got.Detail != plain {
					t.Errorf("message %q arrives as %q, %v", message, got.Detail, err)
				}
			}
			text := string(set.Choose(Text, "", language).Body)
			if !strings.Contains(text, plain) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
				t.Errorf("message %q arrives as %q", message, text)
			}
		}
	})
}

func cutMessage(t *testing.T, page []byte) (before, inside, after string) {
	t.Helper()
	start := strings.Index(string(page), `<p class="message"`)
	start += strings.Index(string(page[start:]), ">") + 1
	end := start + strings.Index(string(page[start:]), "</p>")
	if slices.Contains([]int{start, end}, 0) {
		t.Fatalf("no message in %s", page)
	}
	return string(page[:start]), string(page[start:end]), string(page[end:])
}

func BenchmarkChoose(b *testing.B) {
	set := prepare(b, builtInRenderer(b), notice)
	for _, bb := range []struct{ name, accept, language string }{
		{"nothing", "", ""},
		{"browser", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "de-CH,de;q=0.9,en-US;q=0.8,en;q=0.7"},
		{"attack", strings.Repeat(`a/b;c="d\"";q=0.123,`, 1<<16), strings.Repeat("zh-Hant-TW;q=0.1,", 1<<16)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Choose(Auto, bb.accept, bb.language)
			}
		})
	}
}
