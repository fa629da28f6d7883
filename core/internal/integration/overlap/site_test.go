package overlap

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// adapters are the fleet.
var adapters = [...]string{"gin", "echo", "chi", "gin", "echo", "fiber"}

const (
	visitors = 12
	// short and long are what a request takes at most; one in 50 is a long one. A fleet says of itself within a second how
	// far it is: if the long ones were over by then, nobody would see a drain that does not wait for them.
	short, long = 60 * time.Millisecond, 2 * time.Second
	// crowd is about how many requests are served before a site that was closed is closed again.
	crowd = 200
)

// A site is a fleet on one document, and its visitors.
type site struct {
	t       *testing.T
	url     string // of the document
	dir     string // of journals and logs
	backend state.Backend
	client  *http.Client
	random  *rand.Rand

	mu    sync.Mutex
	fleet [len(adapters)]*process // written by the test only
	all   []*process              // that there have ever been

	asked                   atomic.Int64
	done, refused, broken   atomic.Int64
	wrong                   atomic.Int64 // answers that must not be
	holding                 sync.WaitGroup
	answered                sync.Map // the ids of the requests that were done
	migrations              []migration
	written                 []int64 // when "on" was
	draining, drainingLosts []time.Duration
}

func newSite(t *testing.T, stateURL string, seed uint64) *site {
	t.Helper()
	backend, err := state.Open(t.Context(), stateURL)
	must.Do(t, err)
	s := &site{
		t: t, url: stateURL, dir: servers.Directory(t), backend: backend, random: rand.New(rand.NewPCG(seed, 0)),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: visitors}, Timeout: 3 * patience},
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		must.Do(t, backend.Close())
	})
	for place := range adapters {
		s.startAt(place)
	}
	return s
}

// startAt starts an instance in a place of the fleet, under a name that no other has had.
func (s *site) startAt(place int) {
	s.t.Helper()
	name := fmt.Sprintf("%s-%d", adapters[place], len(s.all)+1)
	p := start(s.t, s.dir, s.url, name, adapters[place])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fleet[place] = p
	s.all = append(s.all, p)
}

// serving are the processes that are neither ended nor frozen.
func (s *site) serving() (processes []*process) {
	for _, p := range s.fleet {
		if p.serves() {
			processes = append(processes, p)
		}
	}
	return processes
}

// thaw lets every frozen process go on.
func (s *site) thaw() {
	for _, p := range s.fleet {
		if !p.frozen.IsZero() {
			p.thaw(s.t)
		}
	}
}

// kill ends every process at once.
func (s *site) kill() {
	for _, p := range s.fleet {
		p.end(s.t)
	}
}

// An answer is how a request went.
type answer int

const (
	done answer = iota
	refused
	broken // its process was ended by the test
	wrong  // it was told
)

// ask asks a process to work for a while, and asserts that it does or refuses.
func (s *site) ask(p *process, d time.Duration) answer { return s.askAs(s.asked.Add(1), p, d) }

func (s *site) askAs(id int64, p *process, d time.Duration) answer {
	status, mode, err := s.get(fmt.Sprintf("http://%s%s?id=%d&for=%dns", p.addr, route, id, d.Nanoseconds()))
	switch {
	case err != nil && p.ended.Load():
		s.broken.Add(1)
		return broken
	case err == nil && status == http.StatusOK:
		s.done.Add(1)
		s.answered.Store(id, true)
		return done
	case err == nil && status == http.StatusServiceUnavailable && mode != "":
		s.refused.Add(1)
		return refused
	}
	if s.wrong.Add(1) <= 10 { // one reason suffices
		s.t.Errorf("request %d to %s: status %d, Maintenance-Mode %q, error %v", id, p.name, status, mode, err)
	}
	return wrong
}

func (s *site) get(url string) (status int, mode string, err error) {
	response, err := s.client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Maintenance-Mode"), err
}

// hold gives a process work that lasts until it is killed, and returns when it has begun.
func (s *site) hold(p *process) {
	s.t.Helper()
	id := s.asked.Add(1)
	s.holding.Go(func() {
		if got := s.askAs(id, p, 2*patience); got != broken {
			s.t.Errorf("the request that %s should have held until it was killed ended before: %d", p.name, got)
		}
	})
	must.Become(s.t, p.name+" works", func() bool {
		text, err := os.ReadFile(p.journal)
		must.Do(s.t, err)
		return strings.Contains(string(text), fmt.Sprintf("start %s %d ", p.name, id))
	})
}

// visit has visitors ask random processes until stop is called, which returns when they have left.
func (s *site) visit(seed uint64) (stop func()) {
	var (
		all  sync.WaitGroup
		quit = make(chan struct{})
	)
	for n := range uint64(visitors) {
		random := rand.New(rand.NewPCG(seed, n+1))
		all.Go(func() {
			for {
				pause := upTo(random, 20*time.Millisecond)
				if s.visitOne(random) != done {
					pause += 40 * time.Millisecond // a refusal takes no time: without it they would ask all the more
				}
				select {
				case <-quit:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(quit)
		all.Wait()
	})
}

// crowd returns once visitors have been served for a while, of which nobody knows how long it is.
func (s *site) crowd() {
	s.t.Helper()
	enough := s.done.Load() + crowd/4 + s.random.Int64N(crowd)
	must.Become(s.t, "visitors are served", func() bool { return s.done.Load() >= enough })
}

// visitOne asks one process that not too many wait for.
func (s *site) visitOne(random *rand.Rand) answer {
	s.mu.Lock()
	p := s.fleet[random.IntN(len(s.fleet))]
	s.mu.Unlock()
	if p.ended.Load() {
		return broken
	}
	select {
	case p.busy <- struct{}{}:
	default:
		return broken
	}
	defer func() { <-p.busy }()
	most := short
	if random.IntN(50) == 0 {
		most = long
	}
	return s.ask(p, upTo(random, most))
}

func upTo(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

// reopened returns once every process that serves does work again, and all of them are announced: a drain knows no
// others.
func (s *site) reopened() {
	s.t.Helper()
	var names []string
	for _, p := range s.serving() {
		must.Become(s.t, p.name+" works again", func() bool { return s.ask(p, 0) == done })
		names = append(names, p.name)
	}
	slices.Sort(names)
	must.Become(s.t, "the fleet is complete", func() bool {
		fleet, err := recess.Fleet(context.Background(), s.backend)
		must.Do(s.t, err)
		var announced []string
		for _, i := range fleet {
			announced = append(announced, i.Name)
		}
		slices.Sort(announced)
		return slices.Equal(announced, names)
	})
}
