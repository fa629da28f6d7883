package pass_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// The fuzz's keys are fixed, so that what it finds can be tried again.
const (
	keyOne = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	keyTwo = "k2:_-7dzLuqmYh3ZlVEMyIRAA8eLTxLWml4h5altMPS4fA"
)

// FuzzFind: a text is a pass if and only if it is, byte for byte, one that was issued; and what the ring takes for a link is,
// byte for byte, a link that was issued.
func FuzzFind(f *testing.F) {
	for _, c := range []struct {
		change  string
		at, cut byte
		how     byte
	}{{"", 0, 0, 0}, {"A", 96, 97, 1}, {"\n", 10, 10, 1}, {"rl1_", 0, 4, 1}, {"=", 97, 97, 1}, {"rp1_", 0, 97, 1}, {"é", 54, 56, 1}, {"", 28, 54, 3}} {
		f.Add(c.change, c.at, c.cut, c.how)
	}
	one, two := newRing(f, "shop", keyOne, keyTwo), newRing(f, "shop", keyTwo)
	records := []state.Pass{record(), record(), record()}
	var good, links []string
	for i := range records {
		issued := one.Issue(&records[i])
		good, links = append(good, issued.Pass), append(links, issued.Link)
	}
	stranger := record()
	foreign := two.Issue(&stranger)
	b := book(one, records...)
	f.Fuzz(func(t *testing.T, change string, at, cut, how byte) {
		base := slices.Concat(good, links, []string{foreign.Pass, foreign.Link, ""})[int(how)%(2*len(good)+3)]
		from := min(int(at), len(base))
		to := max(from, min(int(cut), len(base)))
		text := base[:from] + change + base[to:]
		for range 2 { // nothing is remembered that should not be
			i := slices.Index(good, text)
			if e := b.Find(text); (e != nil) != (i >= 0) || e != nil && e.Pass.ID != records[i].ID {
				t.Fatalf("%q: found %v, and it is pass %d of those issued", text, e != nil, i)
			}
			for j := range records {
				token, ok := one.Exchange(text, &records[j])
				if ok != (text == links[j]) || ok && token != good[j] {
					t.Fatalf("%q is a link to pass %d: %v", text, j, ok)
				}
			}
		}
		if two.Book(records, noon, nil).Find(text) != nil {
			t.Fatalf("%q is a pass without its key", text)
		}
	})
}

// FuzzCarried compares what is found in a request's fields with a plain way to look for it.
func FuzzCarried(f *testing.F) {
	f.Add("Recess A", "B", "a=b; __Host-recess=C, __Host-recess=D")
	f.Add("basic x", "", "x__Host-recess=__Host-recess=A;\t__Host-recess= A \t;;,")
	f.Add("recess   ", "\x00", "__Host-recess=\"A\"; y __Host-recess=B,__Host-recess=")
	f.Fuzz(func(t *testing.T, authorization, header, cookies string) {
		carried := pass.CarriedBy(authorization, header, cookies)
		var got []string
		for token, ok := carried.Next(); ok; token, ok = carried.Next() {
			if got = append(got, token); len(got) > 8 {
				t.Fatalf("%d texts in %q", len(got), cookies)
			}
		}
		var want []string
		if scheme, rest, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "recess") && len(scheme) == 6 {
			want = append(want, strings.TrimLeft(rest, " "))
		}
		if header != "" {
			want = append(want, header)
		}
		n := 0
		for _, pair := range strings.FieldsFunc(cookies, func(r rune) bool { return r == ';' || r == ',' }) {
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ok && name == "__Host-recess" && n < 4 {
				want = append(want, value)
				n++
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("found %q, want %q", got, want)
		}
	})
}

// FuzzRing: a ring is made of keys that are long enough, and no error shows anything of a key.
func FuzzRing(f *testing.F) {
	f.Add(keyOne, keyTwo, "shop")
	f.Add("k1:", "k2", "")
	f.Add(strings.ToUpper(keyOne), keyOne[:40], "\x00")
	f.Fuzz(func(t *testing.T, one, two, audience string) {
		const secret = "c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU"
		for _, keys := range [][]string{{one}, {one, two}, {one, secret + two}, {"k9:" + secret + one}, {one, two, "k9:" + secret}} {
			ring, err := pass.NewRing(keys, audience)
			if err != nil {
				if strings.Contains(err.Error(), secret) {
					t.Fatalf("the error shows a key: %v", err)
				}
				continue
			}
			p := record()
			issued := ring.Issue(&p)
			if len(keys[0]) < len("k:")+43 || book(ring, p).Find(issued.Pass) == nil || p.Check() != nil {
				t.Fatalf("a ring of %q makes no good passes", keys)
			}
		}
	})
}
