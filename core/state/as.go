package state

// A Wrapper is a Backend over another one, to which it leaves what it cannot do itself.
type Wrapper interface {
	// Unwrap returns the backend that does what this one cannot.
	Unwrap() Backend
}

// As returns a backend as what else it may be, a [Presence], a [Salvager] or a [Migrator], or else the backend that it
// wraps. It returns false if none of them is one.
func As[T any](b Backend) (T, bool) {
	for {
		if t, ok := b.(T); ok {
			return t, true
		}
		w, ok := b.(Wrapper)
		if !ok {
			var none T
			return none, false
		}
		b = w.Unwrap()
	}
}

// A Sourcer is a Backend that reads from one of several places.
type Sourcer interface {
	// Source says from which place the last look came, in words that may be shown; "" before the first.
	Source() string
}
