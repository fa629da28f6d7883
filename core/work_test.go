package recess

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// begun is a request that was let in and runs; it ends with its End.
func begun(t testing.TB, e *Engine, a *asked) *Ticket {
	t.Helper()
	ticket := e.Begin()
	if !ticket.Open() && !ticket.Admit(a) {
		t.Fatalf("%s is refused", a.Path())
	}
	return &ticket
}

// named is a policy under which requests have names.
var named = Policy{NameRequests: true}

// named lists all that is entered.
func (e *Engine) named() (names []string) {
	for i := range e.inflight.stripes {
		e.inflight.stripes[i].named.each(func(name string, _ int64, _ uint32) { names = append(names, name) })
	}
	slices.Sort(names)
	return names
}

// closes opens a window over the site, and returns when all engines know.
func (c *crew) closes(t *testing.T) {
	t.Helper()
	c.on(t)
	synctest.Wait()
}

// says is what an engine would announce now.
func (e *Engine) says() string { return fmt.Sprint(e.report().Oldest) }

// announced is what the first of a fleet has announced last, without the ages.
func (c *crew) announced(t *testing.T) string {
	t.Helper()
	time.Sleep(heartbeat)
	synctest.Wait()
	var names []string
	for _, w := range fleetOf(t, c.members[0])[0].Oldest {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

func TestAnInstanceThatDrainsNamesWhatIsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{NameRequests: true, AllowPaths: []string{"/open"}})
		e := c.engines[0]
		var running []*Ticket
		for n, a := range []*asked{
			{method: "GET", path: "/reports/4711", route: "/reports/:id"},
			{method: "POST", path: "/import", route: "/import"},
			{path: "/nowhere"},
			{method: "BREW", path: "/pot", route: "/pot"},
			{path: "/a", route: "/a"},
			{path: "/b", route: "/b"},
			{path: "/c", route: "/c"},
		} {
			running = append(running, begun(t, e, a))
			time.Sleep(time.Duration(10-n) * time.Second)
		}
		if got := c.announced(t); got != "" {
			t.Errorf("while the site is open it names %s", got)
		}
		c.closes(t)
		let := begun(t, e, &asked{path: "/open", route: "/open"})
		defer let.End()
		time.Sleep(announceSpacing)
		if got := e.says(); got != "[GET /reports/:id for 1m0s POST /import for 50s GET (no route) for 41s (other method) /pot for 33s GET /a for 26s]" {
			t.Errorf("it names %s", got)
		}
		if got := c.announced(t); got != "GET /reports/:id, POST /import, GET (no route), (other method) /pot, GET /a" {
			t.Errorf("it announces %s", got)
		}
		running[0].End()
		running[3].End()
		if got := e.says(); got != "[POST /import for 1m0s GET (no route) for 51s GET /a for 36s GET /b for 30s GET /c for 25s]" {
			t.Errorf("after two have ended it names %s", got)
		}
		time.Sleep(announceSpacing)
		_, err := c.drain(t, 2*time.Second)
		if err == nil || !strings.Contains(err.Error(), "has 5 requests to finish, the oldest: POST /import for 1m2s, GET (no route) for 53s, ") {
			t.Errorf("the drain ends with %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "RECESS_NAME_REQUESTS") {
			t.Errorf("%q says how to name what has names", err)
		}
		for _, n := range []int{1, 2, 4, 5, 6} {
			running[n].End()
		}
		if phases, err := c.drain(t, time.Minute); err != nil || phases != "drained" {
			t.Errorf("%s: %v", phases, err)
		}
		if got := c.announced(t); got != "" {
			t.Errorf("once it is drained it names %s", got)
		}
		if got := e.named(); len(got) != 1 || got[0] != "GET /open" {
			t.Errorf("one request runs, and %q are entered", got)
		}
	})
}

// TestOnlyWhatIsWaitedForIsNamed: of two requests one is from before, and it is still being decided.
func TestOnlyWhatIsWaitedForIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{NameRequests: true, AllowPaths: []string{"/open"}}, Policy{AllowPaths: []string{"/open"}})
		undecided := c.engines[0].Begin()
		defer undecided.End()
		c.closes(t)
		for _, e := range c.engines {
			defer begun(t, e, &asked{path: "/open", route: "/open"}).End()
		}
		if said := c.engines[0].report(); said.Earlier != 1 || len(said.Oldest) > 0 || len(c.engines[0].named()) != 1 {
			t.Errorf("of %d requests from before it names %v", said.Earlier, said.Oldest)
		}
		if got := c.engines[1].named(); len(got) > 0 {
			t.Errorf("nobody asked for names, and %q are entered", got)
		}
	})
}

