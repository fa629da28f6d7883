package rule

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

func TestUnusablePatternsSayWhatToWriteInstead(t *testing.T) {
	tests := []struct{ name, pattern, says string }{
		{"an empty pattern", "", "remove it"},
		{"no slash at the front", "healthz", "write /healthz"},
		{"a host", "example.com/x", "begin with /"},
		{"a lone star", "*", "begin with /"},
		{"a parent segment", "/a/../b", "write the path it leads to, /b"},
		{"a parent segment at the end", "/a/..", `segment ".."`},
		{"a dot segment", "/./a/", "leads to, /a/"},
		{"an empty segment", "/a//b", "write /a/b"},
		{"an empty segment at the front", "//a", "write /a"},
		{"a query", "/a?b=c", "write /a"},
		{"a fragment", "/a#b", "write /a"},
		{"a line feed", "/a\nb", "control character 0x0a"},
		{"a NUL", "/a\x00", "control character 0x00"},
		{"a DEL", "/a\x7f", "control character 0x7f"},
		{"bytes that are no UTF-8", "/\xff", "not valid UTF-8"},
		{"a percent-encoding", "/%C3%BCber%20uns", `write it decoded, "/über uns"`},
		{"a percent-encoded slash", "/a%2fb", `write it decoded, "/a/b"`},
		{"a lone percent sign", "/100%", "~regular expression"},
		{"an encoding of no character", "/%ff", "~regular expression"},
		{"a backslash", `/a\b`, "write /a/b"},
		{"a double star within a segment", "/a/b**", "stand alone"},
		{"three stars", "/a/***", "stand alone"},
		{"too many segments for wildcards", "/**" + strings.Repeat("/a", maxDepth), "segments"},
		{"an expression that is not closed", "~/(a", "missing closing )"},
		{"an expression that closes too much", "~/a)|(b", "unexpected )"},
		{"a negative look-ahead", "~^/(?!api)", "no look-around"},
		{"a positive look-ahead", "~/a(?=b)", "scope"},
		{"a look-behind", "~/a(?<!b)c", "deny list"},
		{"Python's end of text", `~/a\Z`, `write ~/a\z`},
		{"a back-reference", `~/(a)\1`, "no back-references"},
		{"a named back-reference", `~/(?P<x>a)(?P=x)`, "no back-references"},
		{"a quotation that is not closed", `~/a\Qb`, `\E`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, errAllow := CompileAllow([]string{"/fine", test.pattern})
			_, errCover := CompileCover([]string{"/fine", test.pattern})
			for _, err := range []error{errAllow, errCover} {
				if !errors.Is(err, ErrPath) {
					t.Fatalf("error is %v, want ErrPath", err)
				}
				if text := err.Error(); !strings.Contains(text, test.says) || !strings.Contains(text, fmt.Sprintf("%q", test.pattern)) || strings.Contains(text, "fine") {
					t.Errorf("error %q does not name %q and say %q", text, test.pattern, test.says)
				}
			}
		})
	}
}

func TestAllUnusablePatternsAreNamedAtOnce(t *testing.T) {
	_, err := CompileAllow([]string{"a", "/fine", "/b//c", "~("})
	if err == nil || strings.Count(err.Error(), ErrPath.Error()) != 3 {
		t.Errorf("error is %v, want three", err)
	}
	if a, _ := CompileAllow([]string{"/fine", "~("}); a != nil {
		t.Error("a set is returned beside the error")
	}
}

func TestBeginningOfAnExpression(t *testing.T) {
	tests := []struct {
		source, text string
		whole        bool
	}{
		{"/api/v[12]/", "/api/v", false},
		{"^/api/", "/api/", true},
		{`\A/api/`, "/api/", true},
		{"(?m)^/api", "/api", true},
		{"^^/a", "/a", true},
		{"/a^b", "/a", false},
		{"/a$", "/a", false},
		{"/a|/b", "/", false},
		{"/api/x|/api/y", "/api/", false},
		{"a|b", "", false},
		{"(/a)/b+", "/a/b", false},
		{"(/a)+/b", "/a", false},
		{"(?:/ab){2,3}", "/ab", false},
		{"/a{0,2}", "/", false},
		{"/a*", "/", false},
		{"/a?b", "/", false},
		{".*", "", false},
		{"", "", true},
		{"/(?i)api", "/", false},
		{"/\uFFFDx", "", false},
		{`/a\.b`, "/a.b", true},
		{`/\Qa.b\E`, "/a.b", true},
		{`/a\b`, "/a", false},
		{"(^/a)", "/a", true},
		{"x(^/a)", "x", false},
	}
	for _, test := range tests {
		tree, err := syntax.Parse(test.source, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if text, whole := beginning(tree, false); text != test.text || whole != test.whole {
			t.Errorf("beginning(%q) = %q, %v, want %q, %v", test.source, text, whole, test.text, test.whole)
		}
	}
	tree, _ := syntax.Parse("(?i)/api/x", syntax.Perl)
	if text, whole := beginning(tree, true); !strings.EqualFold(text, "/api/x") || !whole {
		t.Errorf("where case is folded: %q, %v", text, whole)
	}
}

// Filing under beginnings must not change what an expression matches.
func FuzzExpression(f *testing.F) {
	for _, source := range []string{"/api/v[12]/", "^/a", "/a|/b", "(?i)/x", "/a^b", "(?m)^/a$", "/k\u212A", "(/a)+", "/\uFFFD", "[^a]b", `\Qa\E`, `/x\b`, "(?s)/.x", "/(|a)b"} {
		for _, subject := range []string{"/api/v1/x", "/a", "/ab", "/X", "/k", "/\xff", "/Ab", "", "/a/a"} {
			f.Add(source, subject)
		}
	}
	f.Fuzz(func(t *testing.T, source, subject string) {
		if len(source) > 50 || len(subject) > 200 {
			return
		}
		tree, exact, anyCase, err := parseExpression(source)
		if err != nil {
			return
		}
		want := regexp.MustCompile("^(?:" + source + ")").MatchString(subject)
		if exact.MatchString(subject) != want {
			t.Fatalf("%q on %q: not anchored as Python's re.match", source, subject)
		}
		text, whole := beginning(tree, false)
		if has := strings.HasPrefix(subject, text); want && !has || whole && has != want {
			t.Errorf("%q on %q: match %v, but the beginning is %q (whole: %v)", source, subject, want, text, whole)
		}
		text, whole = beginning(tree, true)
		matches := want || anyCase.MatchString(subject)
		if has := strings.HasPrefix(foldString(subject), foldString(text)); matches && !has {
			t.Errorf("%q on %q regardless of case: the beginning is %q (whole: %v)", source, subject, text, whole)
		}
	})
}
