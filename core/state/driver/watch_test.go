package driver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func TestAllWaitersShareOneWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		first := f.put(1)
		answers := waiters(t.Context(), b, first.Rev, 10)
		synctest.Wait()
		wantTimes(t, f, "watch", 1)
		wantTimes(t, f, "read", 10)
		second := f.put(2)
		f.tell(second, nil)
		for range 10 {
			wantRev(t, <-answers, second.Rev)
		}
		wantTimes(t, f, "read", 10) // the document came with the message
	})
}

func TestItSubscribesThenReadsThenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		f.onWatch = func(context.Context) error { time.Sleep(probe / 2); return nil }
		answers := waiters(t.Context(), b, rev, 1)
		synctest.Wait()
		if log := f.since(0); log != "watch" {
			t.Errorf("before the subscription was confirmed: %s", log)
		}
		time.Sleep(probe / 2)
		synctest.Wait()
		if log := f.since(0); log != "watch read" {
			t.Errorf("afterwards: %s", log)
		}
		idle(t, answers)
	})
}

// TestAChangeInTheMomentBetweenLookAndWaitIsSeen is for each thing that can be told in that moment.
func TestAChangeInTheMomentBetweenLookAndWaitIsSeen(t *testing.T) {
	for name, tell := range map[string]func(f *fake, second state.Doc){
		"the document":                      func(f *fake, second state.Doc) { f.tell(second, nil) },
		"a hint":                            func(f *fake, _ state.Doc) { f.tell(state.Doc{}, nil) },
		"the document, then the old one":    func(f *fake, second state.Doc) { f.tell(second, nil); f.tell(numbered(1), nil) },
		"the document, then a bare hint":    func(f *fake, second state.Doc) { f.tell(second, nil); f.tell(state.Doc{}, nil) },
		"the old one, then the document":    func(f *fake, second state.Doc) { f.tell(numbered(1), nil); f.tell(second, nil) },
		"an older one, which makes it look": func(f *fake, _ state.Doc) { f.tell(numbered(0), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				b := over(t, f)
				rev := f.put(1).Rev
				var second state.Doc
				f.onRead = func(context.Context) error {
					if second.Rev == state.None {
						second = f.put(2)
						tell(f, second)
						synctest.Wait() // the watch has told, before the waiter waits
					}
					return nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), probe/2)
				defer cancel()
				wantRev(t, next(ctx, b, rev), second.Rev)
			})
		})
	}
}

func TestWhatIsToldIsReturnedOnlyIfItIsNewer(t *testing.T) {
	for _, c := range []struct {
		name  string
		tell  state.Doc
		reads int // beyond the first look
	}{
		{"the very document", numbered(5), 0},
		{"an older one", numbered(4), 1},
		{"nothing but that there was a change", state.Doc{}, 1},
		{"another document of the same number", state.Doc{Rev: driver.Numbered(5, []byte("other")), Data: []byte("other")}, 1},
		{"one whose revision has no number", state.Doc{Rev: "9", Data: []byte("9")}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				b := over(t, f)
				answers := waiters(t.Context(), b, f.put(5).Rev, 1)
				for range 3 {
					synctest.Wait()
					f.tell(c.tell, nil)
				}
				synctest.Wait()
				idle(t, answers)
				wantTimes(t, f, "read", 1+3*c.reads)
				wantTimes(t, f, "watch", 1)
			})
		})
	}
}