// TestTheAgesOfADrainGrow: an instance tells them at its heartbeats only.
func TestTheAgesOfADrainGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, named)
		late := begun(t, c.engines[0], &asked{route: "/late"})
		defer late.End()
		began := time.Now()
		time.Sleep(time.Minute)
		c.on(t)
		time.Sleep(announceSpacing)
		if _, err := c.drain(t, time.Minute); err == nil {
			t.Fatal("it is drained")
		}
		drained := time.Now()
		last := c.told[len(c.told)-1].Instances[0].Oldest[0].Age
		if age := drained.Sub(began).Milliseconds(); last > age || last < age-int64(drainPollLast/time.Millisecond) {
			t.Errorf("it is told to be %d ms old, and is %d", last, age)
		}
		for n := 1; n < len(c.told); n++ {
			before, after := c.told[n-1].Instances[0].Oldest[0].Age, c.told[n].Instances[0].Oldest[0].Age
			if after <= before {
				t.Errorf("look %d: it was %d ms old, and is %d", n, before, after)
			}
		}
	})
}

func TestStreamsAndJobsHaveNamesWhateverThePolicy(t *testing.T) {
	for name, policy := range map[string]Policy{"requests have none": {AllowPaths: []string{"/open"}}, "requests have names": {NameRequests: true, AllowPaths: []string{"/open"}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrew(t, policy)
				e := c.engines[0]
				events := stream(t, e, &asked{path: "/events/1", route: "/events/:topic"})
				socket := stream(t, e, &asked{path: "/socket", route: "/socket"})
				linger := Linger(socket.Context())
				socket.end()
				let := stream(t, e, &asked{path: "/open", route: "/open"}) // it goes on, and is counted by its ticket
				gone := stream(t, e, &asked{path: "/open", route: "/gone"})
				stays := Linger(gone.Context()) // it goes on too, and nobody waits for it
				gone.end()
				time.Sleep(time.Minute)
				job, err := e.Enter(WithJobName(t.Context(), "invoices\x1b[31m"))
				if err != nil {
					t.Fatal(err)
				}
				other, err := e.TryEnter()
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				c.closes(t)
				said := e.report()
				slices.SortFunc(said.Oldest, func(a, b Work) int { return strings.Compare(a.Name, b.Name) })
				const want = "[GET /events/:topic for 2m0s GET /open for 2m0s GET /socket for 2m0s a job for 1m0s job invoices\uFFFD[31m for 1m0s]"
				if got := fmt.Sprint(said.Oldest); got != want {
					t.Errorf("it names %q, want %q", got, want)
				}
				if said.Earlier != 5 {
					t.Errorf("%d are counted, and 5 named", said.Earlier)
				}
				events.end()
				job.End()
				other.End()
				let.end()
				if got := c.announced(t); got != "GET /socket" {
					t.Errorf("after most have ended it names %s", got)
				}
				linger()
				if phases, err := c.drain(t, time.Minute); err != nil || phases != "drained" {
					t.Errorf("%s: %v", phases, err)
				}
				stays()
				if got := e.named(); len(got) != 0 {
					t.Errorf("%q are entered after all have ended", got)
				}
			})
		})
	}
}

func TestWhereRequestsHaveNoNamesItIsSaidOnceHowTheyGetThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{}, named)
		for _, e := range c.engines {
			defer begun(t, e, &asked{route: "/slow"}).End()
		}
		c.on(t)
		time.Sleep(announceSpacing)
		_, err := c.drain(t, time.Minute)
		if err == nil || strings.Count(err.Error(), "to finish;") != 2 || strings.Count(err.Error(), "the oldest: GET /slow for 1m1s") != 1 {
			t.Fatalf("the drain ends with %v", err)
		}
		if !strings.HasSuffix(err.Error(), ". "+howToName) || strings.Count(err.Error(), "RECESS_NAME_REQUESTS") != 1 {
			t.Errorf("%q does not say once, at its end, how to name requests", err)
		}
	})
}

func TestNamesAreTakenOutHoweverARequestEnds(t *testing.T) {
	e := started(t, Config{Policy: named})
	for name, end := range map[string]func(){
		"return": func() {}, "panic": func() { panic("a handler") }, "Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					defer func() { _ = recover() }()
					ticket := e.Begin()
					defer ticket.End()
					if ticket.Open() || !ticket.Admit(&asked{route: "/x"}) || len(e.named()) == 0 {
						t.Error("it has no name")
					}
					end()
				})
			}
			wg.Wait()
			if got, n := e.named(), e.Counts().InFlight; len(got) != 0 || n != 0 {
				t.Errorf("%q are entered, and %d counted", got, n)
			}
		})
	}
	refused := closedEngine(t, named)
	ticket := refused.Begin()
	if ticket.Admit(&asked{route: "/x"}) || len(refused.named()) != 0 {
		t.Errorf("what is refused is let in, or entered: %q", refused.named())
	}
	ticket.End()
}

