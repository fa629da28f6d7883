package envstate

import "sync"

var counting sync.Mutex

// CountLooks makes a backend count how often it reads the environment.
func CountLooks(b *Backend, looks *int) {
	lookup := b.lookup
	b.lookup = func(name string) (string, bool) {
		counting.Lock()
		*looks++
		counting.Unlock()
		return lookup(name)
	}
}
