package pass_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

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
	seen := book(r, passes...)
	entry := seen.Find(token)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			entry.Forget()
			if seen.Find(token) == nil {
				b.Fatal("none")
			}
		}
	})
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

// BenchmarkRefuse asks in the manner of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017) whether
// the time of a refusal tells where a text differs from the pass: classes of texts are refused in a random order, and
// Welch's t-test compares each with the first. |t| above 10 on a quiet machine would be a leak. It is no gate: machines are
// not quiet.
func BenchmarkRefuse(b *testing.B) {
	r, passes, token := crowd(b, 1)
	other := newRing(b, "shop", newKey(b, "k1"))
	flip := func(at int) string { return token[:at] + string([]byte{token[at] ^ 1}) + token[at+1:] }
	seen := book(r, passes...)
	seen.Find(token)
	for when, whole := range map[string]*pass.Book{"unseen": book(r, passes...), "remembered": seen} {
		classes := []class{
			{name: "signature's-first-byte", book: whole, token: flip(54)},
			{name: "signature's-last-byte", book: whole, token: flip(96)},
			{name: "secret", book: whole, token: flip(40)},
		}
		if when == "unseen" {
			classes = append(classes, class{name: "key", book: book(other, passes...), token: token})
		}
		b.Run(when, func(b *testing.B) {
			order := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				classes[order.IntN(len(classes))].measure(b)
			}
			for i := range classes[1:] {
				b.ReportMetric(classes[0].welch(&classes[i+1]), "t:"+classes[i+1].name)
			}
		})
	}
}

// class is one kind of text that is no pass, and how long its refusals take.
type class struct {
	name            string
	book            *pass.Book
	token           string
	n, mean, spread float64 // Welford's running mean and sum of squares
}

func (c *class) measure(b *testing.B) {
	const calls, outlier = 32, 50_000 // at a time; nanoseconds: the machine did something else
	began := time.Now()
	for range calls {
		if c.book.Find(c.token) != nil {
			b.Fatal("it is one")
		}
	}
	took := float64(time.Since(began))
	if took > outlier {
		return
	}
	c.n++
	delta := took - c.mean
	c.mean += delta / c.n
	c.spread += delta * (took - c.mean)
}

func (c *class) welch(other *class) float64 {
	variance := func(c *class) float64 { return c.spread / (c.n - 1) / c.n }
	return (c.mean - other.mean) / math.Sqrt(variance(c)+variance(other))
}