// TestWhatWasToldJustNowIsNotReadAgain, once: a fleet that was told of a change would otherwise read it all at once.
func TestWhatWasToldJustNowIsNotReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(f *fake) // between the telling and the next call
		reads     int           // of that call
		tell      state.Doc     // then
		want      state.Rev
	}{
		"at once":                          {func(*fake) {}, 0, numbered(3), numbered(3).Rev},
		"a moment later":                   {func(*fake) { time.Sleep(99 * time.Millisecond) }, 0, numbered(3), numbered(3).Rev},
		"another change was told":          {func(f *fake) { f.tell(f.put(3), nil); synctest.Wait() }, 1, state.Doc{}, numbered(3).Rev},
		"a change was told without it":     {func(f *fake) { f.put(3); f.tell(state.Doc{}, nil); synctest.Wait() }, 1, state.Doc{}, numbered(3).Rev},
		"a change was missed, and time is": {func(f *fake) { f.put(3); time.Sleep(100 * time.Millisecond) }, 1, state.Doc{}, numbered(3).Rev},
		"the watch was lost":               {func(f *fake) { f.put(3); f.tell(state.Doc{}, errors.New("lost")); synctest.Wait() }, 1, state.Doc{}, numbered(3).Rev},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				b := over(t, f)
				answers := waiters(t.Context(), b, f.put(1).Rev, 1)
				synctest.Wait()
				second := f.put(2)
				f.tell(second, nil)
				wantRev(t, <-answers, second.Rev)
				before := f.times("read")
				c.meanwhile(f)
				answers = waiters(t.Context(), b, second.Rev, 1)
				synctest.Wait()
				wantTimes(t, f, "read", before+c.reads)
				if c.tell.Rev != state.None {
					idle(t, answers)
					f.tell(c.tell, nil)
				}
				wantRev(t, <-answers, c.want)
			})
		})
	}
}

// TestAMissedChangeIsFoundByTheNextCall, if not by the one that was spared its look.
func TestAMissedChangeIsFoundByTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		answers := waiters(t.Context(), b, f.put(1).Rev, 1)
		synctest.Wait()
		second := f.put(2)
		f.tell(second, nil)
		wantRev(t, <-answers, second.Rev)
		third := f.put(3) // of which nobody tells
		interval, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, next(interval, b, second.Rev), state.ErrUnchanged, "")
		wantRev(t, next(t.Context(), b, second.Rev), third.Rev)
	})
}

func TestAStoreThatCountsFromOneAgainIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		answers := waiters(t.Context(), b, f.put(41).Rev, 1)
		synctest.Wait()
		f.tell(f.put(1), nil)
		wantRev(t, <-answers, numbered(1).Rev)
	})
}

func TestASilentWatchIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		answers := waiters(t.Context(), b, f.put(1).Rev, 1)
		time.Sleep(10*probe + 1)
		synctest.Wait()
		idle(t, answers)
		wantTimes(t, f, "ping", 10)
		wantTimes(t, f, "read", 1) // a sign of life is no look
	})
}

func TestAWatchThatTellsNeedsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		f.onPing = func(context.Context) error { return errors.New("nobody asked me") }
		answers := waiters(t.Context(), b, f.put(1).Rev, 1)
		for range 20 {
			time.Sleep(probe - 1)
			f.tell(numbered(1), nil)
		}
		synctest.Wait()
		idle(t, answers)
	})
}

func TestAChangeDuringTheSignOfLifeIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		f.onPing = func(context.Context) error { f.tell(f.put(2), nil); return nil }
		wantRev(t, next(t.Context(), b, f.put(1).Rev), numbered(2).Rev)
	})
}

func TestALostWatchIsAnErrorForAllWaiters(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for _, c := range []struct {
		name string
		ping func(ctx context.Context) error
		tell error
		says string
		took time.Duration
	}{
		{"the connection breaks", nil, reset, "fakestate: next: the watch was lost: connection reset by peer", 0},
		{"the sign of life fails", func(context.Context) error { return reset }, nil, "it gave no sign of life: connection reset", probe},
		{
			"no sign of life comes", func(ctx context.Context) error { _ = hang(ctx); return reset }, nil,
			"fakestate: next: the watch was lost: it gave no sign of life: ", 2 * probe,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{onPing: c.ping}
				b := over(t, f)
				rev := f.put(1).Rev
				answers := waiters(t.Context(), b, rev, 5)
				synctest.Wait()
				if c.tell != nil {
					f.tell(state.Doc{}, c.tell)
				}
				for range 5 {
					a := <-answers
					wantErr(t, a, reset, c.says)
					if errors.Is(a.err, state.ErrUnchanged) || a.took != c.took {
						t.Errorf("after %v: %v", a.took, a.err)
					}
				}
				synctest.Wait()
				if f.watching() != 0 {
					t.Error("the lost watch was not closed")
				}
				f.onPing = nil
				answers = waiters(t.Context(), b, rev, 5)
				synctest.Wait()
				idle(t, answers)
				wantTimes(t, f, "watch", 2)
				f.tell(f.put(2), nil)
				wantRev(t, <-answers, numbered(2).Rev)
			})
		})
	}
}

