package blobstate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

// named is an error that has a store's own name, as the clients' errors do.
type named string

func (e named) Error() string     { return "the store says " + string(e) }
func (e named) ErrorCode() string { return string(e) }

// on returns a hook that answers the first n requests of a kind for a key with an error.
func on(request, key string, n int, err error) func(string, string) error {
	return func(r, k string) error {
		if r != request || k != key || n == 0 {
			return nil
		}
		n--
		return err
	}
}

func TestARequestThatWasRepeatedByTheClientIsNoConflict(t *testing.T) {
	for name, answer := range map[string]error{
		"the repetition was refused, since the first had succeeded": errThere,
		"the connection was cut while the store answered":           io.ErrUnexpectedEOF,
		"the store says that it failed, and has succeeded":          errors.New("500 internal error"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			b := f.open(t)
			saveUpTo(t, b, 2)
			f.hook(nil, on(put, key(3), 1, answer))
			save(t, b, read(t, b).Rev, text(3))
			wantText(t, f.open(t), text(3))
		})
	}
}

func TestARequestThatWasRepeatedAfterSomebodyElseSucceededIsAConflict(t *testing.T) {
	f := newFake()
	a, b := f.open(t), f.open(t)
	saveUpTo(t, a, 2)
	rev := read(t, a).Rev
	f.hook(func(request, k string) error {
		if request == put && k == key(3) {
			f.hook(nil, nil)
			save(t, b, rev, text(3)) // the very same document
			return io.ErrUnexpectedEOF
		}
		return nil
	}, nil)
	o, err := a.Save(t.Context(), rev, []byte(text(3)))
	wantConflict(t, outcome{o, err})
}

func TestAChangeThatDidNotReachTheStoreIsNoConflict(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 2)
	rev := read(t, b).Rev
	f.hook(on(put, key(3), 1, io.ErrUnexpectedEOF), nil)
	_, err := b.Save(t.Context(), rev, []byte(text(3)))
	wantOpen(t, outcome{"", err})
	wantText(t, b, text(2))
	save(t, b, rev, text(3))
}

func TestAnAnswerThatCannotBeFoundOutIsSaidToBeUnknown(t *testing.T) {
	for name, answer := range map[string]error{"no answer": io.ErrUnexpectedEOF, "it exists, says the store": errThere} {
		f := newFake()
		b := f.open(t)
		saveUpTo(t, b, 2)
		rev := read(t, b).Rev
		f.hook(on(head, key(3), 1, errDenied), on(put, key(3), 1, answer))
		_, err := b.Save(t.Context(), rev, []byte(text(3)))
		wantOpen(t, outcome{"", err})
		if err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("%s: %v", name, err)
		}
		wantText(t, b, text(3))
	}
}

func TestAnObjectThatWasThereAndIsGoneIsNoConflict(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 2)
	f.hook(on(put, key(3), 1, errThere), nil)
	_, err := b.Save(t.Context(), read(t, b).Rev, []byte(text(3)))
	wantOpen(t, outcome{"", err})
}

