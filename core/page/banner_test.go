package page

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	ofLocal = Notice{
		Mode: "full", Starts: ends.Add(-time.Hour), Ends: ends,
		Messages: map[string]string{"": "Moving <house>.\nBack soon.", "de": "Wir ziehen um.", "ar": "ننتقل الآن."},
	}
)

const (
	startTime = `<time datetime="2026-11-21T15:30Z">Saturday, 21 November 2026, 15:30 UTC</time>`
	endTime   = `<time datetime="2026-11-21T16:30Z">Saturday, 21 November 2026, 16:30 UTC</time>`
)

func TestBanner(t *testing.T) {
	with := func(change func(*Notice)) Notice {
		n := ofLocal
		n.Messages = nil
		change(&n)
		return n
	}
	bare := with(func(*Notice) {})
	for _, tt := range []struct {
		name   string
		banner Banner
		accept string
		want   []string // in this order
		not    []string
	}{
		{"tells when maintenance is planned", Banner{ofLocal, Planned}, "", []string{
			`class="recess-banner recess-planned" role="status" aria-label="Maintenance" lang="en" dir="ltr"`,
			"<strong>Maintenance is planned from " + startTime + " to " + endTime + ".</strong>",
			`<p lang="" dir="auto">Moving &lt;house&gt;.<br>Back soon.</p>`,
		}, []string{"Expected", "concerns"}},
		{"speaks the visitor's language where the operator does", Banner{ofLocal, Planned}, "fr, de-AT;q=0.9", []string{
			`<p lang="de" dir="auto">Wir ziehen um.</p>`,
		}, []string{"house"}},
		{"tells a start of which no end is known", Banner{with(func(n *Notice) { n.Ends = time.Time{} }), Planned}, "", []string{
			"Maintenance is planned from " + startTime + ".</strong>",
		}, []string{" to ", " until "}},
		{"tells an end of which no start is known", Banner{with(func(n *Notice) { n.Starts = time.Time{} }), Planned}, "", []string{
			"Maintenance is planned until " + endTime + ".</strong>",
		}, []string{" from "}},
		{"tells a plan without any time", Banner{Notice{}, Planned}, "", []string{"<strong>Maintenance is planned.</strong>"}, []string{"<time", "dir=\"auto\""}},
		{"tells what reading only will mean", Banner{with(func(n *Notice) { n.Mode = "readonly" }), Planned}, "", []string{"look around then, but not to change anything."}, nil},
		{"rounds to minutes, so that rather too much is announced", Banner{
			with(func(n *Notice) { n.Starts, n.Ends = n.Starts.Add(59*time.Second), n.Ends.Add(time.Second) }), Planned,
		}, "", []string{startTime, `datetime="2026-11-21T16:31Z">Saturday, 21 November 2026, 16:31 UTC<`}, nil},
		{"is the operator's message while something is announced", Banner{ofLocal, Announced}, "", []string{"recess-announced", "Moving &lt;house&gt;."}, []string{"<strong>", "<time"}},
		{"tells that something is announced without a message", Banner{bare, Announced}, "", []string{"<strong>Maintenance is announced.</strong>"}, []string{"<time"}},
		{"tells who was let in", Banner{ofLocal, Allowed}, "", []string{
			"recess-allowed", "<strong>Closed for maintenance: you were let in, other visitors are not.</strong>",
			" Expected to end: " + endTime + ".</p>", "Moving",
		}, []string{" from "}},
		{"tells who may change a site that is read-only", Banner{with(func(n *Notice) { n.Mode = "readonly" }), Allowed}, "", []string{"you were let in and can make changes"}, []string{"Closed"}},
		{"tells that the site is read-only", Banner{with(func(n *Notice) { n.Mode = "readonly" }), Running}, "", []string{
			"recess-running", "Read-only for now: you can look around, but nothing can be changed.", "Expected to end: " + endTime,
		}, []string{"let in"}},
		{"does not invent an end", Banner{Notice{Mode: "readonly"}, Running}, "", []string{"Read-only"}, []string{"Expected", "<time"}},
		{"names the part", Banner{with(func(n *Notice) { n.Scope = `a"<b>` }), Planned}, "", []string{" This concerns <bdi>a&#34;&lt;b&gt;</bdi> only."}, []string{"<b>"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rest := string(tt.banner.HTML(tt.accept, ""))
			for _, not := range append(tt.not, "<script", "<style", " style=", "  ", "ZgotmplZ", "no value") {
				if strings.Contains(rest, not) {
					t.Errorf("the banner has %q:\n%s", not, rest)
				}
			}
			for _, want := range tt.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("the banner lacks %s in\n%s", want, rest)
				}
				rest = after
			}
		})
	}
}

