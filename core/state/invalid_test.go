package state_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
)

func window(members string) string {
	return `{"version":1,"windows":[{"id":"a","mode":"full"` + members + `}]}`
}

func nested(levels int) string {
	return `{"version":1,"x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// invalid are documents that make no sense, and a part of what the error must say.
var invalid = []struct{ name, text, says string }{
	{"nothing", "", "empty"},
	{"blanks", " \n\t", "empty"},
	{"null", "null", "null"},
	{"a bare word", "on", "invalid character"},
	{"a list", "[]", "cannot unmarshal array"},
	{"a byte order mark", "\xef\xbb\xbf" + `{"version":1}`, "invalid character"},
	{"UTF-16", "\xff\xfe{\x00}\x00", "invalid character"},
	{"two documents", `{"version":1}{"version":1}`, "follows the document"},
	{"a stray brace", `{"version":1}}`, "follows the document"},
	{"a missing colon", `{"version" 1}`, "invalid character"},
	{"a missing comma", `{"version":1 "windows":[]}`, "after object"},
	{"a trailing comma", `{"version":1,}`, "invalid character"},
	{"no version", `{"windows":[]}`, "names no version"},
	{"version null", `{"version":null}`, "names no version"},
	{"an unknown version, naming the known one", `{"version":2}`, "version 2, this program knows 1"},
	{"version as text", `{"version":"1"}`, "version"},
	{"version true", `{"version":true}`, "version"},
	{"a member twice", `{"version":1,"epoch":1,"epoch":1}`, `"epoch" stands twice`},
	{"a member twice by way of an escape", `{"version":1,"versio\u006e":1}`, `"version" stands twice`},
	{"an unknown member twice, deep down", `{"version":1,"x":{"a":1,"a":2}}`, `"a" stands twice`},
	{"a window's member twice", window(`,"mode":"announce"`), `"mode" stands twice`},
	{"a name that differs by case", `{"version":1,"Revision":3}`, `did you mean "revision"`},
	{"a window's name that differs by case", window(`,"END":null`), `did you mean "end"`},
	{"an entry's name that differs by case", `{"version":1,"history":[{"Action":"on"}]}`, `did you mean "action"`},
	{"an actor's name that differs by case", window(`,"opened_by":{"NAME":"eve"}`), `did you mean "name"`},
	{"1e309", `{"version":1,"epoch":1e309}`, "1e309"},
	{"1e309 in an unknown member", `{"version":1,"x":1e309}`, "1e309"},
	{"a negative revision", `{"version":1,"epoch":1,"revision":-1}`, "revision: -1 is negative"},
	{"a negative epoch", `{"version":1,"epoch":-1,"revision":1}`, "epoch: -1 is negative"},
	{"revision 2^63", `{"version":1,"epoch":1,"revision":9223372036854775808}`, "9223372036854775808"},
	{"a revision with a fraction", `{"version":1,"epoch":1,"revision":1.5}`, "1.5"},
	{"a revision without an epoch", `{"version":1,"revision":1}`, "either both are counted"},
	{"an epoch without a revision", `{"version":1,"epoch":1}`, "either both are counted"},
	{"too deep by one", nested(state.MaxDepth + 1), "nested deeper than 12"},
	{"far too deep", nested(100_000), "nested deeper than 12"},
	{"too large by one", `{"version":1}` + strings.Repeat(" ", state.MaxSize-12), "at most 262144"},
	{"50 MB", `{"version":1,"x":"` + strings.Repeat("x", 50<<20) + `"}`, "at most 262144"},
	{"a window null", `{"version":1,"windows":[null]}`, "null"},
	{"windows as an object", `{"version":1,"windows":{}}`, "windows"},
	{"year 0", window(`,"start":"0000-01-01T00:00:00Z"`), "year 0 is not between"},
	{"year 1969", window(`,"end":"1969-12-31T23:59:59Z"`), "year 1969"},
	{"year 10000", window(`,"end":"10000-01-01T00:00:00Z"`), "10000"},
	{"year 10000 by its offset", window(`,"end":"9999-12-31T23:59:59-01:00"`), "year 10000"},
	{"a time without a zone", window(`,"start":"2026-11-21T10:00:00"`), "2026-11-21"},
	{"a time with a blank", window(`,"start":"2026-11-21 10:00:00Z"`), "2026-11-21"},
	{"a time as a number", window(`,"start":1763733600`), "not a JSON string"},
	{"end before start", window(`,"start":"2026-11-21T12:00:00Z","end":"2026-11-21T11:00:00Z"`), "not after the start"},
	{"end at start, by another zone", window(`,"start":"2026-11-21T12:00:00Z","end":"2026-11-21T13:00:00+01:00"`), "not after the start"},
	{"NUL in the message", window(`,"messages":{"":"a\u0000b"}`), "U+0000"},
	{"escape in the reason", window(`,"reason":"\u001b[2J"`), "U+001B"},
	{"a C1 control in the message", window(`,"messages":{"":"\u009b2J"}`), "U+009B"},
	{"a message tag that is none", window(`,"messages":{"de_DE":"x"}`), `"de_DE" is no language tag`},
	{"an unknown mode", `{"version":1,"windows":[{"id":"a","mode":"closed"}]}`, `"closed" is none of`},
	{"a mode in capitals", `{"version":1,"windows":[{"id":"a","mode":"Full"}]}`, `"Full" is none of`},
	{"no mode", `{"version":1,"windows":[{"id":"a"}]}`, "mode"},
	{"no id", `{"version":1,"windows":[{"mode":"full"}]}`, "id"},
	{"an id twice", `{"version":1,"windows":[{"id":"a","mode":"full"},{"id":"a","mode":"full"}]}`, `windows[1]: id "a" stands twice`},
	{"a scope with a slash", window(`,"scope":"a/b"`), `scope: "a/b"`},
	{"a scope in capitals", window(`,"scope":"EU"`), `scope: "EU"`},
	{"a wait for a mode that does not hold", window(`,"hold":"20s"`), "a window of mode full holds nothing"},
	{"a wait that is too long", `{"version":1,"windows":[{"id":"a","mode":"hold","hold":"301s"}]}`, "at most 5m0s"},
	{"a wait that no duration holds", `{"version":1,"windows":[{"id":"a","mode":"hold","hold":"9223372036854775807h"}]}`, "is no length"},
	{"a wait as a number", `{"version":1,"windows":[{"id":"a","mode":"hold","hold":20}]}`, "hold"},
	{"a negative wait", `{"version":1,"windows":[{"id":"a","mode":"hold","hold":"-1s"}]}`, "whole seconds"},
	{"a fraction of a second", `{"version":1,"windows":[{"id":"a","mode":"hold","hold":"1.5s"}]}`, "whole seconds"},
	{"a ramp without an end", window(`,"ramp":"1m"`), "needs an end"},
	{"a ramp that is longer than the window", window(`,"start":"2026-11-21T11:00:00Z","end":"2026-11-21T12:00:00Z","ramp":"3601s"`), "longer than the window"},
	{"a ramp of what only announces", `{"version":1,"windows":[{"id":"a","mode":"announce","end":"2026-11-21T12:00:00Z","ramp":"1m"}]}`, "cannot reopen by degrees"},
	{"a ramp that is longer than each occurrence", window(`,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"1h"},"ramp":"3601s"`), "longer than the window"},
	{"a lease without a length", window(`,"lease":{}`), `lease: ttl: "" is no length`},
	{"a lease of a moment", window(`,"lease":{"ttl":"9s"}`), "lease: 9s: use whole seconds, from 10s to 24h"},
	{"a lease of days", window(`,"lease":{"ttl":"24h1s"}`), "from 10s to 24h"},
	{"a lease of fractions", window(`,"lease":{"ttl":"10500ms"}`), "use whole seconds"},
	{"renewed less than never", window(`,"lease":{"ttl":"1m","renewals":-1}`), "renewals: -1 is negative"},
	{"a lease of what recurs", window(`,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"1h"},"lease":{"ttl":"1m"}`), "has no holder"},
	{"a lease of what reopens", window(`,"end":"2026-11-21T12:00:00Z","ramp":"1m","lease":{"ttl":"1m"}`), "by degrees ends by itself"},
	{"a lease in other letters", window(`,"lease":{"TTL":"1m"}`), `did you mean "ttl"`},
	{"a ramp of days", window(`,"end":"2026-11-21T12:00:00Z","ramp":"24h1s"`), "at most 24h"},
	{"a hold named with a blank", window(`,"name":"a b"`), `name: "a b"`},
	{"a recurring window with a start", window(repeats(``) + `,"start":"2026-11-21T12:00:00Z"`), "windows[0]: a recurring window has no start and no end of its own"},
	{"a recurring window with an end", window(repeats(``) + `,"end":"2026-11-21T12:00:00Z"`), "windows[0]: a recurring window has no start and no end of its own"},
	{"a recurrence as text", window(`,"repeat":"0 1 * * *"`), "cannot unmarshal"},
	{"a recurrence without anything", window(`,"repeat":{}`), `for: "" is no length`},
	{"a recurrence without a zone", window(`,"repeat":{"cron":"0 1 * * *","for":"1h"}`), "repeat: zone: it is missing"},
	{"a recurrence of 61 minutes", window(`,"repeat":{"cron":"61 1 * * *","zone":"UTC","for":"1h"}`), `windows[0]: repeat: cron: minute: "61"`},
	{"a length without a unit", window(`,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"60"}`), `repeat: for: "60" is no length`},
	{"a length as a number", window(`,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":60}`), "for"},
	{"no length", window(`,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"0s"}`), "for: 0s is not between 1s and 168h"},
	{"a recurrence that is void for ever", window(repeats(`,"after":"9999-01-01T00:00:00Z"`)), "after: the year 9999"},
	{"a recurrence's name that differs by case", window(repeats(`,"AFTER":null`)), `did you mean "after"`},
	{"passes as an object", `{"version":1,"windows":[],"passes":{}}`, "passes"},
	{"a pass without anything", `{"version":1,"windows":[],"passes":[{}]}`, "passes[0]: id"},
	{"a pass for nobody", pass(`"id":"p1","for":" ","key":"k","expires":"2026-11-21T12:00:00Z"`), "say in one line whom the pass is for"},
	{"a pass for two lines", pass(`"id":"p1","for":"a\nb","key":"k","expires":"2026-11-21T12:00:00Z"`), "in one line"},
	{"a pass for a terminal", pass(`"id":"p1","for":"\u001b[2J","key":"k","expires":"2026-11-21T12:00:00Z"`), "U+001B"},
	{"a pass for a book", pass(`"id":"p1","for":"` + strings.Repeat("x", 101) + `","key":"k","expires":"2026-11-21T12:00:00Z"`), "at most 100 are allowed"},
	{"a pass for ever", pass(`"id":"p1","for":"a","key":"k"`), "a pass ends some day"},
	{"a pass of no key", pass(`"id":"p1","for":"a","expires":"2026-11-21T12:00:00Z"`), "key"},
	{"a pass with a list for its key", pass(`"id":"p1","for":"a","key":["k"],"expires":"2026-11-21T12:00:00Z"`), "cannot unmarshal"},
	{"a pass that expires in the year 10000", pass(`"id":"p1","for":"a","key":"k","expires":"10000-01-01T00:00:00Z"`), "10000"},
	{"a pass for an occurrence of no window", onePass(`,"occurrence":"2026-11-21T12:00:00Z"`), "occurrence"},
	{"a pass for a window of no id", onePass(`,"window":"a b"`), "window: id"},
	{"a pass for a scope that is none", onePass(`,"scope":"A"`), "scope"},
	{"uses below none", onePass(`,"uses":-1`), "uses: -1"},
	{"too many uses", onePass(`,"uses":1001`), "uses: 1001"},
	{"a pass's member that differs by case", onePass(`,"EXPIRES":null`), `did you mean "expires"`},
	{"a pass's member twice", onePass(`,"key":"other"`), `"key" stands twice`},
	{"a pass twice", `{"version":1,"windows":[],"passes":[{"id":"p1","for":"a","key":"k","expires":"2026-11-21T12:00:00Z"},{"id":"p1","for":"b","key":"k","expires":"2026-11-21T12:00:00Z"}]}`, `passes[1]: id "p1" stands twice`},
	{"too many passes", `{"version":1,"windows":[],"passes":[{}` + strings.Repeat(",{}", 256) + `]}`, "passes: 257, at most 256"},
	{"a recurrence's member twice", window(repeats(`,"zone":"UTC"`)), `"zone" stands twice`},
}

