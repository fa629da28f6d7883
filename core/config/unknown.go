package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// serviceLink is the shape of what Kubernetes puts into the environment for a Service whose name begins with "recess".
var serviceLink = regexp.MustCompile(`^RECESS_(.*_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// unknown is the error for a name that nobody knows, with what may have been meant.
func unknown(name string) error {
	if serviceLink.MatchString(name) {
		return errors.New("there is no such variable: it looks like Kubernetes' of a Service called recess; set enableServiceLinks: false in the pod's spec")
	}
	if meant := nearest(name); meant != "" {
		return fmt.Errorf("there is no such variable: did you mean %s?", meant)
	}
	return errors.New("there is no such variable: docs/configuration.md lists them all")
}

// nearest is the variable that a wrong name comes closest to, "" if none comes close. It knows the names that
// django-maintenance-mode uses.
func nearest(name string) string {
	name = strings.ToUpper(name)
	own := strings.TrimPrefix(name, prefix)
	meant, least := "", 2+len(own)/5
	for i := range settings {
		s := &settings[i]
		for django := range strings.SplitSeq(s.Django, ", ") {
			if django == own {
				return s.Name
			}
		}
		if d := distance(own, strings.TrimPrefix(s.Name, prefix)); d < least {
			meant, least = s.Name, d
		}
	}
	return meant
}

// distance counts the single-byte edits and swaps of neighbours between two short words (Damerau's, in the restricted
// form, where no part is edited twice).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
