package history

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
	"github.com/recess-go/recess/core/state/memstate"
)

const (
	writers  = 10
	attempts = 10_000
	patience = 10 * time.Minute // for 10,000 attempts; a sound store on an idle machine needs less than half a minute
)

// judge asserts that a history is one of a register.
func judge(t *testing.T, history []operation) {
	t.Helper()
	began := time.Now()
	if err := checkChain(history); err != nil {
		t.Error(err)
	}
	if err := checkLinearizable(history, patience); err != nil {
		t.Error(err)
	}
	told := make(map[outcome]int)
	for _, o := range history {
		told[o.outcome]++
	}
	last := history[len(history)-1]
	t.Logf("%d saves in %v: %d acknowledged, %d conflicts, %d unknown, and %d reads; %d revisions; judged in %v",
		attempts, time.Duration(last.end).Round(time.Millisecond), told[saved], told[conflict], told[unknown], told[found],
		last.old.number, time.Since(began).Round(time.Millisecond))
	if told[saved] < writers || told[conflict] < writers {
		t.Error("too little happened for the checks to mean something")
	}
}

func TestEveryServerKeepsOneHistoryThroughKillsAndCuts(t *testing.T) {
	for _, name := range rigs.Names() {
		t.Run(name, func(t *testing.T) {
			rig := rigs.New(t, name)
			link := proxy.New(t, rig.Server.Addr)
			backends := make([]state.Backend, writers)
			for i := range backends {
				addr := rig.Server.Addr
				if i%2 == 0 {
					addr = link.Addr
				}
				backend := rig.Open(t, addr)
				defer backend.Close()
				backends[i] = backend
			}
			restart := func() {
				rig.Server.Kill(t)
				rig.Server.Start(t)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			history, err := record(ctx, backends, attempts, map[int]func(){
				attempts / 5: restart, attempts * 2 / 5: link.Cut, attempts * 3 / 5: restart, attempts * 4 / 5: restart,
			})
			if err != nil {
				t.Fatal(err)
			}
			judge(t, history)
		})
	}
}

func TestMemoryKeepsOneHistory(t *testing.T) {
	name := state.NewID()
	undisturbed(t, func() state.Backend { return memstate.New(memstate.Config{Name: name}) })
}

func TestAFileKeepsOneHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	undisturbed(t, func() state.Backend {
		backend, err := filestate.New(path, filestate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return backend
	})
}

func undisturbed(t *testing.T, open func() state.Backend) {
	t.Helper()
	backends := make([]state.Backend, writers)
	for i := range backends {
		backends[i] = open()
		defer backends[i].Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	history, err := record(ctx, backends, attempts, nil)
	if err != nil {
		t.Fatal(err)
	}
	judge(t, history)
}
