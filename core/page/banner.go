package page

import (
	_ "embed" // the banner
	"html/template"
	"strings"
	"time"
)

// A Phase is how maintenance stands to the visitor who is told of it.
type Phase string

// The phases. "" is that there is nothing to tell.
const (
	Planned   Phase = "planned"   // a window is yet to come
	Announced Phase = "announced" // a window runs that refuses nothing
	Running   Phase = "running"   // a window runs that lets this request through: the site is read-only
	Allowed   Phase = "allowed"   // a window runs, and this visitor was let in by exception
)

// A Banner is what the pages of the site itself tell of maintenance. Of the Notice it shows the messages, the scope, the
// mode and the window's instants.
type Banner struct {
	Notice
	Phase Phase
}

// BannerInline is the permit of [Banner.HTML] for sites without a Content-Security-Policy, and for those whose policy
// allows [BannerStyleHash] and [BannerScriptHash].
const BannerInline = "inline"

// HTML is the banner as a piece of a page's body; "" if there is nothing to tell. It is a live region of text, in
// English, with the operator's message in the language that acceptLanguage prefers (the field's value; "" is the default
// message). Instants are <time> elements in UTC that say so. A page that holds it varies by Accept-Language.
//
// permit says what of style and script a site's Content-Security-Policy lets through. They stand in the page only with
// it: without style the banner looks like the text around it, and without script its times stay in UTC; with script they
// are shown in the visitor's own time zone and way of writing, with the zone's name.
//
//	""            nothing: the site brings BannerStyle and BannerScript itself, perhaps in files of its own, or does without
//	BannerInline  both, without a nonce
//	a nonce       both, with this nonce; "" and what is no nonce (CSP Level 3, section 2.3.1) are the same
func (b Banner) HTML(acceptLanguage, permit string) template.HTML {
	view, ok := b.view(acceptLanguage)
	if !ok {
		return ""
	}
	var out strings.Builder
	if err := bannerTemplate.Execute(&out, view); err != nil {
		return "" // it cannot be: the template is ours, and so is all that it reads
	}
	switch {
	case permit == BannerInline:
		out.WriteString("<style>" + BannerStyle + "</style><script>" + BannerScript + "</script>\n")
	case isNonce(permit):
		out.WriteString(`<style nonce="` + permit + `">` + BannerStyle + `</style><script nonce="` + permit + `">` + BannerScript + "</script>\n")
	}
	return template.HTML(out.String())
}

var (
	//go:embed banner.html
	bannerHTML     string
	bannerTemplate = template.Must(template.New("banner").Parse(bannerHTML))
)

// bannerView is what the template shows.
type bannerView struct {
	Phase           Phase
	What, Also      string
	From, To, Until bannerTime // From and To belong to What
	Scope           string
	Message         []string // its lines
	MessageLang     string
}

// bannerTime is an instant, to the minute; the zero value is none.
type bannerTime struct{ Instant, Words string }

// view decides what there is to tell.
func (b Banner) view(acceptLanguage string) (v bannerView, ok bool) {
	n, _ := b.proper() // the engine has reported what is left out
	if n.Mode == modeAnnounce && b.Phase == Planned {
		return v, false // what is to be announced later is not told before
	}
	v = bannerView{Phase: b.Phase, Scope: n.Scope}
	readOnly := n.Mode == modeReadOnly
	switch b.Phase {
	case Planned:
		v.What = "Maintenance is planned"
		v.From, v.To = bannerTimeOf(n.Starts, false), bannerTimeOf(n.Ends, true)
		if readOnly {
			v.Also = "You will be able to look around then, but not to change anything."
		}
	case Announced:
		v.What = "Maintenance is announced"
	case Running:
		v.What = "Maintenance is running"
		if readOnly {
			v.What = "Read-only for now: you can look around, but nothing can be changed"
		}
		v.Until = bannerTimeOf(n.Ends, true)
	case Allowed:
		v.What = "Closed for maintenance: you were let in, other visitors are not"
		if readOnly {
			v.What = "Read-only for maintenance: you were let in and can make changes, other visitors cannot"
		}
		v.Until = bannerTimeOf(n.Ends, true)
	default:
		return v, false
	}
	variants, index := new(Renderer).variants(n)
	place, _ := index.choose(acceptLanguage)
	if chosen := variants[place]; chosen.message != "" {
		v.Message, v.MessageLang = strings.Split(chosen.message, "\n"), chosen.messageTag
		if b.Phase == Announced {
			v.What = "" // the message is the announcement
		}
	}
	return v, true
}

