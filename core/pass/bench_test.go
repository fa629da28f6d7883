package pass_test

import (
	"fmt"
	"testing"

	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// crowd is a book of n passes, and the token of one in its middle.
func crowd(tb testing.TB, n int) (*pass.Ring, []state.Pass, string) {
	tb.Helper()
	r := newRing(tb, "shop", newKey(tb, "k1"))
	var passes []state.Pass
	var token string
	for i := range n {
		p := record()
		issued := r.Issue(&p)
		passes = append(passes, p)
		if i == n/2 {
			token = issued.Pass
		}
	}
	return r, passes, token
}

func TestFindingAPassAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not comparable under the race detector")
	}
	r, passes, token := crowd(t, 100)
	seen, fresh := book(r, passes...), make([]*pass.Book, 200)
	seen.Find(token)
	for i := range fresh {
		fresh[i] = book(r, passes...)
	}
	i, forged := 0, token[:len(token)-1]+"!"
	for name, find := range map[string]func(){
		"remembered": func() { _ = seen.Find(token) },
		"the first time": func() {
			if fresh[i%len(fresh)].Find(token) == nil {
				t.Fatal("it is none")
			}
			i++
		},
		"forged": func() {
			if fresh[len(fresh)-1].Find(forged) != nil {
				t.Fatal("it is one")
			}
		},
		"in a request": func() {
			c := pass.CarriedBy("Bearer x", "", "a=b; __Host-recess=x; __Host-recess=y, c=d")
			for text, ok := c.Next(); ok; text, ok = c.Next() {
				_ = seen.Find(text)
			}
		},
	} {
		if got := testing.AllocsPerRun(100, find); got != 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}

// BenchmarkFind is target T5: 350 ns the first time, 40 ns once it is remembered.
func BenchmarkFind(b *testing.B) {
	r, passes, token := crowd(b, 100)
	b.Run("first", func(b *testing.B) {
		books := make([]*pass.Book, 4096)
		for i := range books {
			books[i] = book(r, passes[49:52]...)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if i%len(books) == 0 && i > 0 {
				b.StopTimer()
				for j := range books {
					books[j] = book(r, passes[49:52]...)
				}
				b.StartTimer()
			}
			if books[i%len(books)].Find(token) == nil {
				b.Fatal("none")
			}
		}
	})
	seen := book(r, passes...)
	seen.Find(token)
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if seen.Find(token) == nil {
				b.Fatal("none")
			}
		}
	})
}

// BenchmarkRefuse shows whether the time that a refusal takes depends on where a text differs from the pass, in the manner
// of dudect: the classes must not be told apart. It is no gate: machines are noisy.
func BenchmarkRefuse(b *testing.B) {
	r, passes, token := crowd(b, 1)
	other := newRing(b, "shop", newKey(b, "k1"))
	flip := func(at int) string { return token[:at] + string([]byte{token[at] ^ 1}) + token[at+1:] }
	unseen, seen := book(r, passes...), book(r, passes...)
	seen.Find(token)
	for _, when := range []struct {
		name string
		book *pass.Book
	}{{"unseen", unseen}, {"remembered", seen}} {
		for _, c := range []struct {
			name  string
			token string
			book  *pass.Book
		}{
			{"signature, first byte", flip(54), when.book},
			{"signature, last byte", flip(96), when.book},
			{"secret", flip(40), when.book},
			{"key", token, book(other, passes...)},
		} {
			b.Run(fmt.Sprintf("%s/%s", when.name, c.name), func(b *testing.B) {
				for b.Loop() {
					if c.book.Find(c.token) != nil {
						b.Fatal("it is one")
					}
				}
			})
		}
	}
}
