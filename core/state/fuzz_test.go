package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// FuzzDecode: nothing panics, what is refused says so, and whatever decodes encodes and decodes to the same value.
func FuzzDecode(f *testing.F) {
	for _, c := range invalid {
		if len(c.text) <= 4096 { // the larger seeds stand in the table
			f.Add([]byte(c.text))
		}
	}
	f.Add(mustEncode(f, full()))
	f.Add([]byte(`{"version":1,"windows":[],"x":{"a":"\u2028<"},"history":[{"at":"0001-01-01T00:00:00+02:00"}]}`))
	f.Add([]byte(onePass(`,"uses":7,"issued_by":{"name":"x"},"y":{}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := state.Decode(data)
		if err != nil {
			if !errors.Is(err, state.ErrInvalid) || len(err.Error()) > 4096 {
				t.Fatalf("refused with %.200q (%d bytes)", err, len(err.Error()))
			}
			return
		}
		if len(data) > state.MaxSize {
			t.Fatalf("%d bytes were read", len(data))
		}
		if len(s.Windows) > state.MaxWindows || len(s.Passes) > state.MaxPasses || len(s.History) > state.MaxHistory {
			t.Fatalf("%d windows, %d passes, %d entries", len(s.Windows), len(s.Passes), len(s.History))
		}
		if len(data) > state.MaxSize/64 {
			return // indented and escaped it may grow past the limit, which Encode then names
		}
		checkRoundTrip(t, s)
	})
}

// FuzzDecodeDjango: what django-maintenance-mode's form says comes back from our way of writing it, to the microsecond.
func FuzzDecodeDjango(f *testing.F) {
	for _, c := range djangoTexts {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := state.DecodeDjango(data)
		if err != nil {
			if !errors.Is(err, state.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		checkRoundTrip(t, s)
		longAgo := time.Unix(0, 0).Add(-time.Hour)
		written, err := state.EncodeDjango(s, longAgo)
		if errors.Is(err, state.ErrInexpressible) && len(s.Windows) == 1 && s.Windows[0].End.Sub(s.Windows[0].Start) < time.Microsecond {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := state.DecodeDjango(written)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", data, written, err)
		}
		if len(s.Windows) != len(again.Windows) {
			t.Fatalf("%q was written as %q", data, written)
		}
		for i, w := range s.Windows {
			start, end := w.Start.Truncate(time.Microsecond), w.End.Truncate(time.Microsecond)
			if got := again.Windows[i]; !got.Start.Equal(start) || !got.End.Equal(end) {
				t.Fatalf("%q was written as %q", data, written)
			}
		}
	})
}

// FuzzRedact puts a secret where people put secrets, whatever its characters: it must never show. (Where a host or a
// scheme stands by the syntax, as in redis://:1234@secret, no reader can know better: those are not among the places.)
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "@", "/", "?", "#", ":", "%", "%zz", "\n", "a@b/c?d#e", "]", " ", " file:", " x://", "\tmulti:"} {
		f.Add(s)
	}
	places := []string{
		"redis://:SECRET@host:6379/0", "postgres://user:SECRET@host/db?sslmode=require", "postgres://user@host/db?password=SECRET",
		"rediss://SECRET@host", "mysql://user:SECRET@tcp(host:3306)/db", "mysql:user:SECRET@tcp(host)/db",
		"postgres:host=h password=SECRET", "s3://bucket/key?secret=SECRET", "nats://SECRET@a:4222,b:4222", "sqlite:x.db?_auth_pass=SECRET",
		"file:x.json?token=SECRET", "multi:redis://:SECRET@host:6379/0 file:x.json",
		"multi:file:x.json\nhttps://user:SECRET@host/path", "https://user:SECRET@host/path#frag", "https://host/path#SECRET", "://u:SECRET@h", " redis://:SECRET@h",
	}
	f.Fuzz(func(t *testing.T, odd string) {
		const mark = "S3CR3T"
		for _, place := range places {
			for _, secret := range []string{mark, "1234" + odd + mark, mark + odd + mark} {
				if shown := state.Redact(strings.ReplaceAll(place, "SECRET", secret)); strings.Contains(shown, mark) {
					t.Errorf("%q in %s is shown as %q", secret, place, shown)
				}
			}
		}
	})
}