// bannerTimeOf rounds a start down and an end up to a minute: rather too much is announced than too little.
func bannerTimeOf(t time.Time, up bool) bannerTime {
	if t.IsZero() {
		return bannerTime{}
	}
	if up {
		t = upToMinute(t)
	}
	return bannerTime{Instant: t.Format("2006-01-02T15:04Z"), Words: inWords(t)}
}

// maxNonce bounds a nonce; they have some 24 characters.
const maxNonce = 256

// isNonce reports whether s is the base64-value of a nonce-source (CSP Level 3, section 2.3.1): it then holds nothing
// that ends an attribute.
func isNonce(s string) bool {
	digits := strings.TrimRight(s, "=")
	return digits != "" && len(s) <= maxNonce && len(s)-len(digits) <= 2 && !strings.ContainsFunc(digits, func(c rune) bool {
		return c > '~' || !isAlpha(byte(c)) && !isDigit(byte(c)) && !strings.ContainsRune("+/-_", c)
	})
}

// The hashes by which a Content-Security-Policy allows what [BannerInline] puts into pages, as in
//
//	style-src 'self' 'sha256-…'; script-src 'self' 'sha256-…'
//
// They change when the banner does: use the constants.
const (
	BannerStyleHash  = "sha256-o/DOA2g55vk2kJ8lZyxhtfjwa8kQGd8ocCZQNiuardg="
	BannerScriptHash = "sha256-SJOzgC3B9j+r4PWUl5bnAAryyxW5GgNdRFN5xFdjbNk="
)

// BannerScript shows the times of banners in the visitor's time zone. As a file of its own it is to be loaded with defer.
const BannerScript = `
for (const time of document.querySelectorAll(".recess-banner time")) {
  const local = new Intl.DateTimeFormat(undefined, {
    weekday: "long", year: "numeric", month: "long", day: "numeric",
    hour: "numeric", minute: "2-digit", timeZoneName: "short",
  });
  const text = local.format(new Date(time.dateTime));
  if (!time.title) time.title = time.textContent;
  time.lang = local.resolvedOptions().locale;
  time.dir = "auto";
  time.textContent = text;
}
`

// BannerStyle is how banners look: light or dark as the visitor prefers, without a background on paper. What it colours
// stands in words too. The phase is a class beside recess-banner: recess-planned, recess-announced, recess-running,
// recess-allowed.
const BannerStyle = `
.recess-banner {
  --ink: #1f3f70;
  --ground: #e8f0fb;
  padding: .8rem 1.25rem;
  border-block-end: 1px solid currentColor;
  background: var(--ground);
  color: var(--ink);
  overflow-wrap: anywhere;
}
.recess-running, .recess-allowed { --ink: #6b4300; --ground: #fdf0d5; }
@media (prefers-color-scheme: dark) {
  .recess-banner { --ink: #cfe0ff; --ground: #1c2b44; }
  .recess-running, .recess-allowed { --ink: #ffdf9e; --ground: #3a2c10; }
}
.recess-banner p { margin: 0; }
.recess-banner p + p { margin-block-start: .25rem; }
.recess-banner time { font-variant-numeric: tabular-nums; }
@media print {
  .recess-banner { border: 1px solid; background: none; color: #000; }
}
`
