package schema

import (
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// Pass is what the document says of one bypass pass. Nothing in it lets anybody in.
type Pass struct {
	ID         string     `json:"id"`
	For        string     `json:"for"`
	Scope      string     `json:"scope"`         // "" is the windows of every scope
	Window     string     `json:"window"`        // "" is every window
	Occurrence *time.Time `json:"occurrence_at"` // null: it is bound to none of a window that recurs
	ExpiresAt  time.Time  `json:"expires_at"`
	Uses       int        `json:"uses"` // how many times its link can still be used
	Key        string     `json:"key"`  // the id of the key that signs it
	IssuedBy   Actor      `json:"issued_by"`
	IssuedAt   *time.Time `json:"issued_at"`
}

// Issued is what "pass create --json" writes.
type Issued struct {
	Pass  Pass   `json:"pass"`
	Link  string `json:"link"`  // the URL to hand over; "" with --token
	Token string `json:"token"` // the pass itself; "" without --token
}

// Passes is what "pass list --json" writes.
type Passes struct {
	Passes   []Pass `json:"passes"`
	Revision int64  `json:"revision"` // of the document; 0 if it is unnumbered
}

// Revocation is what "pass revoke --json" writes.
type Revocation struct {
	Revoked []Pass `json:"revoked"`
	Passes         // those that are left
}

// PassOf describes a pass.
func PassOf(p state.Pass) Pass {
	return Pass{
		p.ID, p.For, p.Scope, p.Window, instant(p.Occurrence), p.Expires.UTC(), p.Uses, p.Key, Actor(p.IssuedBy), instant(p.IssuedAt),
	}
}

// PassesOf describes the passes of a document that are good at an instant.
func PassesOf(s *state.State, now time.Time) Passes {
	return Passes{Passes: describePasses(s.LivePasses(now)), Revision: s.Revision}
}

// RevokedOf describes a revocation.
func RevokedOf(c *recess.Change, now time.Time) Revocation {
	return Revocation{describePasses(c.Passes), PassesOf(&c.After, now)}
}

func describePasses(passes []state.Pass) []Pass {
	all := make([]Pass, len(passes))
	for i := range passes {
		all[i] = PassOf(passes[i])
	}
	return all
}
