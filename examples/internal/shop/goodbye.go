package shop

import "sync"

// goodbyes are what is to be done when the process is told to end: servers know nothing of connections that were
// taken over from them.
type goodbyes struct {
	mu   sync.Mutex
	said bool
	next int
	all  map[int]func()
}

func (g *goodbyes) add(f func()) (forget func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.said {
		go f()
		return func() {}
	}
	if g.all == nil {
		g.all = make(map[int]func())
	}
	id := g.next
	g.next++
	g.all[id] = f
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.all, id)
	}
}

// say calls all at once and waits for them.
func (g *goodbyes) say() {
	g.mu.Lock()
	g.said = true
	var saying sync.WaitGroup
	for _, f := range g.all {
		saying.Go(f)
	}
	g.mu.Unlock()
	saying.Wait()
}