// TestARequestThatWasHeldIsAsOldAsItRuns: while it waits nobody waits for it.
func TestARequestThatWasHeldIsAsOldAsItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, named)
		e := c.engines[0]
		on(t, e, Opening{Hold: time.Minute})
		goOn := make(chan struct{})
		go func() {
			ticket := e.Begin()
			defer ticket.End()
			if !ticket.Admit(&asked{route: "/held"}) {
				t.Error("it is refused")
			}
			<-goOn
		}()
		synctest.Wait()
		if got := e.named(); len(got) != 0 {
			t.Errorf("while it waits %q are entered", got)
		}
		time.Sleep(30 * time.Second)
		off(t, e)
		time.Sleep(10 * time.Second)
		c.closes(t)
		if got := e.says(); got != "[GET /held for 10s]" {
			t.Errorf("it names %s", got)
		}
		close(goOn)
		synctest.Wait()
		if got := e.named(); len(got) != 0 {
			t.Errorf("after it has ended %q are entered", got)
		}
	})
}

// TestNamingDecidesNothing: while nothing runs a request is asked for its route, and for nothing else.
func TestNamingDecidesNothing(t *testing.T) {
	e := started(t, Config{Policy: Policy{NameRequests: true, AllowStaff: true}})
	a := &asked{
		route: "/x", user: func() User { t.Error("the user is asked"); return User{} },
		findMarker: func() Marker { t.Error("the marker is asked"); return Marker{Force: ForcedOn} },
	}
	if !admit(e, a) || a.sent != nil || a.attached != nil {
		t.Error("an open site refuses it, or tells it of something")
	}
	if d := decide(e, a); d.Refuse || d.Reason != ReasonOpen {
		t.Errorf("an open site decides %+v", d)
	}
	if !e.Open() {
		t.Error("the engine is not open")
	}
	on(t, e, Opening{})
	if admit(e, &asked{route: "/x"}) {
		t.Error("a closed site lets it in")
	}
	off(t, e)
	if !admit(e, a) {
		t.Error("a site that has opened again refuses it")
	}
}

// faulty is a request whose route cannot be found.
type faulty struct{ asked }

func (*faulty) Route() string { panic("a router") }