// TestARequestThatMayStillArriveIsSaidToBeUnknown: it was sent, was not answered, and has not made anything so far.
func TestARequestThatMayStillArriveIsSaidToBeUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		answer  error
		unknown bool
	}{
		"the connection broke":    {io.ErrUnexpectedEOF, true},
		"there was no connection": {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, false},
		"its name was not known":  {&net.DNSError{Err: "no such host", Name: "store.example"}, false},
	} {
		f := newFake()
		b := f.open(t)
		saveUpTo(t, b, 2)
		f.hook(on(put, key(3), 1, c.answer), nil)
		_, err := b.Save(t.Context(), read(t, b).Rev, []byte(text(3)))
		wantOpen(t, outcome{"", err})
		if unknown := err != nil && strings.Contains(err.Error(), "not known"); unknown != c.unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheFirstChangeIsNoBlindOne: while it is not known whether the store refuses what exists, who wrote last under the
// same name wins, and the other one must not be told that it did.
func TestTheFirstChangeIsNoBlindOne(t *testing.T) {
	store := newFake()
	store.careless = true
	looked, written := make(chan struct{}), make(chan struct{})
	views := []*fake{store.view(), store.view()}
	for i, f := range views {
		puts := 0
		f.before = func(request, _ string) error {
			if request != put {
				return nil
			}
			if puts++; puts > 1 {
				return errors.New("slow down") // the trial fails, which says nothing
			}
			if i == 1 {
				close(looked)
				<-written
			}
			return nil
		}
	}
	last, second := make(chan error, 1), views[1].open(t)
	go func() {
		_, err := second.Save(t.Context(), state.None, []byte(text(2)))
		last <- err
	}()
	<-looked
	views[0].after = func(request, _ string) error {
		if request == put {
			close(written)
			if err := <-last; err != nil {
				t.Errorf("who wrote last: %v", err)
			}
		}
		return nil
	}
	_, err := views[0].open(t).Save(t.Context(), state.None, []byte(text(1)))
	wantOpen(t, outcome{"", err})
	wantText(t, store.open(t), text(2))
}

func TestAStoreThatAsksForARepetitionGetsIt(t *testing.T) {
	for _, code := range []string{"ConditionalRequestConflict", "OperationAborted"} {
		for failures, succeeds := range map[int]bool{1: true, 2: true, 3: false} {
			f := newFake()
			b := f.open(t)
			saveUpTo(t, b, 2)
			f.hook(on(put, key(3), failures, named(code)), nil)
			_, err := b.Save(t.Context(), read(t, b).Rev, []byte(text(3)))
			if (err == nil) != succeeds || errors.Is(err, state.ErrConflict) {
				t.Errorf("%s, %d times: %v", code, failures, err)
			}
		}
	}
}

func TestAStoreThatPutsObjectsInThePlaceOfOthersIsRefused(t *testing.T) {
	f := newFake()
	f.careless = true
	b := f.open(t)
	for range 2 {
		_, err := b.Save(t.Context(), state.None, []byte(text(1)))
		wantOpen(t, outcome{"", err})
		if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(fmt.Sprint(err), "If-None-Match") {
			t.Errorf("Save: %v", err)
		}
		if keys := f.keys(); len(keys) != 0 {
			t.Errorf("the store holds %q", keys)
		}
	}
}

func TestAStoreThatKnowsNoConditionIsRefused(t *testing.T) {
	for _, err := range []error{errUnimplemented, named("NotImplemented")} {
		f := newFake()
		b := f.open(t)
		f.hook(on(put, key(1), 1, err), nil)
		_, err := b.Save(t.Context(), state.None, []byte(text(1)))
		if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(fmt.Sprint(err), "If-None-Match") {
			t.Errorf("Save: %v", err)
		}
	}
}

func TestTheConditionIsTriedOnceInABackendsLife(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.hook(func(request, _ string) error { // the first trial is not answered
		if request == put && f.counted(put) == 2 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}, nil)
	saveUpTo(t, b, 1)
	f.hook(nil, nil)
	saveUpTo(t, b, 6)
	if puts := f.counted(put); puts != 6+2 {
		t.Errorf("6 changes took %d requests to create", puts)
	}
}

func TestAChangeTakesFewRequests(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, blobstate.Kept+2)
	rev := read(t, b).Rev
	before := map[string]int{}
	for _, request := range []string{list, get, head, put, remove} {
		before[request] = f.counted(request)
	}
	save(t, b, rev, "one more")
	for request, want := range map[string]int{list: 2, get: 0, head: 0, put: 1, remove: 1} {
		if n := f.counted(request) - before[request]; n != want {
			t.Errorf("a change takes %d requests to %s, want %d", n, request, want)
		}
	}
}

