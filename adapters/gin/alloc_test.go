//go:build !race

package recessgin_test

import "testing"

// Under the race detector pools forget on purpose, and nothing can be said.
func TestAMarkedRouteCostsNoAllocation(t *testing.T) {
	off := testing.AllocsPerRun(1000, drive(marked(t, false)))
	on := testing.AllocsPerRun(1000, drive(marked(t, true)))
	if on != off {
		t.Errorf("a route that is forced off: %v allocations while a window runs, %v while none does", on, off)
	}
}
