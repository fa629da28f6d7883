package state

import (
	"fmt"
	"strings"
)

// A Mode is what a window does to the requests in its scope.
type Mode string

// The modes, mildest first.
const (
	// Announce lets everything through and tells everyone, by banner and header.
	Announce Mode = "announce"
	// ReadOnly refuses unsafe methods: all but GET, HEAD, OPTIONS and TRACE (RFC 9110 9.2.1).
	ReadOnly Mode = "readonly"
	// Hold keeps requests waiting for a short, bounded while, then refuses them.
	Hold Mode = "hold"
	// Full refuses everything in scope.
	Full Mode = "full"
)

// Modes lists every mode, mildest first.
var Modes = []Mode{Announce, ReadOnly, Hold, Full}

// ParseMode reads a mode's name, in any case.
func ParseMode(s string) (Mode, error) {
	for _, m := range Modes {
		if strings.EqualFold(s, string(m)) {
			return m, nil
		}
	}
	return "", fmt.Errorf("state: %.40q is no mode: choose announce, readonly, hold or full", s)
}

// Strength orders the modes: a larger number refuses more. An unknown mode is as strong as [Full].
func (m Mode) Strength() int {
	for i, known := range Modes {
		if m == known {
			return i
		}
	}
	return len(Modes) - 1
}

// Refuses reports whether a window of this mode refuses a request of this method. The method is compared as the
// router does, by case: "get" is not GET, and is refused by a read-only window.
func (m Mode) Refuses(method string) bool {
	switch m {
	case Announce:
		return false
	case ReadOnly:
		return !SafeMethod(method)
	default:
		return true
	}
}

// SafeMethod reports whether a method is one of the four that change nothing (RFC 9110 9.2.1).
func SafeMethod(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}
