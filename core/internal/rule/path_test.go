package rule

import (
	"strings"
	"testing"
)

func TestNewPath(t *testing.T) {
	tests := []struct {
		name, raw, sent, clean, bar string
	}{
		{"a plain path has one reading", "/a/b", "/a/b", "/a/b", ""},
		{"the front page has one reading", "/", "/", "/", ""},
		{"a final slash stays", "/a/", "/a/", "/a/", ""},
		{"double slashes are cleaned", "//a///b//", "//a///b//", "/a/b/", ""},
		{"double final slashes become one", "/a//", "/a//", "/a/", ""},
		{"a dot segment is cleaned", "/./a/.", "/./a/.", "/a", ""},
		{"a parent segment is resolved", "/x/../a/", "/x/../a/", "/a/", ""},
		{"the root has no parent", "/../../a", "/../../a", "/a", ""},
		{"a segment may begin with a dot", "/.well-known/x", "/.well-known/x", "/.well-known/x", ""},
		{"what a client must encode is decoded in both forms", "/%c3%BCber%20uns", "/über uns", "/über uns", ""},
		{"what a client need not encode stays in the sent form", "/%68ealthz", "/%68ealthz", "/healthz", ""},
		{"all the octets that cannot stand in a URL are decoded", "/%20%22%3C%3e%5E%60%7b%7C%7d", "/ \"<>^`{|}", "/ \"<>^`{|}", ""},
		{"a question mark must be encoded but is not given back", "/a%3Fb", "/a%3Fb", "/a?b", ""},
		{"raw UTF-8 is taken as it is", "/ü", "/ü", "/ü", ""},
		{"a full-width slash is a letter", "/a／b", "/a／b", "/a／b", ""},
		{"a path parameter stays", "/healthz;x=1", "/healthz;x=1", "/healthz;x=1", ""},
		{"an encoded slash bars", "/a%2Fb", "", "", barText[barEncoded]},
		{"an encoded slash in small letters bars", "/healthz%2f", "", "", barText[barEncoded]},
		{"an encoded backslash bars", "/healthz%5c", "", "", barText[barEncoded]},
		{"an encoded dot bars", "/%2e%2E/healthz", "", "", barText[barEncoded]},
		{"an encoded percent sign bars", "/healthz%252f", "", "", barText[barEncoded]},
		{"a backslash bars", `/healthz\`, "", "", barText[barBackslash]},
		{"an encoded NUL bars", "/healthz%00", "", "", barText[barControl]},
		{"an encoded line feed bars", "/healthz%0a", "", "", barText[barControl]},
		{"an encoded DEL bars", "/healthz%7F", "", "", barText[barControl]},
		{"a raw tab bars", "/health\tz", "", "", barText[barControl]},
		{"an invalid encoding bars", "/%zz", "", "", barText[barEscape]},
		{"an encoding cut off bars", "/a%2", "", "", barText[barEscape]},
		{"a lone percent sign bars", "/a%", "", "", barText[barEscape]},
		{"overlong UTF-8 bars", "/%c0%af", "", "", barText[barUTF8]},
		{"raw bytes that are no UTF-8 bar", "/\xff", "", "", barText[barUTF8]},
		{"the asterisk form bars", "*", "", "", barText[barUnrooted]},
		{"the absolute form bars", "http://evil/healthz", "", "", barText[barUnrooted]},
		{"an empty path bars", "", "", "", barText[barUnrooted]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := NewPath(test.raw)
			if p.Bar() != test.bar {
				t.Fatalf("Bar() = %q, want %q", p.Bar(), test.bar)
			}
			if test.bar == "" && (p.sent != test.sent || p.clean != test.clean) {
				t.Errorf("sent %q, clean %q, want %q and %q", p.sent, p.clean, test.sent, test.clean)
			}
		})
	}
}

func TestEveryBarHasAText(t *testing.T) {
	for b := barUnrooted; b <= barUTF8; b++ {
		if barText[b] == "" {
			t.Errorf("bar %d has no text", b)
		}
	}
}

func TestPathsWithoutDecodingDoNotAllocate(t *testing.T) {
	for _, raw := range []string{
		"/", "/checkout/cart", "/API/Orders/ABC-1", "/.well-known/acme", "/ü/ß", "/static/",
		strings.Repeat("/segment", 100),
	} {
		var p Path
		if n := testing.AllocsPerRun(100, func() { p = NewPath(raw) }); n != 0 {
			t.Errorf("NewPath(%.40q) allocates %v times", raw, n)
		}
		if !p.plain {
			t.Errorf("NewPath(%.40q) is not plain", raw)
		}
	}
}

// Whatever the 256 bytes are, encoded or not, the fast reading of a path is the
// oracle's.
func TestEveryByteIsReadAsTheOracleReadsIt(t *testing.T) {
	for c := range 256 {
		for _, raw := range []string{
			"/a" + string([]byte{byte(c)}) + "z",
			"/a%" + hexOf(byte(c)) + "z",
			"/a%" + strings.ToLower(hexOf(byte(c))) + "z",
			"/é%" + hexOf(byte(c)) + "/",
		} {
			p := NewPath(raw)
			sent, clean, ok := naiveForms(raw)
			if ok != (p.Bar() == "") {
				t.Errorf("%q: bar %q, oracle allows: %v", raw, p.Bar(), ok)
			}
			if ok && (sent != p.sent || clean != p.clean) {
				t.Errorf("%q: sent %q, clean %q, oracle %q and %q", raw, p.sent, p.clean, sent, clean)
			}
		}
	}
}