func pass(members string) string { return `{"version":1,"windows":[],"passes":[{` + members + `}]}` }

func onePass(members string) string {
	return pass(`"id":"p1","for":"a","key":"k","expires":"2026-11-21T12:00:00Z"` + members)
}

func repeats(members string) string {
	return `,"repeat":{"cron":"0 1 * * *","zone":"UTC","for":"1h"` + members + `}`
}

func TestInvalidDocumentsAreRefusedWithTheReason(t *testing.T) {
	for _, c := range invalid {
		t.Run(c.name, func(t *testing.T) {
			got, err := state.Decode([]byte(c.text))
			if !errors.Is(err, state.ErrInvalid) {
				t.Fatalf("decoded %+v, error %v, want ErrInvalid", got, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if !reflect.DeepEqual(got, state.State{}) {
				t.Errorf("an invalid document left %+v behind", got)
			}
		})
	}
}

func TestTheErrorAboutAHostileDocumentIsShort(t *testing.T) {
	digits := strings.Repeat("9", 200_000)
	for name, text := range map[string]string{
		"a long number":       `{"version":1,"epoch":` + digits + `}`,
		"a long member twice": `{"version":1,"` + digits + `":1,"` + digits + `":1}`,
		"a long id":           `{"version":1,"windows":[{"id":"` + digits + `","mode":"full"}]}`,
		"a long tag":          window(`,"messages":{"` + digits + `":""}`),
		"80,000 bad windows":  `{"version":1,"windows":[{}` + strings.Repeat(",{}", 80_000) + `]}`,
		"a long django time":  `{"start": "` + digits + `"}`,
	} {
		decode := state.Decode
		if strings.Contains(name, "django") {
			decode = state.DecodeDjango
		}
		if _, err := decode([]byte(text)); !errors.Is(err, state.ErrInvalid) || len(err.Error()) > 4096 {
			t.Errorf("%s: ErrInvalid is %v, and the error has %d bytes", name, errors.Is(err, state.ErrInvalid), len(err.Error()))
		}
	}
}
