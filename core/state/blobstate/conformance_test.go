package blobstate_test

import (
	"slices"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// patient makes a backend keep more revisions than the suite's race makes. These stores are so fast that a goroutine
// which sleeps for a moment would find all of them gone that tell whether its change counts.
func patient(b state.Backend) state.Backend {
	blobstate.Keep(b.(*blobstate.Backend), 64)
	return b
}

func TestConformanceInMemory(t *testing.T) {
	statetest.Run(t, statetest.Harness{Fresh: func(t *testing.T) statetest.Store {
		bucket := memblob.OpenBucket(nil)
		t.Cleanup(func() { bucket.Close() })
		return statetest.Store{
			Open: func(t *testing.T) state.Backend {
				b, err := blobstate.New(bucket, blobstate.Config{})
				must(t, err)
				return patient(b)
			},
			Put: func(t *testing.T, data []byte) {
				must(t, bucket.WriteAll(t.Context(), key(1000), data, nil))
			},
		}
	}})
}

func TestConformanceOfAFakeThatCounts(t *testing.T) {
	statetest.Run(t, statetest.Harness{Fresh: func(*testing.T) statetest.Store {
		f := newFake()
		return statetest.Store{
			Open: func(t *testing.T) state.Backend { return patient(f.open(t)) },
			Put: func(_ *testing.T, data []byte) {
				n := 1
				if keys := f.keys(); len(keys) > 0 {
					for n = 1; key(n) <= slices.Max(keys); {
						n++
					}
				}
				f.write(key(n), string(data))
			},
			Looks: func() int { return f.counted(list) + f.counted(get) + f.counted(head) },
		}
	}})
}

func TestConformanceInADirectory(t *testing.T) {
	statetest.Run(t, statetest.Harness{Fresh: func(t *testing.T) statetest.Store {
		dir := t.TempDir()
		return statetest.Store{
			Open: func(t *testing.T) state.Backend { return patient(open(t, "blob+file://"+dir)) },
			Put:  func(t *testing.T, data []byte) { write(t, dir, "rev-00001000.json", string(data)) },
		}
	}})
}
