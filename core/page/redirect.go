package page

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"path"
	"strings"
)

// checkRedirect lets through what can only lead where it seems to lead: a path of this site, or an absolute http or
// https URL. Browsers read a second slash or a backslash as the start of a host, and drop tabs and line breaks before
// they look: gin CVE-2023-26125, angular CVE-2026-27738 and CVE-2026-33397, echo GHSA-v753-g4cw-jm48.
func checkRedirect(target string) error {
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return fmt.Errorf("byte %d is %q: write blanks, controls, backslashes and letters beyond ASCII percent-encoded, or not at all", i, c)
		}
	}
	if strings.HasPrefix(target, "/") {
		return checkLocal(target)
	}
	return checkAbsolute(target)
}

// IsOwnPath reports whether a target leads to a path of this site, with a query or without, whoever reads it.
func IsOwnPath(target string) bool {
	return strings.HasPrefix(target, "/") && checkRedirect(target) == nil
}

func checkLocal(target string) error {
	raw := target
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		raw = target[:end]
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return err
	}
	if strings.ContainsAny(decoded, `\%`) || strings.ContainsFunc(decoded, isControlRune) ||
		strings.Count(decoded, "/") != strings.Count(raw, "/") || strings.Count(decoded, ".") != strings.Count(raw, ".") {
		return errors.New(`the path encodes a slash, a dot, a percent sign, a backslash or a control`)
	}
	if clean := path.Clean(raw); raw != clean && raw != clean+"/" {
		return fmt.Errorf("the path is not clean: a path of this site has one leading slash, no double slashes, no dot segments (%s)", clean)
	}
	return nil
}

func checkAbsolute(target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("want a path that begins with a slash, or an absolute http or https URL")
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("the URL names no host")
	case u.User != nil:
		return errors.New("the URL carries a user name: it would be sent to every visitor")
	case strings.ContainsFunc(u.Host, notInHost):
		return fmt.Errorf("the host %q is not made of letters, digits, dots and hyphens: write other names in punycode", u.Host)
	case strings.Contains(u.Path, `\`) || strings.ContainsFunc(u.Path, isControlRune):
		return errors.New("the path encodes a backslash or a control")
	}
	return nil
}

func isControlRune(r rune) bool { return r < ' ' || r == 0x7f }

func notInHost(r rune) bool {
	return r >= 0x80 || !isAlpha(byte(r)) && !isDigit(byte(r)) && !strings.ContainsRune("-_.:[]", r)
}

// redirectBody is for clients that do not follow: RFC 9110, section 15.4.3, asks for a short note with a link.
func redirectBody(k kind, target string) []byte {
	if k == kindText {
		return []byte("Closed for maintenance. See " + target + "\n")
	}
	href := html.EscapeString(target)
	return []byte(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Closed for maintenance</title>` +
		`<p>Closed for maintenance. See <a href="` + href + `">` + href + "</a>.\n")
}
