package blobstate_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

// A schedule lets many writers at one store, one request at a time, in an order that a seed decides: some writers are
// held up for as long as it takes the others to make and remove dozens of revisions.
type schedule struct {
	random  *rand.Rand
	waiting chan turn
	ended   chan struct{}
	slow    map[int]int // how many rounds a writer sits out
}

type turn struct {
	writer int
	goOn   chan struct{}
}

// hook makes a writer's requests wait for its turn.
func (s *schedule) hook(writer int) func(string, string) error {
	return func(string, string) error {
		t := turn{writer, make(chan struct{})}
		s.waiting <- t
		<-t.goOn
		return nil
	}
}

// run lets the writers take turns until all have ended. Between turns comes what meanwhile does.
func (s *schedule) run(writers int, meanwhile func()) {
	var parked []turn
	for alive := writers; ; {
		for len(parked) < alive {
			select {
			case t := <-s.waiting:
				parked = append(parked, t)
			case <-s.ended:
				alive--
			}
		}
		if alive == 0 {
			return
		}
		meanwhile()
		chosen := s.choose(parked)
		close(parked[chosen].goOn)
		parked = slices.Delete(parked, chosen, chosen+1)
	}
}

func (s *schedule) choose(parked []turn) int {
	slices.SortFunc(parked, func(a, b turn) int { return a.writer - b.writer })
	for range 20 {
		i := s.random.IntN(len(parked))
		writer := parked[i].writer
		switch {
		case s.slow[writer] > 0:
			s.slow[writer]--
			continue
		case s.random.IntN(40) == 0:
			s.slow[writer] = s.random.IntN(400)
			continue
		}
		return i
	}
	return s.random.IntN(len(parked))
}

// A history is what happened in one schedule. The store itself takes down which document was the newest at each request.
type history struct {
	t      *testing.T
	seed   uint64
	fake   *fake
	random *rand.Rand

	newest    string              // the newest document
	took      map[string]string   // which document each took the place of when it became the newest
	withdrawn map[string]struct{} // which were removed while they were the newest
	texts     map[string]string   // the document that was put under each key
	removed   map[string]struct{} // which are not there any more

	mu      sync.Mutex
	bases   map[string]string // the document that each document was made from
	answers map[string]error  // what Save returned for each document
}

func play(t *testing.T, seed uint64, keep int, hand func(*history)) *history {
	const writers = 6
	h := &history{
		t: t, seed: seed, fake: newFake(), random: rand.New(rand.NewPCG(seed, 1)),
		took: make(map[string]string), withdrawn: make(map[string]struct{}),
		texts: make(map[string]string), removed: make(map[string]struct{}),
		bases: make(map[string]string), answers: make(map[string]error),
	}
	h.fake.took = h.takeDown
	s := &schedule{random: h.random, waiting: make(chan turn), ended: make(chan struct{}), slow: make(map[int]int)}
	for w := range writers {
		view := h.fake.view()
		view.hook(s.hook(w), nil)
		backend := view.open(t)
		blobstate.Keep(backend, keep)
		go func() {
			defer func() { s.ended <- struct{}{} }()
			for n := range 12 {
				h.write(backend, fmt.Sprintf("%d by %d", n, w))
			}
		}()
	}
	s.run(writers, func() { hand(h) })
	return h
}

func nobody(*history) {}

// hand is an operator who does from time to time what one may do: create the next number, replace the newest, remove it,
// remove them all.
func hand(h *history) {
	if h.random.IntN(60) != 0 {
		return
	}
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	newest := h.fake.newestKey()
	var number int
	fmt.Sscanf(newest, "recess/rev-%d.json", &number)
	text := []byte(fmt.Sprintf("by hand %d", h.random.Int()))
	switch h.random.IntN(4) {
	case 0:
		h.fake.make(key(number+1), text, nil)
	case 1:
		h.fake.make(key(max(number, 1)), text, nil)
	case 2:
		delete(h.fake.objects, newest)
	case 3:
		clear(h.fake.objects)
	}
	h.takeDown("hand", "")
}

