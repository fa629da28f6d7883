package adaptertest

import "strings"

// ColonPattern writes a pattern as gin does: "/users/:id", "/deep/*rest".
func ColonPattern(pattern string) string {
	return convert(pattern, func(name string) string { return ":" + name }, func(name string) string { return "*" + name })
}

// StarPattern writes a pattern as echo and fiber do: "/users/:id", "/deep/*".
func StarPattern(pattern string) string {
	return convert(pattern, func(name string) string { return ":" + name }, func(string) string { return "*" })
}

// BracePattern writes a pattern as chi does: "/users/{id}", "/deep/*".
func BracePattern(pattern string) string {
	return convert(pattern, func(name string) string { return "{" + name + "}" }, func(string) string { return "*" })
}

// MuxPattern writes a pattern as http.ServeMux does: a final slash is that path alone, "/shop/{$}".
func MuxPattern(pattern string) string {
	if strings.HasSuffix(pattern, "/") {
		return pattern + "{$}"
	}
	return pattern
}

// convert rewrites the segments in braces.
func convert(pattern string, one, rest func(name string) string) string {
	segments := strings.Split(pattern, "/")
	for i, segment := range segments {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if name, ok := strings.CutSuffix(name, "..."); ok {
			segments[i] = rest(name)
		} else {
			segments[i] = one(name)
		}
	}
	return strings.Join(segments, "/")
}
