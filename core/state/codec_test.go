package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// full is a document in which every member is set.
func full() state.State {
	return state.State{
		Version: state.Version, Epoch: 1763733600000, Revision: 41,
		Windows: []state.Window{{
			ID: "w1", Name: "deploy", Scope: "checkout", Mode: state.ReadOnly, Start: noon, End: noon.Add(time.Hour),
			Messages: map[string]string{"": "Back soon", "de": "Gleich zurück", "pt-BR": "Já voltamos"},
			Reason:   "schema 17", OpenedBy: state.Actor{Name: "alice", Host: "web-1", Source: "cli"}, OpenedAt: noon,
			Extra: map[string]json.RawMessage{"colour": json.RawMessage(`{"r":1}`)},
		}, {
			ID: "w2", Mode: state.Hold, Hold: 45 * time.Second,
		}, {
			ID: "w4", Mode: state.Full, End: noon, Ramp: 10 * time.Minute,
		}, {
			ID: "w5", Mode: state.Full, Lease: &state.Lease{
				TTL: 90 * time.Second, Renewals: 3, Extra: map[string]json.RawMessage{"holder": json.RawMessage(`"x"`)},
			},
		}, {
			ID: "w3", Mode: state.Full, OpenedAt: noon,
			Repeat: &state.Repeat{
				Cron: "0 1 * * SUN", Zone: "Europe/Berlin", For: 90 * time.Minute, After: noon,
				Extra: map[string]json.RawMessage{"except": json.RawMessage(`["2026-12-27"]`)},
			},
		}},
		Passes: []state.Pass{{
			ID: "pABCDEFGHIJKLMNOPQRSTUVWX", For: "bob", Key: "2026-11", Scope: "checkout", Window: "w3", Occurrence: noon, Expires: noon.Add(time.Hour),
			Uses: 3, IssuedBy: state.Actor{Name: "alice", Host: "web-1", Source: "cli"}, IssuedAt: noon,
			Extra: map[string]json.RawMessage{"device": json.RawMessage(`"phone"`)},
		}, {
			ID: "p2", For: "carol", Key: "k", Expires: noon,
		}},
		History: []state.Entry{{
			Revision: 41, At: noon, By: state.Actor{Name: "alice"}, Action: "on", Windows: []string{"checkout"},
			Reason: "schema 17", Replaced: "{",
		}},
		Extra: map[string]json.RawMessage{"ramp": json.RawMessage(`[1,2]`)},
	}
}

func mustEncode(t testing.TB, s state.State) []byte {
	t.Helper()
	data, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestADocumentWithEverythingSurvivesARoundTrip(t *testing.T) {
	want := full()
	got, err := state.Decode(mustEncode(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n%+v\nwant\n%+v", got, want)
	}
}

func TestTheWrittenFormIsStable(t *testing.T) {
	s := state.Switched(true, noon, time.Time{})
	s.Epoch, s.Revision = 7, 1
	const want = `{
  "epoch": 7,
  "revision": 1,
  "version": 1,
  "windows": [
    {
      "id": "switch",
      "mode": "full",
      "start": "2026-11-21T12:00:00Z"
    }
  ]
}
`
	// The order of members is no promise: compare what a JSON reader sees, and the layout by its lines.
	got := string(mustEncode(t, s))
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) || strings.Count(got, "\n") != strings.Count(want, "\n") || !strings.HasSuffix(got, "}\n") {
		t.Errorf("encoded\n%s\nwant\n%s", got, want)
	}
}

// TestEveryTruncationIsInvalid cuts a real document at each byte (fault F9).
func TestEveryTruncationIsInvalid(t *testing.T) {
	data := bytes.TrimRight(mustEncode(t, full()), "\n")
	for n := range data {
		if _, err := state.Decode(data[:n]); !errors.Is(err, state.ErrInvalid) {
			t.Fatalf("the first %d of %d bytes: error %v, want ErrInvalid", n, len(data), err)
		}
	}
	if _, err := state.Decode(data); err != nil {
		t.Errorf("the whole document: %v", err)
	}
}

func TestOddButSoundDocumentsAreRead(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"nothing but the version", `{"version":1}`},
		{"windows null", `{"version":1,"windows":null}`},
		{"known members null", `{"version":1,"epoch":null,"history":null,"windows":[{"id":"a","mode":"full","start":null,"messages":null,"opened_by":null}]}`},
		{"no messages", window(`,"messages":{}`)},
		{"the last revision", `{"version":1,"epoch":9223372036854775807,"revision":9223372036854775807}`},
		{"the last second of 9999", window(`,"end":"9999-12-31T23:59:59.999999999Z"`)},
		{"a script's end in the message", window(`,"messages":{"":"</script><b>"}`)},
		{"bidi controls in the message", window(`,"messages":{"":"\u202eabc\u2066","ar":"مغلق"}`)},
		{"a broken surrogate", window(`,"reason":"\ud800"`)},
		{"as deep as allowed", nested(state.MaxDepth)},
		{"as large as allowed", `{"version":1}` + strings.Repeat(" ", state.MaxSize-13)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := state.Decode([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, s)
		})
	}
}

func TestAScriptsEndIsNeverWrittenOut(t *testing.T) {
	s := state.Switched(true, time.Time{}, time.Time{})
	s.Windows[0].Messages = map[string]string{"": "</script>"}
	if data := mustEncode(t, s); bytes.ContainsAny(data, "<>") {
		t.Errorf("%s could end a script element", data)
	}
}

