package page

import (
	"strconv"
	"strings"
	"time"
)

// HeaderName is the response field by which clients tell maintenance from failure: an Item whose bare item is a
// Token, in the terms of RFC 9651 (structured fields).
//
//	full;scope="checkout";until=@1763733600      on a refusal
//	full;allowed;until=@1763733600               on a response to somebody who was let in by exception
//	planned;start=@1763730000;until=@1763733600  while a window is planned
const HeaderName = "Maintenance-Mode"

// Mode is the value of a Maintenance-Mode field.
type Mode struct {
	Name         string    // "full", "readonly", "hold", "announce", "planned"; newer servers may know more
	Scope        string    // "" is the whole site
	Allowed      bool      // the request was let in by exception
	Start, Until time.Time // in whole seconds and UTC; zero: not said
}

// ModeField writes a field value. Seconds are whole: a fraction rounds the start down and the end up, so that nobody
// comes back too early.
//
// It is "", which says to send no field, if the value cannot be written: the mode is no Token, the scope is not
// printable ASCII, or a time lies outside the range of a Date.
func ModeField(mode, scope string, allowed bool, start, until time.Time) string {
	if !isSFToken(mode) {
		return ""
	}
	b := append(make([]byte, 0, 64), mode...)
	if scope != "" {
		b = append(b, `;scope="`...)
		for i := range len(scope) {
			if scope[i] < ' ' || scope[i] > '~' {
				return ""
			}
			if scope[i] == '"' || scope[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, scope[i])
		}
		b = append(b, '"')
	}
	if allowed {
		b = append(b, ";allowed"...)
	}
	b, ok := appendDate(b, ";start=@", start, start.Unix())
	if !ok {
		return ""
	}
	end := until.Unix()
	if until.Nanosecond() > 0 {
		end++
	}
	if b, ok = appendDate(b, ";until=@", until, end); !ok {
		return ""
	}
	return string(b)
}

// maxInteger is the largest Integer of RFC 9651, section 3.3.1.
const maxInteger = 999_999_999_999_999

func appendDate(b []byte, parameter string, t time.Time, seconds int64) ([]byte, bool) {
	if t.IsZero() {
		return b, true
	}
	b = append(b, parameter...)
	return strconv.AppendInt(b, seconds, 10), seconds >= -maxInteger && seconds <= maxInteger
}

// maxModeField bounds what ParseModeField looks at: what servers send is shorter than 100 bytes.
const maxModeField = 1 << 10

// ParseModeField reads a field value as strictly as RFC 9651 (section 4.2) demands: what is no Item, or whose known
// parameters have another type than ModeField gives them, or that is longer than 1 KiB, is as good as not sent.
// Parameters it does not know are skipped, for newer servers' sake; of equal ones the last counts. Several field
// lines make a List, which this field never is.
func ParseModeField(value string) (Mode, bool) {
	if len(value) > maxModeField {
		return Mode{}, false
	}
	s := strings.Trim(value, " ")
	n := sfTokenLen(s)
	if n == 0 {
		return Mode{}, false
	}
	mode := Mode{Name: s[:n]}
	for s = s[n:]; s != ""; {
		if s[0] != ';' {
			return Mode{}, false
		}
		s = strings.TrimLeft(s[1:], " ")
		if n = sfKeyLen(s); n == 0 {
			return Mode{}, false
		}
		key, item := s[:n], "?1" // a parameter without a value is true
		if s = s[n:]; s != "" && s[0] == '=' {
			if n = bareItemLen(s[1:]); n == 0 {
				return Mode{}, false
			}
			item, s = s[1:1+n], s[1+n:]
		}
		if !mode.set(key, item) {
			return Mode{}, false
		}
	}
	return mode, true
}

// set takes one parameter, whose item is well-formed; it is false if the item is not of the parameter's type.
func (m *Mode) set(key, item string) bool {
	switch key {
	case "scope":
		m.Scope = unquote(item)
		return item[0] == '"'
	case "allowed":
		m.Allowed = item == "?1"
		return item[0] == '?'
	case "start":
		return parseDate(&m.Start, item)
	case "until":
		return parseDate(&m.Until, item)
	}
	return true
}

func parseDate(t *time.Time, item string) bool {
	if item[0] != '@' {
		return false
	}
	seconds, err := strconv.ParseInt(item[1:], 10, 64)
	*t = time.Unix(seconds, 0).UTC()
	return err == nil
}

// unquote takes a well-formed String apart.
func unquote(item string) string {
	var b strings.Builder
	for i := 1; i < len(item)-1; i++ {
		if item[i] == '\\' {
			i++
		}
		b.WriteByte(item[i])
	}
	return b.String()
}