// TestAWatchLostBetweenLookAndWaitIsAnErrorToo: or the waiter would poll, for nobody knows how long, although another
// watch can be had at once.
func TestAWatchLostBetweenLookAndWaitIsAnErrorToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		reset := errors.New("connection reset by peer")
		f.onRead = func(context.Context) error { f.tell(state.Doc{}, reset); synctest.Wait(); return nil }
		a := next(t.Context(), b, rev)
		wantErr(t, a, reset, "the watch was lost")
		if errors.Is(a.err, state.ErrUnchanged) {
			t.Errorf("it says that nothing is wrong: %v", a.err)
		}
	})
}

func TestWhatCannotBeWatchedIsPolledEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		refused := errors.New("no permission to subscribe")
		f.onWatch = func(context.Context) error { return refused }
		for n, most := range []time.Duration{probe, 2 * probe, 4 * probe, 8 * probe, 8 * probe, 8 * probe} {
			a := next(t.Context(), b, rev)
			wantErr(t, a, refused, "fakestate: next: the document is unchanged; it is polled, since it could not be watched: no perm")
			wantErr(t, a, state.ErrUnchanged, "")
			if a.retry < most/2 || a.retry > most || a.took != 0 {
				t.Errorf("failure %d: asked to wait %v after %v, want %v to %v after none", n+1, a.retry, a.took, most/2, most)
			}
			wantTimes(t, f, "watch", n+1)
			// Who asks before the time gets a look and the same reason, and no attempt is made.
			time.Sleep(a.retry / 2)
			early := next(t.Context(), b, rev)
			wantErr(t, early, refused, "polled")
			if early.retry <= 0 || early.retry > a.retry/2+1 {
				t.Errorf("failure %d: half way through %v it asks for %v more", n+1, a.retry, early.retry)
			}
			wantTimes(t, f, "watch", n+1)
			time.Sleep(early.retry)
		}
		wantTimes(t, f, "read", 12)

		f.onWatch = nil // what was missing is there
		answers := waiters(t.Context(), b, rev, 1)
		synctest.Wait()
		idle(t, answers)
		f.onWatch = func(context.Context) error { return refused }
		f.tell(state.Doc{}, errors.New("lost"))
		<-answers
		if a := next(t.Context(), b, rev); a.retry > probe {
			t.Errorf("the first failure after a watch asks for %v, more than %v", a.retry, probe)
		}
	})
}

func TestAChangeIsSeenAlthoughNothingCanBeWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{onWatch: func(context.Context) error { return errors.New("refused") }}
		b := over(t, f)
		rev := f.put(1).Rev
		wantErr(t, next(t.Context(), b, rev), state.ErrUnchanged, "refused")
		second := f.put(2)
		wantRev(t, next(t.Context(), b, rev), second.Rev)
	})
}

func TestWhatWillNeverBeWatchedIsPolledForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		f.onWatch = func(context.Context) error {
			return fmt.Errorf("%w: a pooler stands before the server", driver.ErrNoWatch)
		}
		for range 5 {
			a := next(t.Context(), b, rev)
			wantErr(t, a, driver.ErrNoWatch, "it is polled: this store cannot be watched: a pooler")
			wantErr(t, a, state.ErrUnchanged, "")
			if a.retry != 0 {
				t.Errorf("it asks for %v: when to poll is the caller's to say", a.retry)
			}
			time.Sleep(time.Hour)
		}
		wantTimes(t, f, "watch", 1)
		wantTimes(t, f, "read", 5)
	})
}

func TestAStoreWithoutAWatchIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, polled{f})
		rev := f.put(1).Rev
		a := next(t.Context(), b, rev)
		if a.err != state.ErrUnchanged || a.retry != 0 || a.took != 0 { //nolint:errorlint // nothing is to be said of it
			t.Errorf("got %v, %v after %v", a.err, a.retry, a.took)
		}
		if log := f.since(0); log != "read" {
			t.Errorf("the store was asked: %s", log)
		}
	})
}

func TestAWatchThatNobodyWaitsOnEnds(t *testing.T) {
	for name, busy := range map[string]bool{"in silence": false, "while changes come": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				b := over(t, f)
				rev := f.put(1).Rev
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				wantErr(t, next(short, b, rev), state.ErrUnchanged, "")
				for range int(2*probe/time.Second) + 1 {
					if f.watching() == 1 && busy {
						f.tell(state.Doc{}, nil)
					}
					time.Sleep(time.Second)
				}
				synctest.Wait()
				if f.watching() != 0 {
					t.Error("it is still watched")
				}
				wantTimes(t, f, "unwatch", 1)

				answers := waiters(t.Context(), b, rev, 1)
				synctest.Wait()
				wantTimes(t, f, "watch", 2)
				f.tell(f.put(2), nil)
				wantRev(t, <-answers, numbered(2).Rev)
			})
		})
	}
}

func TestAWatchLivesThroughTheGapsBetweenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		for range 20 {
			short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			wantErr(t, next(short, b, rev), state.ErrUnchanged, "")
			cancel()
			for range 5 {
				f.tell(numbered(1), nil)
				time.Sleep((probe - 1) / 5)
			}
		}
		wantTimes(t, f, "watch", 1)
	})
}

func TestASlowSubscriptionDoesNotKeepAnybodyFromLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		confirm := make(chan struct{})
		f.onWatch = func(context.Context) error { <-confirm; return nil }

		f.put(2)
		for _, c := range []struct{ within, took time.Duration }{{time.Hour, probe}, {time.Second, time.Second / 2}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			a := next(ctx, b, rev)
			cancel()
			wantRev(t, a, numbered(2).Rev)
			if a.took != c.took {
				t.Errorf("a caller with %v was kept for %v, want %v", c.within, a.took, c.took)
			}
		}
		if got := f.since(0); got != "watch read read" {
			t.Errorf("the store was asked: %s", got)
		}

		// What changes after the look is seen as soon as the subscription is confirmed, although nothing tells of it.
		answers := waiters(t.Context(), b, numbered(2).Rev, 1)
		time.Sleep(probe + 1)
		f.put(3)
		synctest.Wait()
		idle(t, answers)
		close(confirm)
		wantRev(t, <-answers, numbered(3).Rev)
	})
}

func TestASubscriptionThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{onWatch: hang}
		b := over(t, f)
		a := next(t.Context(), b, f.put(1).Rev)
		wantErr(t, a, state.ErrUnchanged, "it could not be watched: no answer within 4s: context deadline exceeded: the connection was closed")
		if a.took != timeout || a.retry <= 0 {
			t.Errorf("after %v it asks for %v", a.took, a.retry)
		}
	})
}

// TestASubscriptionOutlivesItsContext finds a store out whose watch hangs on the context of the subscribing: at once,
// and not after the time limit.
func TestASubscriptionOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		var subscribing context.Context
		f.onWatch = func(ctx context.Context) error { subscribing = ctx; return ctx.Err() }
		answers := waiters(t.Context(), b, f.put(1).Rev, 1)
		synctest.Wait()
		if subscribing.Err() == nil {
			t.Error("the context of the subscribing goes on")
		}
		time.Sleep(10 * timeout)
		idle(t, answers)
	})
}
