package pass_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newRing(t testing.TB, audience string, keys ...string) *pass.Ring {
	t.Helper()
	r, err := pass.NewRing(keys, audience)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newKey(t testing.TB, id string) string {
	t.Helper()
	k, err := pass.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// record is what a document says of a pass.
func record() state.Pass {
	return state.Pass{
		For: "alice", Scope: "checkout", Window: "w1", Occurrence: noon, Expires: noon.Add(4 * time.Hour), Uses: 1,
	}
}

func book(r *pass.Ring, passes ...state.Pass) *pass.Book { return r.Book(passes, noon, nil) }

func TestAPassIsFoundAndALinkIsNone(t *testing.T) {
	r := newRing(t, "shop", newKey(t, "k1"))
	alice, bob := record(), record()
	bob.For = "bob"
	hers, his := r.Issue(&alice), r.Issue(&bob)
	b := book(r, alice, bob)
	for range 3 { // the first time, and remembered
		if e := b.Find(hers.Pass); e == nil || e.Pass.For != "alice" {
			t.Fatalf("alice's pass is %+v", e)
		}
		if e := b.Find(his.Pass); e == nil || e.Pass.For != "bob" {
			t.Fatalf("bob's pass is %+v", e)
		}
		for _, no := range []string{hers.Link, his.Link, "", "rp1_", "r" + hers.Pass, hers.Pass + "A", hers.Pass[:96], " " + hers.Pass[1:]} {
			if b.Find(no) != nil {
				t.Fatalf("%q is a pass", no)
			}
		}
	}
	if pass.LinkID(hers.Link) != alice.ID || pass.LinkID(hers.Pass) != "" || pass.LinkID(hers.Link[1:]) != "" {
		t.Error("what a text is a link to is not told from its form")
	}
	if err := alice.Check(); err == nil {
		if alice.Key != "k1" || strings.Contains(hers.Pass, "k1_") {
			t.Errorf("the record is %+v", alice)
		}
	} else {
		t.Error(err)
	}
}

func TestALinkIsExchangedForItsPassAlone(t *testing.T) {
	r := newRing(t, "shop", newKey(t, "k1"))
	alice, bob := record(), record()
	hers, his := r.Issue(&alice), r.Issue(&bob)
	alice.Uses = 7 // it is no part of what is signed
	if got, ok := r.Exchange(hers.Link, &alice); !ok || got != hers.Pass {
		t.Errorf("the link gives %q, %v", got, ok)
	}
	for _, c := range []struct {
		link string
		of   state.Pass
	}{{hers.Link, bob}, {his.Link, alice}, {hers.Pass, alice}, {"", alice}, {hers.Link, state.Pass{}}} {
		if got, ok := r.Exchange(c.link, &c.of); ok || got != "" {
			t.Errorf("%.8q gives a pass for %s", c.link, c.of.ID)
		}
	}
	for i := range len(hers.Link) {
		for _, other := range []byte{hers.Link[i] ^ 1, 'A', 0, 0xff} {
			if forged := hers.Link[:i] + string([]byte{other}) + hers.Link[i+1:]; forged != hers.Link {
				if _, ok := r.Exchange(forged, &alice); ok {
					t.Fatalf("a link that is changed at byte %d is one", i)
				}
			}
		}
	}
}

// Each byte of a pass is changed to each other byte, before the pass is remembered and after.
func TestAPassThatIsChangedInAnyByteIsNone(t *testing.T) {
	r := newRing(t, "shop", newKey(t, "k1"))
	p := record()
	token := r.Issue(&p).Pass
	b := book(r, p)
	for _, when := range []string{"unseen", "remembered"} {
		for i := range len(token) {
			changed := []byte(token)
			for other := range 256 {
				if changed[i] = byte(other); string(changed) != token && b.Find(string(changed)) != nil {
					t.Fatalf("%s: with byte %d as %q it is a pass", when, i, byte(other))
				}
			}
			if b.Find(token[:i]+token[i+1:]) != nil || b.Find(token[:i]+"A"+token[i:]) != nil {
				t.Fatalf("%s: with a byte less or more at %d it is a pass", when, i)
			}
		}
		if b.Find(token) == nil {
			t.Fatal("the pass itself is none")
		}
	}
}

// What the document says is signed: whoever changes it unmakes the pass.
func TestAPassOfAnythingElseIsNone(t *testing.T) {
	mine := newKey(t, "k1")
	r := newRing(t, "shop", mine)
	p := record()
	token := r.Issue(&p).Pass
	other := record()
	r.Issue(&other)
	for what, change := range map[string]func(*state.Pass){
		"for":                func(p *state.Pass) { p.For = "mallory" },
		"scope":              func(p *state.Pass) { p.Scope = "" },
		"window":             func(p *state.Pass) { p.Window = "w2" },
		"no window":          func(p *state.Pass) { p.Window, p.Occurrence = "", time.Time{} },
		"occurrence":         func(p *state.Pass) { p.Occurrence = p.Occurrence.Add(time.Millisecond) },
		"every occurrence":   func(p *state.Pass) { p.Occurrence = time.Time{} },
		"the first instant":  func(p *state.Pass) { p.Occurrence = time.Unix(0, 0) },
		"expiry":             func(p *state.Pass) { p.Expires = p.Expires.Add(time.Millisecond) },
		"id":                 func(p *state.Pass) { p.ID = other.ID },
		"the end of a field": func(p *state.Pass) { p.Scope, p.Window = "checkou", "tw1" },
	} {
		changed := p
		change(&changed)
		if book(r, changed).Find(token) != nil {
			t.Errorf("%s: with another one the pass is one", what)
		}
	}
	kept := p
	kept.Uses, kept.IssuedBy.Name, kept.Expires = 0, "somebody", p.Expires.In(time.FixedZone("", 3600))
	if book(r, kept).Find(token) == nil {
		t.Error("what is not signed unmakes the pass, or the same instant in another zone")
	}
	for what, ring := range map[string]*pass.Ring{
		"audience":                    newRing(t, "other", mine),
		"no audience":                 newRing(t, "", mine),
		"key":                         newRing(t, "shop", newKey(t, "k1")),
		"key of another id":           newRing(t, "shop", newKey(t, "k2")),
		"the same key of another id":  newRing(t, "shop", "k2"+strings.TrimPrefix(mine, "k1")),
		"a key that has an older one": newRing(t, "shop", newKey(t, "k1"), "k2"+strings.TrimPrefix(mine, "k1")),
	} {
		if book(ring, p).Find(token) != nil {
			t.Errorf("%s: with another one the pass is one", what)
		}
	}
}

func TestKeysAreRolledOver(t *testing.T) {
	older, newer := newKey(t, "2026-10"), newKey(t, "2026-11")
	p := record()
	token := newRing(t, "", older).Issue(&p).Pass
	both := newRing(t, "", newer, older)
	if book(both, p).Find(token) == nil {
		t.Error("a pass of the older key is none")
	}
	next := record()
	if both.Issue(&next); next.Key != "2026-11" {
		t.Errorf("it signs with %s, want the newest", next.Key)
	}
	alone := book(newRing(t, "", newer), p, next)
	if alone.Find(token) != nil {
		t.Error("a pass of a key that was taken away is one")
	}
	if got := alone.Unknown(); len(got) != 1 || got[0] != "2026-10" {
		t.Errorf("keys that are missing: %q", got)
	}
}

func TestExpiryIsMonotonicInTheClock(t *testing.T) {
	r := newRing(t, "", newKey(t, "k1"))
	early, late := record(), record()
	early.Expires = noon.Add(time.Hour)
	first, second := r.Issue(&early).Pass, r.Issue(&late).Pass
	passes := []state.Pass{late, early}
	followed := r.Book(passes, noon, nil)
	for _, at := range []time.Duration{0, time.Hour - time.Millisecond, time.Hour, 4*time.Hour - time.Nanosecond, 4 * time.Hour, 1000 * time.Hour} {
		now := noon.Add(at)
		fresh := r.Book(passes, now, followed)
		followed = followed.Live(now)
		for name, b := range map[string]*pass.Book{"made anew": fresh, "followed": followed} {
			if (b.Find(first) != nil) != (at < time.Hour) || (b.Find(second) != nil) != (at < 4*time.Hour) {
				t.Errorf("%s, after %s: the first is %v and the second %v", name, at, b.Find(first) != nil, b.Find(second) != nil)
			}
		}
	}
	if !followed.Next().IsZero() || !followed.Live(noon).Next().IsZero() || followed.Live(noon).Find(second) != nil {
		t.Error("a clock that is set back brings a pass back")
	}
	if got := r.Book(passes, noon, nil).Next(); !got.Equal(early.Expires) {
		t.Errorf("the next one expires at %s", got)
	}
}

// A book that is made anew knows what the one before has seen, and of a pass that means something else it knows nothing.
func TestWhatIsRememberedIsOfThatPass(t *testing.T) {
	r := newRing(t, "", newKey(t, "k1"))
	p := record()
	token := r.Issue(&p).Pass
	before := book(r, p)
	before.Find(token)
	p.Uses = 0
	if e := r.Book([]state.Pass{p}, noon, before).Find(token); e == nil || e.Pass.Uses != 0 {
		t.Errorf("a book that is made anew finds %+v", e)
	}
	p.Scope = ""
	if r.Book([]state.Pass{p}, noon, before).Find(token) != nil {
		t.Error("a pass that was remembered for something else is one")
	}
}

func TestABookOfNothing(t *testing.T) {
	r := newRing(t, "", newKey(t, "k1"))
	p := record()
	token := r.Issue(&p).Pass
	var none *pass.Book
	if r.Book(nil, noon, nil) != nil || none.Find(token) != nil || none.Live(noon) != nil || !none.Next().IsZero() || none.Unknown() != nil {
		t.Error("a nil book holds something")
	}
	for _, id := range []string{"p", "w" + p.ID[1:], p.ID[1:], p.ID + "A", ""} {
		odd := p
		odd.ID = id
		if r.Book([]state.Pass{odd}, noon, nil).Find(token) != nil {
			t.Errorf("a record of id %q has a pass", id)
		}
	}
}

// signature is what package doc.go says, worked out once more by hand: over a prefix and a secret, for the audience "shop".
func signature(t testing.TB, key, prefixAndSecret string, p *state.Pass) string {
	t.Helper()
	id, encoded, _ := strings.Cut(key, ":")
	secret, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	bound := sha256.New()
	for _, text := range []string{"recess bypass pass, version 1", "shop", p.ID, id, "alice", "checkout", "w1"} {
		bound.Write([]byte{0, 0, 0, 0, 0, 0, 0, byte(len(text))})
		bound.Write([]byte(text))
	}
	for _, at := range []time.Time{p.Occurrence, p.Expires} {
		ms := at.UnixMilli()
		for shift := 56; shift >= 0; shift -= 8 {
			bound.Write([]byte{byte(ms >> shift)})
		}
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(prefixAndSecret))
	mac.Write(bound.Sum(nil)[:25])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestTheSignatureIsThatOfTheDescription(t *testing.T) {
	key := newKey(t, "k1")
	p := record()
	tokens := newRing(t, "shop", key).Issue(&p)
	for _, token := range []string{tokens.Link, tokens.Pass} {
		if want := signature(t, key, token[:4]+token[28:54], &p); token[54:] != want {
			t.Errorf("%s: the signature is %s, want %s", token[:4], token[54:], want)
		}
	}
}

// Who has a key and has read the document can sign, and does not know the secret that the id is a hash of.
func TestAStolenKeyMakesNoPass(t *testing.T) {
	key := newKey(t, "k1")
	ring := newRing(t, "shop", key)
	p := record()
	ring.Issue(&p)
	for _, prefix := range []string{"rp1_", "rl1_"} {
		forged := prefix + p.ID[1:] + strings.Repeat("A", 26) + signature(t, key, prefix+strings.Repeat("A", 26), &p)
		if _, ok := ring.Exchange(forged, &p); ok || book(ring, p).Find(forged) != nil {
			t.Errorf("%s is good", forged)
		}
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	good := newKey(t, "k1")
	secret := strings.TrimPrefix(good, "k1:")
	for _, c := range []struct {
		name string
		keys []string
		says string
	}{
		{"none", nil, "0 keys: 1 to 16"},
		{"too many", make([]string, 17), "17 keys"},
		{"no id", []string{secret}, "key 1: write it as in id:base64url"},
		{"an empty id", []string{":" + secret}, "key 1: its id needs"},
		{"an id in capitals", []string{"K1:" + secret}, "key 1: its id needs"},
		{"the second is short", []string{good, "k2:" + secret[:40]}, "key 2: it has 30 bytes"},
		{"31 bytes", []string{"k1:" + encode(make([]byte, 31))}, "key 1: it has 31 bytes"},
		{"zeros", []string{"k1:" + encode(make([]byte, 32))}, "key 1: it is no random bytes"},
		{"words", []string{"k1:" + encode([]byte("correct horse battery staple, and a donkey"))}, "key 1: it is no random bytes"},
		{"hex digits", []string{"k1:" + encode([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))}, "key 1: it is no random bytes"},
		{"base64 of the other alphabet", []string{"k1:" + strings.Repeat("+/", 22)}, "not base64url"},
		{"a line break", []string{"k1:" + secret[:10] + "\n" + secret[10:]}, "not base64url"},
		{"spare bits", []string{"k1:" + secret[:42] + "B"}, "not base64url"},
		{"an id twice", []string{good, newKey(t, "k1")}, "key 2: another key has the same id"},
	} {
		_, err := pass.NewRing(c.keys, "")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.says)
			continue
		}
		for _, k := range c.keys {
			if len(k) > 8 && strings.Contains(err.Error(), k[len(k)-8:]) {
				t.Errorf("%s: the error shows a key: %v", c.name, err)
			}
		}
	}
	if _, err := pass.NewRing([]string{good}, "a\x00b"); err == nil {
		t.Error("an audience with a control character is taken")
	}
	if _, err := pass.NewRing([]string{" " + good + "=\t"}, ""); err != nil {
		t.Errorf("blanks around a key and padding: %v", err)
	}
	if _, err := pass.NewKey("K"); err == nil {
		t.Error("a key of an id that cannot be used is made")
	}
}

func TestWhatARequestCarries(t *testing.T) {
	for _, c := range []struct {
		name                           string
		authorization, header, cookies string
		want                           []string
	}{
		{"nothing", "", "", "", nil},
		{"a cookie", "", "", "__Host-recess=A", []string{"A"}},
		{"among others", "", "", "a=b; __Host-recess=A; c=d", []string{"A"}},
		{"without blanks", "", "", "a=b;__Host-recess=A;c=d", []string{"A"}},
		{"on a line of its own", "", "", "a=b, __Host-recess=A, c=d", []string{"A"}},
		{"several", "", "", "__Host-recess=A; __Host-recess=B", []string{"A", "B"}},
		{"too many", "", "", strings.Repeat("__Host-recess=A;", 9), []string{"A", "A", "A", "A"}},
		{"empty", "", "", "__Host-recess=; __Host-recess", []string{""}},
		{"another name's end", "", "", "x__Host-recess=A; y __Host-recess=B", nil},
		{"in a value", "", "", "x__Host-recess=__Host-recess=A; x=__Host-recess=B", nil},
		{"its own value", "", "", "__Host-recess=__Host-recess=A", []string{"__Host-recess=A"}},
		{"by case", "", "", "__host-recess=A; __HOST-RECESS=B", nil},
		{"blanks", "", "", " \t__Host-recess=A \t;\t__Host-recess=B", []string{"A", "B"}},
		{"authorization", "Recess A", "", "", []string{"A"}},
		{"authorization by case", "rEcEsS   A", "", "", []string{"A"}},
		{"another scheme", "Basic A", "", "", nil},
		{"a longer scheme", "Recessed A", "", "", nil},
		{"no scheme", "A", "", "", nil},
		{"the scheme alone", "Recess", "", "", nil},
		{"two lines", "Recess A, Basic B", "", "", []string{"A, Basic B"}},
		{"a header", "", "A", "", []string{"A"}},
		{"all", "Recess A", "B", "__Host-recess=C", []string{"A", "B", "C"}},
	} {
		carried := pass.CarriedBy(c.authorization, c.header, c.cookies)
		var got []string
		for token, ok := carried.Next(); ok; token, ok = carried.Next() {
			got = append(got, token)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if _, ok := carried.Next(); ok {
			t.Errorf("%s: it goes on after its end", c.name)
		}
	}
}