// takeDown is called with the store locked.
func (h *history) takeDown(request, key string) {
	if request == list || request == get || request == head {
		return
	}
	for k, text := range h.texts {
		if string(h.fake.objects[k].data) != text {
			h.removed[text] = struct{}{}
			delete(h.texts, k)
		}
	}
	if request == put {
		h.texts[key] = string(h.fake.objects[key].data)
	}
	before := h.newest
	h.newest = string(h.fake.objects[h.fake.newestKey()].data)
	if h.newest == before {
		return
	}
	if request == remove {
		h.withdrawn[before] = struct{}{}
	}
	if _, known := h.took[h.newest]; !known {
		h.took[h.newest] = before
	}
}

func (s *shelf) newestKey() string {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(s.objects)), func(k string) bool { return !strings.HasPrefix(k, "recess/rev-") })
	slices.Sort(keys)
	return slices.Concat([]string{""}, keys)[len(keys)]
}

// write reads the document, replaces it, and takes down what it was told.
func (h *history) write(b state.Backend, text string) {
	base, err := state.Read(h.t.Context(), b)
	if err != nil {
		h.t.Errorf("seed %d: read: %v", h.seed, err)
		return
	}
	_, err = b.Save(h.t.Context(), base.Rev, []byte(text))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bases[text], h.answers[text] = string(base.Data), err
}

// A tally counts answers.
type tally struct{ saved, conflicts, open int }

// judge asserts that what Save called saved became the newest document in the place of the one it was made from, and
// that what it called a conflict does not stay.
func (h *history) judge(sum *tally) {
	for text, err := range h.answers {
		before, newest := h.took[text]
		for range h.withdrawn { // what was taken back never counted
			if _, withdrawn := h.withdrawn[before]; withdrawn {
				before = h.took[before]
			}
		}
		_, removed := h.removed[text]
		switch {
		case err == nil:
			sum.saved++
			if !newest || before != h.bases[text] {
				h.t.Errorf("seed %d: %q was called saved over %q; newest: %v, over %q", h.seed, text, h.bases[text], newest, before)
			}
		case errors.Is(err, state.ErrConflict):
			sum.conflicts++
			if newest && !removed {
				h.t.Errorf("seed %d: %q was called a conflict, and was the newest", h.seed, text)
			}
		default:
			sum.open++
		}
	}
}

// Fault F12, against an oracle.
func TestNoScheduleOfWritersLosesOrInventsAChange(t *testing.T) {
	var sum tally
	for seed := range uint64(150) {
		h := play(t, seed, 3, nobody)
		h.judge(&sum)
		if len(h.withdrawn) != 0 {
			t.Errorf("seed %d: %v was taken back", seed, h.withdrawn)
		}
		for text, err := range h.answers {
			if _, newest := h.took[text]; newest && errors.Is(err, state.ErrConflict) {
				t.Errorf("seed %d: %q was called a conflict, and was the newest", seed, text)
			}
		}
	}
	t.Logf("%+v", sum)
	if sum.saved < 2000 || sum.conflicts < 2000 || sum.open == 0 || sum.open > sum.saved/10 {
		t.Errorf("the schedules do not try what they should: %+v", sum)
	}
}

func TestNoScheduleOfWritersAndAHandInventsAChange(t *testing.T) {
	var sum tally
	withdrawn := 0
	for seed := range uint64(150) {
		h := play(t, seed, blobstate.Kept, hand)
		h.judge(&sum)
		withdrawn += len(h.withdrawn)
	}
	t.Logf("%+v, %d taken back", sum, withdrawn)
	if sum.saved < 2000 || sum.conflicts < 2000 || withdrawn == 0 {
		t.Errorf("the schedules do not try what they should: %+v, %d taken back", sum, withdrawn)
	}
}