func TestOldRevisionsAreRemovedTheOldestFirst(t *testing.T) {
	f := newFake()
	b := f.open(t)
	var removed []string
	f.hook(func(request, k string) error {
		if request == remove {
			removed = append(removed, k)
		}
		return nil
	}, nil)
	last := blobstate.Kept + 10
	saveUpTo(t, b, last)
	var want []string
	for n := 1; n <= 10; n++ {
		want = append(want, key(n))
	}
	if !slices.Equal(removed, want) {
		t.Errorf("removed were %q, want %q", removed, want)
	}
	if keys := f.keys(); len(keys) != blobstate.Kept || keys[0] != key(11) {
		t.Errorf("%d objects stay, from %s on", len(keys), keys[0])
	}
}

func TestAStoreThatForgetsNothingIsWrittenAllTheSame(t *testing.T) {
	f := newFake()
	b := f.open(t)
	keepFew(b)
	deny := func(request, _ string) error {
		if request == remove {
			return errDenied
		}
		return nil
	}
	f.hook(deny, nil)
	saveUpTo(t, b, 30)
	err := b.Prune(t.Context())
	if err == nil || !strings.Contains(err.Error(), "s3:DeleteObject") || !strings.Contains(err.Error(), key(1)) {
		t.Errorf("Prune: %v", err)
	}
	if keys := f.keys(); len(keys) != 30 {
		t.Errorf("the store holds %q", keys)
	}
	tries := f.counted(remove)
	saveUpTo(t, b, 31)
	if n := f.counted(remove) - tries; n != 1 {
		t.Errorf("after the first refusal, %d more were tried", n-1)
	}
	f.hook(nil, nil)
	saveUpTo(t, b, 32)
	if keys := f.keys(); len(keys) != 32-8 || keys[0] != key(9) {
		t.Errorf("a change leaves %q", keys)
	}
	if err := b.Prune(t.Context()); err != nil {
		t.Error(err)
	}
	if keys := f.keys(); len(keys) != few || keys[0] != key(32-few+1) {
		t.Errorf("Prune leaves %q", keys)
	}
}

func TestWhatOthersRemoveMeanwhileIsPassedOver(t *testing.T) {
	f := newFake()
	a, b := f.open(t), f.open(t)
	keepFew(a)
	saveUpTo(t, b, 20)
	f.hook(func(request, k string) error {
		if request == remove && k == key(1) {
			f.erase(key(1))
			f.erase(key(2))
		}
		return nil
	}, nil)
	if err := a.Prune(t.Context()); err != nil {
		t.Error(err)
	}
	if keys := f.keys(); len(keys) != few {
		t.Errorf("left are %q", keys)
	}
}

func TestAStoreThatHangsWhileItRemovesDoesNotKeepTheAnswerBack(t *testing.T) {
	f := newFake()
	b, err := blobstate.New(blob.NewBucket(f), blobstate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	keepFew(b)
	saveUpTo(t, b, few)
	hanging := &hanging{fake: f}
	slow, err := blobstate.New(blob.NewBucket(hanging), blobstate.Config{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	keepFew(slow)
	began := time.Now()
	rev, err := slow.Save(t.Context(), read(t, b).Rev, []byte(text(few+1)))
	if err != nil || rev == state.None {
		t.Errorf("Save: %q, %v", rev, err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	if !hanging.asked {
		t.Error("nothing was to be removed")
	}
}

// hanging is a store that never answers when it is to remove something.
type hanging struct {
	*fake
	asked bool
}

func (h *hanging) Delete(ctx context.Context, _ string, _ *driver.DeleteOptions) error {
	h.asked = true
	<-ctx.Done()
	return ctx.Err()
}

func TestTheHighestNumberIsTheEnd(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write("recess/rev-999999999999998.json", "the last but one")
	save(t, b, read(t, b).Rev, "the last")
	_, err := b.Save(t.Context(), read(t, b).Rev, []byte("one more"))
	wantOpen(t, outcome{"", err})
	wantText(t, b, "the last")
}

func TestAnObjectReplacedByHandAsSoonAsItWasCreatedIsRead(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 2)
	rev := read(t, b).Rev
	f.hook(nil, func(request, k string) error {
		if request == put && k == key(3) {
			f.write(key(3), "by hand!!!") // as many bytes
		}
		return nil
	})
	save(t, b, rev, text(3))
	wantText(t, b, "by hand!!!")
}
