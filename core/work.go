package recess

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxOldest is how much work an instance names at most: see [Instance].Oldest.
const MaxOldest = 5

const (
	maxName  = 200                           // bytes of a name
	maxNames = 10_000                        // of routes; the rest has one name together
	maxAge   = int64(100 * 365 * 24 * 3.6e6) // what an announcement may say, in milliseconds
)

// Work is something that an instance has under way: a request, a stream or a job.
type Work struct {
	// Name is the method and the pattern of a request's route, as in "GET /reports/:id", never its path, which may hold what
	// is nobody's business; "GET (no route)" where none matches or nobody can tell. Of a job it is "job NAME", or "a job":
	// see [WithJobName]. It is printable and has at most 200 bytes.
	Name string `json:"name"`
	// Age is for how long it has run by its instance's clock, in milliseconds.
	Age int64 `json:"age_ms"`
}

// String is the name and the age, as in "GET /reports/:id for 1m12s".
func (w Work) String() string {
	age, unit := time.Duration(w.Age)*time.Millisecond, time.Second
	if age < 10*time.Second {
		unit = time.Second / 10
	}
	return fmt.Sprintf("%s for %s", w.Name, age.Round(unit))
}

// printable makes a name that can be shown to anybody: what cannot be printed, or reorders what is read, becomes U+FFFD.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, name)
	if len(name) <= maxName {
		return name
	}
	end := maxName - len("…")
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

// names are what routes are called, each kept once: naming a request allocates nothing, and keeps nothing of a framework's
// buffers.
type names struct {
	known sync.Map // route → *string
	count atomic.Int64
}

type route struct{ method, pattern string }

var anotherRoute = "(another route)"

// of returns the name of a route.
func (n *names) of(r route) *string {
	if name, ok := n.known.Load(r); ok {
		return name.(*string)
	}
	if n.count.Add(1) > maxNames {
		n.count.Add(-1)
		return &anotherRoute
	}
	r = route{strings.Clone(r.method), strings.Clone(r.pattern)}
	name := printable(cmp.Or(r.method, "(other method)") + " " + cmp.Or(r.pattern, "(no route)"))
	kept, there := n.known.LoadOrStore(r, &name)
	if there {
		n.count.Add(-1) // somebody was faster
	}
	return kept.(*string)
}

// knownMethod returns a method that names tell apart, one of HTTP's or of those that routers know beside, and "" for any
// other: clients make up what they like, and routes may serve all.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "PROPFIND", "REPORT":
		return method
	}
	return ""
}

// nameOf names a request by its route. The route's pattern may come from the application's own code, and is not worth a
// request.
func (e *Engine) nameOf(r Request) (name *string) {
	defer func() {
		if v := recover(); v != nil {
			if e.first("callback Route") {
				e.log.Error("the route of a request could not be found: such requests are named without it (logged once)", "error", fmt.Sprint(v))
			}
			name = e.names.of(route{})
		}
	}()
	return e.names.of(route{knownMethod(r.Method()), r.Route()})
}

// age is the time since the engine was made, in nanoseconds: no clock that is set changes it.
func (e *Engine) age() int64 { return int64(time.Since(e.born)) }

// name enters a request that was let in, if requests are named.
func (t *Ticket) name(r Request) {
	if e := t.snap.engine; e.naming != nil && t.side <= 1 {
		t.enter(e.nameOf(r), e.age())
	}
}

// enter enters the work by name, until it ends.
func (t *Ticket) enter(name *string, since int64) {
	t.side |= t.stripe.named.enter(name, since, t.side) << 1
}

// unname takes the work out, whose ticket has ended.
//
//go:noinline so that End, which most often has nothing of this to do, is inlined
func (t *Ticket) unname() {
	t.stripe.named.leave(t.side >> 1)
	t.side &= 1
}

// oldest lists what has a name of the work that was admitted before, of so many units. The engine's lock is held.
func (e *Engine) oldest(earlier int64) []Work {
	if earlier == 0 {
		return nil
	}
	now, most := e.age(), int(min(earlier, MaxOldest))
	var list []Work
	add := func(name string, since int64) {
		w := Work{name, (now - since) / int64(time.Millisecond)}
		at, _ := slices.BinarySearchFunc(list, w, func(a, b Work) int { return cmp.Compare(b.Age, a.Age) })
		if at < most {
			list = slices.Insert(list[:min(len(list), most-1)], at, w)
		}
	}
	on := e.inflight.earlierOn(e.snapshots)
	if on != [2]bool{} {
		for i := range e.inflight.stripes {
			e.inflight.stripes[i].named.each(func(name string, since int64, side uint32) {
				if on[side&1] {
					add(name, since)
				}
			})
		}
	}
	for s := range e.streams {
		switch {
		case s.handled && s.told: // counted by nobody else
		case !s.handled && e.naming == nil && on != [2]bool{} && (s.told || s.began < e.snapshots): // its request has no name
		default:
			continue
		}
		add(*s.name, s.since)
	}
	return list
}
