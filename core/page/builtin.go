package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the built-in page
	"encoding/base64"
	"html/template"
	"strings"
	"time"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	builtIn = template.Must(template.New("page").Parse(pageHTML))

	// fieldBuiltInCSP lets through one thing, the style sheet that stands in the page.
	fieldBuiltInCSP = newField("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash(pageCSS)+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
)

// styleHash names an inline style sheet as Content Security Policy Level 3 does, section 2.3.1.
func styleHash(css string) string {
	sum := sha256.Sum256([]byte(css))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// view is what the built-in page shows.
type view struct {
	Lang, Dir            string // of the page
	OwnLang              string // of the page's own words
	Message, MessageLang string // MessageLang "" is HTML's way to say that the language is not known
	Title, Sentence      string
	Until, Unknown       string
	Ends, Expected       string
	Style                template.CSS
}

func builtInPage(n Notice, v variant) ([]byte, error) {
	w := n.words()
	data := view{
		Lang: ownLanguage, Dir: direction(ownLanguage), OwnLang: ownLanguage,
		Message: v.message, MessageLang: v.messageTag,
		Title: w.title, Sentence: w.sentence, Until: w.until, Unknown: w.unknown,
		Ends: timestamp(n.Ends), Expected: n.expected(),
		Style: template.CSS(pageCSS),
	}
	if v.messageTag != "" {
		data.Lang, data.Dir = v.messageTag, direction(v.messageTag)
	}
	var page bytes.Buffer
	err := builtIn.Execute(&page, data)
	return page.Bytes(), err
}

// textPage says the same in a few lines.
func textPage(n Notice, v variant) []byte {
	w := n.words()
	var b strings.Builder
	b.WriteString(w.title + "\n\n" + v.words(n) + "\n\n")
	if expected := n.expected(); expected != "" {
		b.WriteString(w.until + ": " + expected + "\n")
	} else {
		b.WriteString(w.unknown + "\n")
	}
	return []byte(b.String())
}

// timestamp is RFC 3339 in whole seconds, or "" for a time that is not known.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
