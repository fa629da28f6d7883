package state

import (
	"regexp"
	"strings"
)

var (
	// schemeShape is a scheme's syntax (RFC 3986 3.1). What does not look like one is not shown: it may be a password.
	schemeShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	// hostShape is a list of hosts with ports. A port without a host is none: it may be a password.
	hostShape = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(,(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?)*$`)
)

// Redact returns a state URL as it may be shown: user, password, query and fragment are replaced by "…". People
// write passwords into URLs without escaping them, so it does not trust a parser to find them: whatever stands
// before the last '@' or after the first '?' or '#' is hidden, and everything where that is not clear.
func Redact(stateURL string) string {
	scheme, rest, ok := strings.Cut(stateURL, ":")
	if !ok || !schemeShape.MatchString(scheme) {
		return "…"
	}
	if rest, ok := strings.CutPrefix(rest, "//"); ok && scheme != "multi" {
		return scheme + "://" + redactAuthority(rest)
	}
	switch scheme {
	case "multi":
		return "multi:" + redactList(rest)
	case "memory", "env", "file", "sqlite":
		return scheme + ":" + redactPath(rest)
	}
	if rest == "" {
		return scheme + ":"
	}
	return scheme + ":…"
}

// redactList shows each URL of a list by itself, or nothing: a blank may stand in a password that was not escaped, and
// what follows it there look like a URL.
func redactList(rest string) string {
	several := strings.Fields(rest)
	for i, one := range several {
		several[i] = Redact(one)
		if several[i] == "…" || strings.Contains(one, "@") && !strings.Contains(several[i], "://") {
			return "…"
		}
	}
	return strings.Join(several, " ")
}

func redactAuthority(rest string) string {
	var user, query string
	hidden := strings.IndexAny(rest, "?#")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if hidden >= 0 && hidden < at {
			return "…" // in the password, or in the query?
		}
		user, rest, hidden = "…@", rest[at+1:], hidden-at-1
	}
	if hidden >= 0 {
		rest, query = rest[:hidden], rest[hidden:hidden+1]+"…"
	}
	host, _, _ := strings.Cut(rest, "/")
	if host != "" && !hostShape.MatchString(host) {
		return user + "…"
	}
	return user + printable(rest) + query
}

// redactPath shows a local name. Of a query it shows only what filestate knows.
func redactPath(rest string) string {
	hidden := strings.IndexAny(rest, "?#")
	if hidden < 0 || rest[hidden:] == "?format=django" || rest[hidden:] == "?format=native" {
		return printable(rest)
	}
	return printable(rest[:hidden]) + rest[hidden:hidden+1] + "…"
}

// printable keeps a URL on its line of a log.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
