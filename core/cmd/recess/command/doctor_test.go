package command_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// attended is a faulty backend that keeps its instances and its document in memory.
type attended struct {
	faulty
	*memstate.Backend
}

func (a *attended) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	return a.faulty.Next(ctx, since)
}

func (a *attended) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	a.set(func(f *faulty) {
		if f.lost && old == state.None { // it starts anew
			doc, _ := state.Read(ctx, a.Backend)
			old, f.lost = doc.Rev, false
		}
	})
	return a.Backend.Save(ctx, old, data)
}

func (a *attended) Close() error { return a.Backend.Close() }

func newAttended() *attended {
	a := &attended{Backend: memstate.New(memstate.Config{})}
	a.faulty.Backend = a.Backend
	return a
}

// runs runs a command on a backend and returns its exit code and all that it said.
func runs(t *testing.T, b state.Backend, args ...string) (int, string) {
	t.Helper()
	got := runWith(t.Context(), command.Options{Backend: b}, nil, "", args...)
	return got.code, got.out + got.err
}

func says(t *testing.T, what, text string, code, wantCode int, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("%s: exit code %d, want %d", what, code, wantCode)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

// TestALostStoreIsExplainedAndMended is fault F6 as an operator meets it, with services that remember.
func TestALostStoreIsExplainedAndMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAttended()
		engine, err := recess.New(t.Context(), recess.Config{Backend: b, Instance: "web-1"})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		time.Sleep(2 * time.Second) // it has announced that it follows
		code, text := runs(t, b, "doctor")
		says(t, "a doctor where all is well", text, code, 0, "ok       instances  1 follow the state", "  web-1.", ": valid\n")
		code, text = runs(t, b, "repair", "--from-instance")
		says(t, "a repair without a loss", text, code, 1, "no instance remembers a state that the backend has lost (1 have announced themselves)")

		if code, text := runs(t, b, "on"); code != 0 {
			t.Fatal(text)
		}
		synctest.Wait()
		b.set(func(f *faulty) { f.lost = true })
		time.Sleep(recess.DefaultPoll + 2*time.Second)
		code, text = runs(t, b, "doctor")
		says(t, "a doctor after the loss", text, code, 1,
			"note     document   there is none",
			"warning  instances  1 of 1 do not follow the state as it is now",
			"bad      memory     the backend has lost or rolled back the state: it has no document, and instance web-1.",
			"revision 1 (Maintenance is ON for the whole site: every request is refused)",
			`"recess repair --from-instance" writes it anew; "recess repair --off" opens the site.`,
			": stale, revision 1; ")
		code, text = runs(t, b, "repair", "--instance", "web-2")
		says(t, "a repair from nobody", text, code, 1, `no instance "web-2" has announced itself`)
		code, text = runs(t, b, "repair", "--instance", "web-1", "--reason", "power cut")
		says(t, "the repair", text, code, 0, "Maintenance is ON for the whole site", "The document was written anew")
		time.Sleep(recess.DefaultPoll + 2*time.Second)
		code, text = runs(t, b, "doctor")
		says(t, "a doctor after the repair", text, code, 0, "ok       document   revision 2", "ok       instances  1 follow the state")

		b.set(func(f *faulty) { f.lost = true })
		time.Sleep(recess.DefaultPoll + 2*time.Second)
		code, text = runs(t, b, "repair", "--off")
		says(t, "a repair that opens", text, code, 0, "Maintenance is OFF: the site is open.", "State: the application's own, revision 3.")
		time.Sleep(recess.DefaultPoll + 2*time.Second)
		if s := engine.Situation(); s.Active() || s.Follower.Phase != recess.Valid {
			t.Errorf("after it the engine is %s, active %v", s.Follower.Phase, s.Active())
		}
	})
}

func TestARepairWhereNobodyCanBeAskedSaysSo(t *testing.T) {
	b := struct{ state.Backend }{memstate.New(memstate.Config{})}
	code, text := runs(t, b, "repair", "--off")
	says(t, "a repair on a backend that keeps no instances", text, code, 0, "numbered by this machine's clock",
		"(recess: this backend does not keep which instances follow it).", "repeat this on a machine whose clock is right")
	code, text = runs(t, b, "repair", "--off", "--json")
	says(t, "the same in JSON", text, code, 0, `"unasked": "recess: this backend does not keep`)
}

func TestADoctorWhoCannotReadSaysWhyAndExitsWithFive(t *testing.T) {
	b := newAttended()
	b.set(func(f *faulty) { f.fail = errors.New("no route to host") })
	code, text := runs(t, b, "doctor")
	says(t, "the doctor", text, code, 5, "bad      reading    no route to host", "The services keep the last state they know")
	if strings.Contains(text, "instances") {
		t.Errorf("it went on:\n%s", text)
	}
}

func TestADoctorSaysWhoseClockIsWrong(t *testing.T) {
	b := memstate.New(memstate.Config{})
	defer b.Close()
	for id, offset := range map[string]string{"web-1": "-5200", "web-2": "90000", "web-3": "1999"} {
		said := `{"name":"` + id + `","follower":"valid","clock_offset_ms":` + offset + `}`
		if _, err := b.Announce(t.Context(), id, []byte(said), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	code, text := runs(t, b, "doctor")
	says(t, "the doctor", text, code, 0,
		"warning  clock      that of web-1 is 5 seconds behind the backend's", "begin and end there by so much too late",
		"warning  clock      that of web-2 is 90 seconds ahead of the backend's", "begin and end there by so much too early")
	if strings.Contains(text, "that of web-3") {
		t.Errorf("it complains of less than backends can tell:\n%s", text)
	}
	code, text = runs(t, b, "doctor", "--json")
	says(t, "the same in JSON", text, code, 0, `"clock_offset_ms": -5200`)
}

// prepared is a backend that has to be prepared.
type prepared struct {
	state.Backend
	err  error
	done int
}

func (p *prepared) Migrate(context.Context) error { p.done++; return p.err }

func TestMigratePreparesAStore(t *testing.T) {
	b := &prepared{Backend: memstate.New(memstate.Config{})}
	code, text := runs(t, b, "migrate")
	says(t, "migrate", text, code, 0, "the application's own is ready to keep the state.")
	if b.done != 1 {
		t.Errorf("it was prepared %d times", b.done)
	}
	b.err = errors.New("permission denied: ask for CREATE")
	code, text = runs(t, b, "migrate")
	says(t, "a migrate that fails", text, code, 5, "permission denied: ask for CREATE")
	code, text = runs(t, memstate.New(memstate.Config{}), "migrate", "--json")
	says(t, "a migrate that is not needed", text, code, 0, `"needed": false`)
}
