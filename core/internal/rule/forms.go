package rule

import (
	"slices"
	"strings"
)

// readings lists every way in which some router might read the path: as sent
// and decoded, with a backslash taken for a slash, without empty and "."
// segments, and with ".." resolved. It is the slow road of the cover side,
// taken only by paths that are not plain; there are at most two dozen readings.
func (p Path) readings() []string {
	var all []string
	add := func(s string) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, whole := range rooted(p.raw) {
		for _, s := range []string{whole, unescape(whole)} {
			add(s)
			s = strings.ReplaceAll(s, `\`, "/")
			add(s)
			add(squeeze(s))
			add(tidy(s))
		}
	}
	return all
}

// rooted returns the paths that a request target may stand for. Usually that is
// the target itself; the asterisk form and a target without a slash get one, an
// absolute form loses its authority, and a query or fragment that an adapter
// left on is cut off in a second version.
func rooted(target string) []string {
	if _, rest, found := strings.Cut(target, "://"); found && target[0] != '/' {
		_, path, _ := strings.Cut(rest, "/")
		return append(rooted("/"+path), "/"+target)
	}
	if target == "" || target[0] != '/' {
		target = "/" + target
	}
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		return []string{target, target[:i]}
	}
	return []string{target}
}

// unescape decodes what can be decoded and leaves the rest as it is: on this
// side a broken encoding is no way out.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := octet(s[i:]); s[i] == '%' && ok {
			out = append(out, c)
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// squeeze drops empty and "." segments and leaves ".." alone, as a router does
// that merges slashes but resolves nothing. What it returns has no final slash:
// on the cover side that makes no difference.
func squeeze(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for segment := range strings.SplitSeq(s, "/") {
		if segment != "" && segment != "." {
			out.WriteByte('/')
			out.WriteString(segment)
		}
	}
	if out.Len() == 0 {
		return "/"
	}
	return out.String()
}

// trimSlash takes final slashes off, except the one that is the front page.
func trimSlash(s string) string {
	for len(s) > 1 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}