func TestUnknownMembersAreWrittenBack(t *testing.T) {
	const text = `{"version":1,"ramp":{"share":0.25,"big":12345678901234567890},"windows":[
		{"id":"a","mode":"full","quorum":{"holder":"x<y"}},{"id":"b","mode":"hold"}]}`
	s, err := state.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s.Windows[0].Reason = "changed by the older half of the fleet"
	var out struct {
		Ramp    json.RawMessage
		Windows []map[string]json.RawMessage
	}
	if err := json.Unmarshal(mustEncode(t, s), &out); err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"document": {compact(t, out.Ramp), `{"share":0.25,"big":12345678901234567890}`},
		"window":   {compact(t, out.Windows[0]["quorum"]), `{"holder":"x\u003cy"}`},
	} {
		if pair[0] != pair[1] {
			t.Errorf("the %s's unknown member came back as %s, want %s", what, pair[0], pair[1])
		}
	}
	if len(out.Windows[1]) != 2 {
		t.Errorf("the second window got members of the first: %v", out.Windows[1])
	}
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEncodeRefusesWhatDecodeWouldRefuse(t *testing.T) {
	extra := func(name, value string) func(*state.State) {
		return func(s *state.State) { s.Extra = map[string]json.RawMessage{name: json.RawMessage(value)} }
	}
	for name, change := range map[string]func(*state.State){
		"another version":                   func(s *state.State) { s.Version = 2 },
		"an unknown mode":                   func(s *state.State) { s.Windows[0].Mode = "shut" },
		"129 windows":                       func(s *state.State) { s.Windows = make([]state.Window, 129) },
		"an extra member that is no JSON":   extra("x", "{"),
		"an extra member too deep":          extra("x", strings.Repeat("[", 12)+strings.Repeat("]", 12)),
		"an extra member named as Version":  extra("Version", "1"),
		"an extra member with a name twice": extra("x", `{"a":1,"a":1}`),
		"an extra member out of range":      extra("x", "1e309"),
		"an opening time in year 10000":     func(s *state.State) { s.Windows[0].OpenedAt = noon.AddDate(8000, 0, 0) },
		"more than 256 KiB": func(s *state.State) {
			s.Windows[0].Extra = map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", state.MaxSize) + `"`)}
		},
	} {
		s := full()
		change(&s)
		if data, err := state.Encode(s); err == nil {
			t.Errorf("%s: encoded as %.200s", name, data)
		} else if !strings.HasPrefix(err.Error(), "state: encode: ") {
			t.Errorf("%s: error %q does not say who speaks", name, err)
		}
	}
}

func TestEncodeKeepsTheNewestHistory(t *testing.T) {
	s := full()
	s.History = nil
	for n := range state.MaxHistory + 3 {
		s.History = append(s.History, state.Entry{Revision: int64(n), Action: fmt.Sprint("change ", n)})
	}
	got, err := state.Decode(mustEncode(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.History) != state.MaxHistory || got.History[0].Revision != 3 || len(s.History) != state.MaxHistory+3 {
		t.Errorf("%d entries from revision %d; the caller's list has %d", len(got.History), got.History[0].Revision, len(s.History))
	}
}

func TestADocumentThatItsHistoryFillsCanStillBeChanged(t *testing.T) {
	s := full()
	s.History = nil
	words := make([]string, 20)
	for i := range words {
		words[i] = strings.Repeat("x", 1000)
	}
	for n := range state.MaxHistory {
		s.History = append(s.History, state.Entry{Revision: int64(n), Action: "on", Windows: words})
	}
	got, err := state.Decode(mustEncode(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Windows) != len(s.Windows) || len(got.History) < 5 || got.History[len(got.History)-1].Revision != state.MaxHistory-1 || len(s.History) != state.MaxHistory {
		t.Errorf("%d windows and %d entries are left; the caller's list has %d", len(got.Windows), len(got.History), len(s.History))
	}
	one := s
	one.History = s.History[len(s.History)-len(got.History)-1:]
	if again, err := state.Decode(mustEncode(t, one)); err != nil || len(again.History) != len(got.History) {
		t.Errorf("of one entry more, %d are left, %v: want %d", len(again.History), err, len(got.History))
	}
}

// checkRoundTrip asserts that a decoded state encodes, and decodes to the same value.
func checkRoundTrip(t *testing.T, s state.State) {
	t.Helper()
	data, err := state.Encode(s)
	if err != nil {
		t.Fatalf("what was decoded does not encode: %v", err)
	}
	again, err := state.Decode(data)
	if err != nil {
		t.Fatalf("what was encoded does not decode: %v\n%s", err, data)
	}
	if !reflect.DeepEqual(instants(s), instants(again)) {
		t.Fatalf("round trip changed\n%+v\ninto\n%+v", s, again)
	}
}

// instants rewrites every time in UTC: the same instant may carry its offset in different ways.
func instants(s state.State) state.State {
	utc := func(t time.Time) time.Time {
		if t.IsZero() {
			return time.Time{}
		}
		return t.UTC()
	}
	s = s.Clone()
	for i := range s.Windows {
		w := &s.Windows[i]
		w.Start, w.End, w.OpenedAt = utc(w.Start), utc(w.End), utc(w.OpenedAt)
		if w.Repeat != nil {
			r := *w.Repeat
			r.After = utc(r.After)
			w.Repeat = &r
		}
	}
	for i := range s.History {
		s.History[i].At = utc(s.History[i].At)
	}
	if len(s.History) == 0 {
		s.History = nil
	}
	return s
}
