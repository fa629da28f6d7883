package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Clean makes text safe for a terminal. A document can be written by anybody who can reach its store: control
// characters (U+009B starts a command as ESC [ does) and those that reorder what is read become U+FFFD, blanks and
// line breaks one blank.
func Clean(text string) string { return strings.Join(strings.Fields(CleanLines(text)), " ") }

// CleanLines is [Clean] for text of several lines, which it keeps.
func CleanLines(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// WriteJSON writes one document, indented, or on a single line for a stream of them.
func WriteJSON(w io.Writer, v any, indent bool) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeControls(buf.String()))
	return err
}

// escapeControls writes the control characters that encoding/json leaves as they are, U+007F to U+009F, as \u escapes:
// outside of strings there are none.
func escapeControls(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 0x7f && r <= 0x9f {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