func TestNoBannerWhereThereIsNothingToTell(t *testing.T) {
	for name, b := range map[string]Banner{
		"the zero value": {}, "a notice without a phase": {Notice: ofLocal}, "no phase": {ofLocal, "soon"},
		"what is to be announced later": {Notice{Mode: "announce", Messages: ofLocal.Messages}, Planned},
	} {
		if got := b.HTML("de", BannerInline); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestBannerCarriesWhatThePolicyPermits(t *testing.T) {
	bare := string(Banner{ofLocal, Planned}.HTML("", ""))
	for _, tt := range []struct{ permit, attribute string }{
		{BannerInline, ""},
		{"rAnd0m+/-_==", ` nonce="rAnd0m+/-_=="`},
		{strings.Repeat("a", 256), ` nonce="` + strings.Repeat("a", 256) + `"`},
	} {
		want := bare + "<style" + tt.attribute + ">" + BannerStyle + "</style><script" + tt.attribute + ">" + BannerScript + "</script>\n"
		if got := string(Banner{ofLocal, Planned}.HTML("", tt.permit)); got != want {
			t.Errorf("permit %q:\n%s\nwant\n%s", tt.permit, got, want)
		}
	}
	for _, permit := range []string{
		"", "=", "==", "a===", "a=b", `a"`, "a b", "a\n", "'a'", "käse", "\u0141", "a\x00", "<", "nonce-a,", strings.Repeat("a", 257),
	} {
		if got := string(Banner{ofLocal, Planned}.HTML("", permit)); got != bare {
			t.Errorf("permit %q, which is no nonce:\n%s", permit, got)
		}
	}
}

func TestBannerHashes(t *testing.T) {
	if got := styleHash(BannerStyle); got != BannerStyleHash {
		t.Errorf("BannerStyleHash is %s, but the style's is %s", BannerStyleHash, got)
	}
	if got := styleHash(BannerScript); got != BannerScriptHash {
		t.Errorf("BannerScriptHash is %s, but the script's is %s", BannerScriptHash, got)
	}
	for _, text := range []string{BannerStyle, BannerScript} {
		if strings.Contains(text, "</") || strings.Contains(text, "<!--") {
			t.Error("style or script ends its element")
		}
	}
}

// WCAG 2.2, 1.4.3: 4.5 to 1 for text.
func TestBannerHasContrast(t *testing.T) {
	pairs := regexp.MustCompile(`--ink: (#[0-9a-f]{6});\s+--ground: (#[0-9a-f]{6});`).FindAllStringSubmatch(BannerStyle, -1)
	if len(pairs) != 4 {
		t.Fatalf("the style has %d pairs of colours, want light and dark of two", len(pairs))
	}
	for _, pair := range pairs {
		a, b := luminance(t, pair[1]), luminance(t, pair[2])
		if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
			t.Errorf("%s on %s: contrast %.2f, want 4.5", pair[1], pair[2], contrast)
		}
	}
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, colour string) (l float64) {
	t.Helper()
	rgb, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(rgb>>(8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

// FuzzBanner: whatever operators and visitors send, the banner has our elements and no others, and says the message.
func FuzzBanner(f *testing.F) {
	f.Add("Back & <soon>", "de", "checkout", "de-AT", "n0nce", uint8(0), int64(1795278600))
	f.Add("</p></div><script>alert(1)</script>", `de" onclick="x`, `<img src=x onerror=x>`, `"><script>`, `x" onload="y`, uint8(1), int64(0))
	f.Add("{{.}}`'\"\u202e\x00\r\n\xff", "", "'", "*", BannerInline, uint8(3), int64(math.MaxInt64))
	attribute := regexp.MustCompile(`^<(?:/?(?:p|strong|bdi|time)|/div|br)>$|^<p lang="[A-Za-z0-9-]*" dir="auto">$|` +
		`^<time datetime="\d{4,}-\d\d-\d\dT\d\d:\d\dZ">$|` +
		`^<div class="recess-banner recess-(?:planned|announced|running|allowed)" role="status" aria-label="Maintenance" lang="en" dir="ltr">$`)
	tail := regexp.MustCompile(`^(?:<style(?: nonce="[A-Za-z0-9+/_-]+={0,2}")?>` + regexp.QuoteMeta(BannerStyle) +
		`</style><script(?: nonce="[A-Za-z0-9+/_-]+={0,2}")?>` + regexp.QuoteMeta(BannerScript) + "</script>\n)?$")
	phases := []Phase{Planned, Announced, Running, Allowed}
	f.Fuzz(func(t *testing.T, message, tag, scope, accept, permit string, phase uint8, end int64) {
		b := Banner{Notice{Mode: tag, Scope: scope, Ends: time.Unix(end, 0), Messages: map[string]string{"": message, tag: message}}, phases[phase%4]}
		whole := string(b.HTML(accept, permit))
		if whole == "" {
			if b.Phase == Planned && tag == "announce" {
				return
			}
			t.Fatal("there is no banner")
		}
		banner, rest, ok := strings.Cut(whole, "</div>\n")
		if !ok || !tail.MatchString(rest) {
			t.Fatalf("what follows the banner is\n%s", rest)
		}
		for _, element := range tags.FindAllString(banner, -1) {
			if !attribute.MatchString(element) {
				t.Errorf("the banner has %s:\n%s", element, banner)
			}
		}
		if strings.Count(banner, "<") != len(tags.FindAllString(banner, -1)) {
			t.Errorf("an element does not end:\n%s", banner)
		}
		lines := strings.ReplaceAll(plainText(message), "\n", "<br>")
		said := html.UnescapeString(strings.ReplaceAll(banner, "<br>", "&lt;br&gt;"))
		if !strings.Contains(said, lines) {
			t.Errorf("the banner does not say %q:\n%s", lines, banner)
		}
	})
}

func BenchmarkBanner(b *testing.B) {
	for _, permit := range []string{"", BannerInline} {
		b.Run(fmt.Sprintf("permit=%q", permit), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if (Banner{ofLocal, Planned}).HTML("fr, de-AT;q=0.9", permit) == "" {
					b.Fatal("there is no banner")
				}
			}
		})
	}
}
