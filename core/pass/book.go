package pass

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A Book holds the passes of a document that are good at a moment, ready to be looked up. It never changes. A nil Book is
// an empty one.
type Book struct {
	entries map[string]*Entry // by id, without its prefix
	next    time.Time         // when the first one expires
	unknown []string
}

// An Entry is one pass of a [Book].
type Entry struct {
	Pass state.Pass
	// Rule names the pass for people.
	Rule string

	proof *proof
}

// Book makes the book of the passes that are good at an instant. What was known of the same passes before is known again.
func (r *Ring) Book(passes []state.Pass, now time.Time, before *Book) *Book {
	b := &Book{entries: make(map[string]*Entry, len(passes))}
	for i := range passes {
		p := &passes[i]
		k := r.find(p.Key)
		switch {
		case !now.Before(p.Expires) || len(p.ID) != len(idPrefix)+idLen || p.ID[:len(idPrefix)] != idPrefix:
			continue
		case k == nil:
			b.unknown = append(b.unknown, p.Key)
			continue
		}
		e := &Entry{Pass: *p, Rule: p.ID + " for " + p.For, proof: &proof{key: k, binding: bind(p, r.audience)}}
		if old := before.entry(p.ID[len(idPrefix):]); old != nil && old.proof.key == k && old.proof.binding == e.proof.binding {
			e.proof = old.proof
		}
		b.add(e)
	}
	if len(b.entries) == 0 && len(b.unknown) == 0 {
		return nil
	}
	return b
}

func (b *Book) add(e *Entry) {
	b.entries[e.Pass.ID[len(idPrefix):]] = e
	if b.next.IsZero() || e.Pass.Expires.Before(b.next) {
		b.next = e.Pass.Expires
	}
}

func (b *Book) entry(id string) *Entry {
	if b == nil {
		return nil
	}
	return b.entries[id]
}

// Live returns the book without the passes that have expired at an instant. A clock that is set back brings none back.
func (b *Book) Live(now time.Time) *Book {
	if b == nil || b.next.IsZero() || now.Before(b.next) {
		return b
	}
	live := &Book{entries: make(map[string]*Entry, len(b.entries)), unknown: b.unknown}
	for _, e := range b.entries {
		if now.Before(e.Pass.Expires) {
			live.add(e)
		}
	}
	return live
}

// Next is when the next pass of the book expires; zero if none will.
func (b *Book) Next() time.Time {
	if b == nil {
		return time.Time{}
	}
	return b.next
}

// Unknown are the ids of keys that some pass is signed with, and the ring does not have.
func (b *Book) Unknown() []string {
	if b == nil {
		return nil
	}
	return b.unknown
}

// Find returns the pass that a text is; nil if it is none of the book's. It allocates nothing. A text that was found to be a
// pass is remembered, one for each pass of the book; one that is none never is.
func (b *Book) Find(token string) *Entry {
	if b == nil || len(token) != tokenLen || token[:prefixLen] != passPrefix {
		return nil
	}
	e := b.entries[token[prefixLen:prefixLen+idLen]]
	if e == nil || !e.proof.holds(token) {
		return nil
	}
	return e
}

// proof is what a pass must bear, and the one text that does, once it was seen.
type proof struct {
	key     *key
	binding binding
	state   atomic.Uint32
	token   [tokenLen]byte
}

// The states of a proof's token.
const (
	unseen     = iota
	writing    // somebody is taking it down
	remembered // it stands there, and never changes
)

func (p *proof) holds(token string) bool {
	if p.state.Load() == remembered {
		return same(&p.token, token) // there is but one text that bears this proof
	}
	if !p.key.verify(token, &p.binding) {
		return false
	}
	if p.state.CompareAndSwap(unseen, writing) {
		copy(p.token[:], token)
		p.state.Store(remembered)
	}
	return true
}

// same compares a token with the remembered one, in the same time wherever they differ. It does so by words:
// subtle.ConstantTimeCompare takes three times as long by bytes.
func same(known *[tokenLen]byte, token string) bool {
	var sent [tokenLen]byte
	if copy(sent[:], token) != tokenLen {
		return false
	}
	var different uint64
	for i := 0; i+8 <= tokenLen; i += 8 {
		different |= binary.LittleEndian.Uint64(known[i:]) ^ binary.LittleEndian.Uint64(sent[i:])
	}
	const last = tokenLen - 8 // the words overlap there
	different |= binary.LittleEndian.Uint64(known[last:]) ^ binary.LittleEndian.Uint64(sent[last:])
	return different == 0
}
