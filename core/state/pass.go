package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Pass is what the document says of one bypass pass: who holds it and what it is good for. It is no secret: what lets
// its holder in is a signature by a key that stands in no document, over random bits of which [Pass.ID] is a hash. See
// package core/pass.
type Pass struct {
	// ID is unique in the document: 1 to 64 letters, digits, '-' or '_'.
	ID string
	// For is whom the pass was made for, in a line of at most [MaxPassFor] bytes.
	For string
	// Key is the id of the key that it is signed with.
	Key string
	// Scope is the part of the site that it opens: the windows of that scope. "" opens the windows of every scope.
	Scope string
	// Window is the id of the one window that it opens; "" is every window. Of a window that recurs it opens one
	// occurrence, the one that begins at Occurrence, which is zero for all others.
	Window     string
	Occurrence time.Time
	// Expires is the first instant at which it opens nothing any more.
	Expires time.Time
	// Uses is how many times its link can still be used, up to [MaxUses].
	Uses int
	// IssuedBy and IssuedAt say who made it, and when by that writer's clock.
	IssuedBy Actor
	IssuedAt time.Time
	// Extra holds members that a newer Recess wrote; see [State.Extra].
	Extra map[string]json.RawMessage
}

// Limits of the passes of a document.
const (
	MaxPasses  = 256
	MaxPassFor = 100 // bytes
	MaxUses    = 1000
)

// pass is the written form.
type pass struct {
	ID         string    `json:"id"`
	For        string    `json:"for"`
	Key        string    `json:"key"`
	Scope      string    `json:"scope,omitempty"`
	Window     string    `json:"window,omitempty"`
	Occurrence time.Time `json:"occurrence,omitzero"`
	Expires    time.Time `json:"expires"`
	Uses       int       `json:"uses,omitempty"`
	IssuedBy   Actor     `json:"issued_by,omitzero"`
	IssuedAt   time.Time `json:"issued_at,omitzero"`
}

// MarshalJSON writes the pass with the members it does not know, as [Encode] does.
func (p Pass) MarshalJSON() ([]byte, error) {
	return join(pass{p.ID, p.For, p.Key, p.Scope, p.Window, p.Occurrence, p.Expires, p.Uses, p.IssuedBy, p.IssuedAt}, p.Extra)
}

// UnmarshalJSON reads a pass as [Decode] does.
func (p *Pass) UnmarshalJSON(data []byte) error {
	known, extra, err := split(data, passNames)
	if err != nil {
		return err
	}
	var v pass
	if err := json.Unmarshal(known, &v); err != nil {
		return err
	}
	*p = Pass{v.ID, v.For, v.Key, v.Scope, v.Window, v.Occurrence, v.Expires, v.Uses, v.IssuedBy, v.IssuedAt, extra}
	return nil
}

// Opens reports whether the pass is good for a window as it is at some moment ([Window.At]). It says nothing of expiry.
func (p *Pass) Opens(w *Window) bool {
	return (p.Scope == "" || p.Scope == w.Scope) &&
		(p.Window == "" || p.Window == w.ID) &&
		(p.Occurrence.IsZero() || p.Occurrence.Equal(w.Start))
}

// LivePasses returns the passes that can still open something: they have not expired, and the window that they are bound
// to stands in the document. It shares nothing with s.Passes that is changed in place.
func (s *State) LivePasses(now time.Time) []Pass {
	var live []Pass
	for _, p := range s.Passes {
		bound := p.Window == "" || slices.ContainsFunc(s.Windows, func(w Window) bool { return w.ID == p.Window })
		if now.Before(p.Expires) && bound {
			live = append(live, p)
		}
	}
	return live
}

// validatePasses checks what Decode and Encode promise of the passes of a document.
func (s *State) validatePasses() error {
	var faults []error
	if len(s.Passes) > MaxPasses {
		faults = append(faults, fmt.Errorf("passes: %d, at most %d are allowed", len(s.Passes), MaxPasses))
	}
	ids := make(map[string]bool, min(len(s.Passes), MaxPasses))
	for i := range s.Passes[:min(len(s.Passes), MaxPasses)] {
		p := &s.Passes[i]
		if err := p.Check(); err != nil {
			faults = append(faults, fmt.Errorf("passes[%d]: %w", i, err))
		}
		if ids[p.ID] {
			faults = append(faults, fmt.Errorf("passes[%d]: id %.80q stands twice", i, p.ID))
		}
		ids[p.ID] = true
	}
	return errors.Join(faults...)
}

// Check finds what no document may hold. The error names every fault.
func (p *Pass) Check() error {
	var faults []error
	check := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	check(checkID(p.ID))
	check(CheckText("for", p.For, MaxPassFor))
	if strings.TrimSpace(p.For) == "" || strings.ContainsAny(p.For, "\n\t") {
		check(fmt.Errorf("for: %.80q: say in one line whom the pass is for", p.For))
	}
	check(CheckName("key", p.Key))
	if p.Scope != "" {
		check(CheckName("scope", p.Scope))
	}
	if p.Window != "" {
		if err := checkID(p.Window); err != nil {
			check(fmt.Errorf("window: %w", err))
		}
	}
	if p.Window == "" && !p.Occurrence.IsZero() {
		check(errors.New("occurrence: only a pass that is bound to a window can be bound to one of its occurrences"))
	}
	check(checkYear("occurrence", p.Occurrence))
	if p.Expires.IsZero() {
		check(errors.New("expires: it is missing: a pass ends some day"))
	}
	check(checkYear("expires", p.Expires))
	if p.Uses < 0 || p.Uses > MaxUses {
		check(fmt.Errorf("uses: %d is not between 0 and %d", p.Uses, MaxUses))
	}
	return errors.Join(faults...)
}