func TestARouteThatCannotBeFoundCostsNoRequest(t *testing.T) {
	said := new(logs)
	e := started(t, Config{Policy: named, Logger: said.logger()})
	for range 3 {
		ticket := e.Begin()
		if !ticket.Admit(new(faulty)) {
			t.Fatal("it is refused")
		}
		if got := e.named(); len(got) != 1 || got[0] != "(other method) (no route)" {
			t.Errorf("it is entered as %q", got)
		}
		ticket.End()
	}
	if n := said.count("a router"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

func TestNamesOfRoutesAreBoundedAndOurs(t *testing.T) {
	var n names
	buffer := []byte("/users/:id")
	first := n.of(route{"GET", unsafe.String(&buffer[0], len(buffer))}) // as fiber's strings are
	copy(buffer, "/AAAAAAAAA")
	if second := n.of(route{"GET", "/users/:id"}); first != second || *first != "GET /users/:id" {
		t.Errorf("one route is called %q and %q", *first, *second)
	}
	for i := range maxNames + 10 {
		n.of(route{"GET", fmt.Sprint("/", i)})
	}
	known := 0
	n.known.Range(func(any, any) bool { known++; return true })
	if late := *n.of(route{"GET", "/late"}); known != maxNames || late != anotherRoute {
		t.Errorf("%d names are known, and the next is %q", known, late)
	}
	if again := n.of(route{"GET", "/users/:id"}); again != first {
		t.Errorf("a known route is called %q", *again)
	}
}

func TestNamesCanBeShownToAnybody(t *testing.T) {
	long := strings.Repeat("é", maxName)
	for in, want := range map[string]string{
		"GET /a":              "GET /a",
		"GET /\x1b[2J\x9b\n":  "GET /\uFFFD[2J\uFFFD\uFFFD",
		"GET /\u202egpj.\xff": "GET /\uFFFDgpj.\uFFFD",
		long:                  strings.Repeat("é", (maxName-3)/2) + "…",
		"x" + long:            "x" + strings.Repeat("é", (maxName-4)/2) + "…",
	} {
		if got := printable(in); got != want || printable(got) != got {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for age, want := range map[int64]string{0: "x for 0s", 349: "x for 300ms", 9_990: "x for 10s", 72_400: "x for 1m12s"} {
		if got := (Work{"x", age}).String(); got != want {
			t.Errorf("%d ms are %q, want %q", age, got, want)
		}
	}
}

// TestNamingARequestAllocatesNothing, and leaves a quiet site's announcements as small as they are.
func TestNamingARequestAllocatesNothing(t *testing.T) {
	e := started(t, Config{Policy: named})
	a := &asked{route: "/users/:id"}
	if n := testing.AllocsPerRun(1000, func() { admit(e, a) }); n != 0 {
		t.Errorf("a request that is named costs %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if ticket, err := e.Enter(t.Context()); err == nil {
			ticket.End()
		}
	}); n != 0 {
		t.Errorf("a job costs %v allocations", n)
	}
	defer begun(t, e, a).End()
	if said := string(e.report().encode()); strings.Contains(said, "oldest") || strings.Contains(said, "users") {
		t.Errorf("an instance of an open site says %s", said)
	}
	on(t, e, Opening{})
	if said := string(e.report().encode()); !strings.Contains(said, `"oldest":[{"name":"GET /users/:id","age_ms":`) {
		t.Errorf("an instance that is late says %s", said)
	}
}

// FuzzAnnouncement: whatever is announced, what is named can be shown, there is little of it, and a drain has words for it.
func FuzzAnnouncement(f *testing.F) {
	f.Add([]byte(`{"name":"web-1","earlier":2,"oldest":[{"name":"GET /a","age_ms":72000},{"name":"\u001b[2J\u202e","age_ms":-1}]}`))
	f.Add([]byte(`{"name":"web-1","earlier":9,"oldest":[{},{},{},{},{},{},{}]}`))
	f.Add([]byte(`{"name":"web-1","oldest":[{"name":"` + strings.Repeat("x", 300) + `","age_ms":9223372036854775807}]}`))
	f.Add([]byte(`{"name":"web-1","oldest":{"name":5}}`))
	f.Add([]byte(`{"name":"web-1","oldest":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i := decodeInstance(state.Instance{ID: "web-1.x", Data: data})
		if i.ID != "web-1.x" || len(i.Oldest) > MaxOldest {
			t.Errorf("%q names %d", i.ID, len(i.Oldest))
		}
		for _, w := range i.Oldest {
			if len(w.Name) > maxName || !utf8.ValidString(w.Name) || strings.ContainsFunc(w.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("the name %q", w.Name)
			}
			if w.Age < 0 || w.Age > maxAge || strings.Contains(w.String(), "-") && !strings.Contains(w.Name, "-") {
				t.Errorf("the age %d: %s", w.Age, w)
			}
		}
		again := decodeInstance(state.Instance{ID: i.ID, Data: i.encode()})
		if !slices.Equal(i.Oldest, again.Oldest) {
			t.Errorf("%v becomes %v", i.Oldest, again.Oldest)
		}
		for _, phase := range []DrainPhase{Behind, Draining, Drained, Left, Lost, Unable} {
			if (DrainInstance{Instance: i, Phase: phase}).String() == "" {
				t.Errorf("no word for %s", phase)
			}
		}
	})
}

// TestOlderInstancesReadWhatNewerOnesSay, and the other way round: members that one does not know are nothing to it.
func TestOlderInstancesReadWhatNewerOnesSay(t *testing.T) {
	b := memstate.New(memstate.Config{})
	defer b.Close()
	if _, err := b.Announce(t.Context(), "old.x", []byte(`{"name":"old","follower":"valid","in_flight":1,"earlier":1,"running":["w"]}`), time.Minute); err != nil {
		t.Fatal(err)
	}
	if old := fleetOf(t, b)[0]; old.Name != "old" || old.Earlier != 1 || old.Oldest != nil {
		t.Errorf("an older instance says %+v", old)
	}
	var older struct {
		Name    string
		Earlier int64
	}
	said := (&Instance{Name: "new", Earlier: 1, NamesRequests: true, Oldest: []Work{{"GET /a", 1}}}).encode()
	if err := json.Unmarshal(said, &older); err != nil || older.Name != "new" || older.Earlier != 1 {
		t.Errorf("an older reader makes %+v of it, %v", older, err)
	}
}
