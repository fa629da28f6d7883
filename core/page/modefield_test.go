package page

import (
	"strings"
	"testing"
	"time"
)

func TestModeField(t *testing.T) {
	at := func(seconds, nanoseconds int64) time.Time { return time.Unix(seconds, nanoseconds) }
	zero := time.Time{}
	for _, tt := range []struct {
		name         string
		mode, scope  string
		allowed      bool
		start, until time.Time
		want         string
	}{
		{"a mode alone", "full", "", false, zero, zero, "full"},
		{"a scope and an end", "full", "checkout", false, zero, at(1763733600, 0), `full;scope="checkout";until=@1763733600`},
		{"let in by exception", "full", "", true, zero, at(1763733600, 0), "full;allowed;until=@1763733600"},
		{"planned", "planned", "", false, at(1763730000, 0), at(1763733600, 0), "planned;start=@1763730000;until=@1763733600"},
		{"quotes are escaped", "full", `a"b\c`, false, zero, zero, `full;scope="a\"b\\c"`},
		{"fractions round outwards", "planned", "", false, at(10, 1), at(20, 1), "planned;start=@10;until=@21"},
		{"before 1970", "full", "", false, zero, at(-10, 0), "full;until=@-10"},
		{"a mode that is no token", "full mode", "", false, zero, zero, ""},
		{"a mode with a line break", "full\r\nX: y", "", false, zero, zero, ""},
		{"no mode", "", "", false, zero, zero, ""},
		{"a scope beyond ASCII", "full", "käse", false, zero, zero, ""},
		{"a scope with a line break", "full", "a\r\nX: y", false, zero, zero, ""},
		{"a time that no Date holds", "full", "", false, zero, at(1_000_000_000_000_000, 0), ""},
		{"an end whose fraction no Date holds", "full", "", false, zero, at(999_999_999_999_999, 1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ModeField(tt.mode, tt.scope, tt.allowed, tt.start, tt.until)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseModeField(t *testing.T) {
	until := time.Unix(1763733600, 0).UTC()
	for _, tt := range []struct {
		name, value string
		want        Mode
		ok          bool
	}{
		{"a mode alone", "full", Mode{Name: "full"}, true},
		{
			"everything", `full;scope="a\"b\\c";allowed;start=@10;until=@1763733600`,
			Mode{Name: "full", Scope: `a"b\c`, Allowed: true, Start: time.Unix(10, 0).UTC(), Until: until},
			true,
		},
		{"blanks where they are allowed", "  full; until=@1763733600  ", Mode{Name: "full", Until: until}, true},
		{"a boolean spelt out", "full;allowed=?1", Mode{Name: "full", Allowed: true}, true},
		{"a boolean denied", "full;allowed=?0", Mode{Name: "full"}, true},
		{"of equal parameters the last", "full;allowed;allowed=?0;until=@1;until=@1763733600", Mode{Name: "full", Until: until}, true},
		{
			"unknown parameters of every type", `full;a;b=1;c=-1.5;d="x\"";e=tok/en:1;f=:YQ==:;g=?0;h=@1;i=%"f%c3%bc";*j=*;until=@1763733600`,
			Mode{Name: "full", Until: until},
			true,
		},
		{"nothing", "", Mode{}, false},
		{"a string is no token", `"full"`, Mode{}, false},
		{"a list", "full, full", Mode{}, false},
		{"an inner list", "(full)", Mode{}, false},
		{"a tab", "\tfull", Mode{}, false},
		{"a blank before the semicolon", "full ;allowed", Mode{}, false},
		{"a key in capitals", "full;Allowed", Mode{}, false},
		{"an empty key", "full;", Mode{}, false},
		{"an empty value", "full;until=", Mode{}, false},
		{"a scope that is a token", "full;scope=checkout", Mode{}, false},
		{"an open scope", `full;scope="checkout`, Mode{}, false},
		{"a scope with a needless escape", `full;scope="a\b"`, Mode{}, false},
		{"a scope beyond ASCII", `full;scope="ä"`, Mode{}, false},
		{"an end that is an integer", "full;until=1763733600", Mode{}, false},
		{"an end with decimals", "full;until=@1.5", Mode{}, false},
		{"an end of 16 digits", "full;until=@1234567890123456", Mode{}, false},
		{"an end that is true", "full;until", Mode{}, false},
		{"allowed that is a string", `full;allowed="yes"`, Mode{}, false},
		{"an unknown boolean", "full;x=?2", Mode{}, false},
		{"an unknown decimal of four places", "full;x=1.2345", Mode{}, false},
		{"an unknown decimal of thirteen digits", "full;x=1234567890123.5", Mode{}, false},
		{"unknown bytes that stay open", "full;x=:YQ==", Mode{}, false},
		{"an unknown display string with capitals", `full;x=%"%C3"`, Mode{}, false},
		{"more than 1 KiB", "full" + strings.Repeat(";x", 600), Mode{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseModeField(tt.value)
			if ok != tt.ok || got != tt.want {
				t.Errorf("ParseModeField(%.80q) = %+v, %t; want %+v, %t", tt.value, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// Whatever parses writes as a field that parses to the same, and whatever is written parses.
func FuzzModeField(f *testing.F) {
	f.Add("full", "full", "", false, int64(0), int64(0))
	f.Add(`full;scope="checkout";until=@1763733600`, "readonly", "checkout", true, int64(1763730000), int64(1763733600))
	f.Add(`planned;start=@-5;x=%"a%20b";y=:YQ==:;z=1.5`, "a b", `"\`, true, int64(-1), int64(1)<<50)
	f.Add(`full;allowed=?0;allowed`, "*", "ä", false, int64(-62135596800), int64(1))
	f.Fuzz(func(t *testing.T, value, mode, scope string, allowed bool, start, until int64) {
		if parsed, ok := ParseModeField(value); ok {
			written := ModeField(parsed.Name, parsed.Scope, parsed.Allowed, parsed.Start, parsed.Until)
			if again, ok := ParseModeField(written); !ok || again != parsed {
				t.Errorf("%q parses to %+v, is written %q, parses to %+v, %t", value, parsed, written, again, ok)
			}
		}
		written := ModeField(mode, scope, allowed, time.Unix(start, 0), time.Unix(until, 0))
		if written == "" || len(written) > maxModeField {
			return
		}
		for i := range len(written) {
			if written[i] < ' ' || written[i] > '~' {
				t.Fatalf("%q is no field value", written)
			}
		}
		want := Mode{Name: mode, Scope: scope, Allowed: allowed, Start: time.Unix(start, 0).UTC(), Until: time.Unix(until, 0).UTC()}
		if got, ok := ParseModeField(written); !ok || got != want {
			t.Errorf("%+v is written %q, which parses to %+v, %t", want, written, got, ok)
		}
	})
}
