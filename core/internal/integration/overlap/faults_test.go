package overlap

import (
	"math/rand/v2"
	"time"

	"github.com/recess-go/recess/core"
)

// A fault is what befalls an instance in a cycle.
type fault struct {
	name   string                                    // "" if nothing does
	before func(s *site, victim *process)            // maintenance is turned on
	during func(s *site, victim *process, e event)   // it is on, and drains: with each document of that
	after  func(s *site, place int, victim *process) // maintenance was turned off
	lost   bool                                      // the drain does not get the victim
}

// shortly is how long an instance is frozen that is not lost.
const shortly = 3 * time.Second

var faults = []fault{
	// What holds a victim that is to be killed keeps it from being drained before.
	{name: "killed once maintenance is on", lost: true, before: (*site).hold, during: killAtOnce, after: startAgain},
	{name: "killed while it drains", lost: true, before: (*site).hold, during: killDraining, after: startAgain},
	{name: "frozen shortly", before: freeze, during: thawSoon, after: leaveIt},
	{name: "frozen shortly", before: freeze, during: thawSoon, after: leaveIt},
	{name: "frozen until it is lost", lost: true, before: freeze, during: watchIt, after: thaw},
}

// faultsInOrder deals the faults out to the cycles.
func faultsInOrder(random *rand.Rand) []fault {
	dealt := make([]fault, cycles)
	for n, cycle := range random.Perm(cycles) {
		dealt[cycle] = fault{before: spareIt, during: watchIt, after: leaveIt}
		if n < len(faults) {
			dealt[cycle] = faults[n]
		}
	}
	return dealt
}

func killAtOnce(s *site, victim *process, e event) {
	if e.Action == "on" {
		victim.kill(s.t)
	}
}

func killDraining(s *site, victim *process, e event) {
	if _, phase := e.phase(victim); phase == recess.Draining && victim.serves() {
		victim.kill(s.t)
	}
}

func freeze(s *site, victim *process) { victim.freeze(s.t) }

func thaw(s *site, _ int, victim *process) { victim.thaw(s.t) }

func thawSoon(s *site, victim *process, _ event) {
	if !victim.serves() && time.Since(victim.frozen) >= shortly {
		victim.thaw(s.t)
	}
}

func startAgain(s *site, place int, _ *process) { s.startAt(place) }

func spareIt(*site, *process)        {}
func watchIt(*site, *process, event) {}
func leaveIt(*site, int, *process)   {}
