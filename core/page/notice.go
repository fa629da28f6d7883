package page

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	modeFull     = "full"
	modeReadOnly = "readonly"
	modeAnnounce = "announce"
)

// Notice is what the clients are told. The zero Notice is valid: maintenance, and nothing more is known.
type Notice struct {
	Mode         string            // "full" (also ""), "readonly", "hold"
	Scope        string            // the scope's name; "" is the whole site
	Starts, Ends time.Time         // of the window; zero: not known, and not spoken of
	RetryAfter   time.Duration     // 0: send none; otherwise sent in whole seconds, rounded up, never below 1
	Reopening    bool              // a growing share of the visitors is let in, all of them at Ends
	Messages     map[string]string // the operator's words: BCP 47 tag to plain text; "" is the default language
}

// proper returns the notice as answers can carry it, and says what it had to leave out.
func (n Notice) proper() (Notice, error) {
	var problems []error
	if n.Mode == "" {
		n.Mode = modeFull
	}
	if ModeField(n.Mode, "", false, time.Time{}, time.Time{}) == "" {
		problems = append(problems, fmt.Errorf("page: mode %q is no token (RFC 9651): clients are told %q", n.Mode, modeFull))
		n.Mode = modeFull
	}
	if ModeField(n.Mode, n.Scope, false, time.Time{}, time.Time{}) == "" {
		problems = append(problems, fmt.Errorf("page: scope %q is not printable ASCII: clients are not told the scope", n.Scope))
		n.Scope = ""
	}
	n.Starts, n.Ends = inUTC(n.Starts), inUTC(n.Ends)
	messages := make(map[string]string, len(n.Messages))
	for _, tag := range slices.Sorted(maps.Keys(n.Messages)) {
		switch text := plainText(n.Messages[tag]); {
		case tag != "" && !ValidTag(tag):
			problems = append(problems, fmt.Errorf("page: message in %q: not a language tag (BCP 47, as in de or pt-BR): left out", tag))
		case text != "":
			messages[tag] = text
		}
	}
	n.Messages = messages
	return n, errors.Join(problems...)
}

// inUTC drops times that RFC 3339 cannot write.
func inUTC(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// plainText makes an operator's text safe to show as text anywhere: valid UTF-8, one kind of line break, no controls
// (a terminal obeys them, and NUL ends texts). Marks that steer the writing direction stay, for Hebrew and Arabic
// need them; they are isolated where the text is shown.
func plainText(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// wholeSeconds is the value of Retry-After: 0 for none, else at least 1.
func wholeSeconds(d time.Duration) int64 {
	if d == 0 {
		return 0
	}
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	return max(1, seconds)
}

// words are the page's own, of which there is only English as yet.
type words struct{ title, sentence, until, unknown string }

// words promise nothing: an operator's message may.
func (n Notice) words() words {
	w := words{
		title:    "Closed for maintenance",
		sentence: "This site is being worked on. Please come back a little later.",
		until:    "Expected back",
		unknown:  "We cannot say yet how long it will take. Thank you for your patience.",
	}
	switch {
	case n.Mode == modeReadOnly:
		w.title = "Read-only for now"
		w.sentence = "You can look around, but nothing can be changed at the moment. What you just sent was not saved."
		w.until = "Expected to end"
	case n.Scope != "":
		w.sentence = "This part of the site is being worked on. Please come back a little later."
	}
	if n.Reopening {
		w.title = "Opening again"
		w.sentence = "This site is opening again, step by step, and your turn is about to come. Please try again in a moment."
		if n.Mode == modeReadOnly {
			w.sentence = "Changes are possible again step by step, and your turn is about to come. What you just sent was not saved: please try again in a moment."
		}
		w.until = "Open for everybody"
	}
	return w
}

// ownLanguage is that of the page's own words.
const ownLanguage = "en"

// expected is the end in words, at most a minute late rather than early.
func (n Notice) expected() string {
	if n.Ends.IsZero() {
		return ""
	}
	return inWords(upToMinute(n.Ends))
}

func upToMinute(t time.Time) time.Time {
	minute := t.Truncate(time.Minute)
	if minute.Before(t) {
		minute = minute.Add(time.Minute)
	}
	return minute
}

// inWords writes an instant in UTC for people.
func inWords(t time.Time) string { return t.Format("Monday, 2 January 2006, 15:04 UTC") }
