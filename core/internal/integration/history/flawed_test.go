package history

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A flawed is a backend in memory with one flaw, which shows at every tenth or so of the calls that it concerns.
type flawed struct {
	flaw string

	mu           sync.Mutex
	doc, before  state.Doc
	saves, reads int
	shown        bool   // by a flaw that shows once
	late         []byte // a save whose writer was told that it is unknown
}

func (f *flawed) Close() error { return nil }

func (f *flawed) Next(context.Context, state.Rev) (state.Doc, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	switch {
	case f.flaw == "honest, but often cut off" && f.reads%7 == 0:
		return state.Doc{}, 0, errors.New("cut off")
	case f.flaw == "stale read" && f.reads%50 == 0:
		return f.before, 0, nil
	case f.flaw == "foreign document" && f.reads == 500:
		return state.Doc{Rev: "foreign", Data: document{1 << 40, 7}.encode()}, 0, nil
	case f.flaw == "half a document" && f.reads == 500:
		return state.Doc{Rev: f.doc.Rev, Data: f.doc.Data[:len(f.doc.Data)/2]}, 0, nil
	case f.flaw == "document gone" && f.saves > 300 && !f.shown:
		f.shown, f.doc = true, state.Doc{}
	case f.flaw == "rollback" && f.saves > 300 && !f.shown:
		f.shown, f.doc = true, f.before
	}
	return f.doc, 0, nil
}

func (f *flawed) Save(_ context.Context, old state.Rev, data []byte) (state.Rev, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doc.Rev != old {
		if f.flaw == "outdated save" && f.saves%10 == 0 {
			return f.put(data), nil
		}
		return "", state.ErrConflict
	}
	if f.flaw == "two winners" {
		f.mu.Unlock()
		runtime.Gosched()
		f.mu.Lock()
	}
	lucky := (f.saves+1)%10 == 0
	switch {
	case lucky && f.flaw == "lost write":
		f.saves++
		return "lost-" + f.rev(), nil
	case lucky && f.flaw == "conflict that won":
		f.put(data)
		return "", state.ErrConflict
	case lucky && f.flaw == "conflict without a winner":
		f.saves++
		return "", state.ErrConflict
	case lucky && f.flaw == "unknown that lands late":
		f.saves++
		f.late = data
		return "", errors.New("cut off")
	case lucky && f.flaw == "honest, but often cut off":
		if f.saves++; f.saves%20 != 0 {
			f.doc = state.Doc{Rev: f.rev(), Data: data}
		}
		return "", errors.New("cut off")
	}
	rev := f.put(data)
	if f.late != nil && f.saves%10 == 5 {
		f.put(f.late)
		f.late = nil
	}
	return rev, nil
}

func (f *flawed) put(data []byte) state.Rev {
	f.saves++
	f.before, f.doc = f.doc, state.Doc{Rev: f.rev(), Data: data}
	return f.doc.Rev
}

func (f *flawed) rev() state.Rev {
	if f.flaw == "revision used twice" {
		return state.Rev(strconv.Itoa(1 + f.saves%100))
	}
	return state.Rev(strconv.Itoa(f.saves))
}

// runFlawed returns what ten writers saw of a flawed backend.
func runFlawed(t *testing.T, flaw string) ([]operation, error) {
	t.Helper()
	backend := &flawed{flaw: flaw}
	backends := make([]state.Backend, 10)
	for i := range backends {
		backends[i] = backend
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return record(ctx, backends, 2000, nil)
}

// TestTheChecksCanFail: each flaw is found by our own check, and, where it is one of order, by porcupine too.
func TestTheChecksCanFail(t *testing.T) {
	for flaw, ofOrder := range map[string]bool{
		"lost write": true, "two winners": true, "stale read": true, "rollback": true, "document gone": true,
		"conflict that won": true, "conflict without a winner": true, "outdated save": true, "foreign document": true,
		"unknown that lands late": true, "revision used twice": false,
	} {
		t.Run(flaw, func(t *testing.T) {
			history, err := runFlawed(t, flaw)
			if err != nil {
				t.Fatal(err)
			}
			err = checkChain(history)
			if err == nil {
				t.Error("not found by the check of the chain")
			}
			t.Log(err)
			err = checkLinearizable(history, time.Minute)
			if ofOrder && err == nil {
				t.Error("not found by porcupine")
			}
			t.Log(err)
		})
	}
}

func TestADocumentThatMakesNoSenseIsFound(t *testing.T) {
	if _, err := runFlawed(t, "half a document"); err == nil {
		t.Error("not found")
	}
}

// TestTheChecksCanPass: what happens to an honest backend is no fault of it.
func TestTheChecksCanPass(t *testing.T) {
	for _, flaw := range []string{"", "honest, but often cut off"} {
		history, err := runFlawed(t, flaw)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkChain(history); err != nil {
			t.Errorf("%q: %v", flaw, err)
		}
		if err := checkLinearizable(history, time.Minute); err != nil {
			t.Errorf("%q: %v", flaw, err)
		}
	}
}

func TestARecordingThatCannotEndSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := record(ctx, []state.Backend{&flawed{}}, 10, nil); err == nil {
		t.Error("no error")
	}
}
