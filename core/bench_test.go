package recess

import (
	"fmt"
	"testing"

	"github.com/recess-go/recess/core/state"
)

func BenchmarkOff(b *testing.B) {
	e := started(b, Config{})
	a := new(asked)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !admit(e, a) {
				b.Fatal("refused")
			}
		}
	})
}

// BenchmarkNamed is BenchmarkOff with requests that are named.
func BenchmarkNamed(b *testing.B) {
	e := started(b, Config{Policy: Policy{NameRequests: true}})
	a := &asked{route: "/users/:id"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !admit(e, a) {
				b.Fatal("refused")
			}
		}
	})
}

func BenchmarkRefused(b *testing.B) {
	e := started(b, Config{})
	on(b, e, Opening{})
	a := new(asked)
	b.ReportAllocs()
	for b.Loop() {
		if admit(e, a) {
			b.Fatal("passed")
		}
	}
}

// BenchmarkNothingMatches is target T4: the whole decision with many rules.
func BenchmarkNothingMatches(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var p Policy
			for i := range n {
				p.AllowPaths = append(p.AllowPaths, fmt.Sprintf("/open/%d/**", i))
				p.AllowNetworks = append(p.AllowNetworks, fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))
			}
			e := started(b, Config{Policy: p})
			on(b, e, Opening{})
			a := &asked{path: "/shop/cart", peer: "192.0.2.1:4711", host: "www.example"}
			b.ReportAllocs()
			for b.Loop() {
				if d := decide(e, a); !d.Refuse {
					b.Fatal("passed")
				}
			}
		})
	}
}

func BenchmarkFlip(b *testing.B) {
	e := started(b, Config{})
	c := e.Control(state.Actor{})
	for b.Loop() {
		if _, err := c.On(b.Context(), Opening{}); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Off(b.Context(), Ending{}); err != nil {
			b.Fatal(err)
		}
	}
}
