package pass

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"strings"
	"sync"

	"github.com/recess-go/recess/core/state"
)

// MinKey is the shortest key, in bytes: as long as a signature (RFC 2104, section 3).
const MinKey = 32

const (
	maxKey  = 1024
	maxKeys = 16
)

// A Ring holds the keys by which passes are signed and checked. It never changes and may be used by any number of
// goroutines.
type Ring struct {
	keys     []*key
	audience string
}

// key is one key of a ring.
type key struct {
	id   string
	pool sync.Pool // of *scratch
}

// NewRing reads keys, each as "id:base64url" of at least [MinKey] random bytes. The first one signs; passes that another
// one has signed are good as long as it is in the ring. audience is the site for which passes are made: one for another
// audience is none here. An error never shows a key.
func NewRing(keys []string, audience string) (*Ring, error) {
	var faults []error
	r := &Ring{audience: audience}
	if len(keys) == 0 || len(keys) > maxKeys {
		faults = append(faults, fmt.Errorf("%d keys: 1 to %d are needed", len(keys), maxKeys))
	}
	ids := make(map[string]bool)
	for i, text := range keys[:min(len(keys), maxKeys)] {
		id, secret, err := readKey(text)
		if err == nil && ids[id] {
			err = errors.New("another key has the same id")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		ids[id] = true
		r.keys = append(r.keys, newKey(id, secret))
	}
	if err := state.CheckText("audience", audience, state.MaxPassFor); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return r, nil
}

// readKey reads one key. Its errors show nothing of it, not even what should be its id: that may be the secret of
// somebody who wrote no id.
func readKey(text string) (id string, secret []byte, err error) {
	id, encoded, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok {
		return "", nil, errors.New("write it as in id:base64url; \"recess pass keygen\" makes one")
	}
	if state.CheckName("id", id) != nil {
		return "", nil, errors.New("its id needs 1 to 64 lower-case letters, digits, '.', '_' or '-', a letter or digit first")
	}
	secret, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(encoded, "="))
	switch {
	case err != nil || strings.ContainsAny(encoded, "\r\n"):
		return "", nil, errors.New("what follows its id is not base64url (RFC 4648, section 5); \"recess pass keygen\" makes a key")
	case len(secret) < MinKey || len(secret) > maxKey:
		return "", nil, fmt.Errorf("it has %d bytes, %d to %d are needed; \"recess pass keygen\" makes one", len(secret), MinKey, maxKey)
	case !looksRandom(secret):
		return "", nil, errors.New("it is no random bytes, but text or a pattern; \"recess pass keygen\" makes a key")
	}
	return id, secret, nil
}

// looksRandom finds what no random source has made: words, hex digits, one byte again and again. Of 32 random bytes fewer
// than 16 are different, or all are printable, less often than once in 10^12.
func looksRandom(secret []byte) bool {
	var seen [256]bool
	different, printable := 0, true
	for _, b := range secret {
		if !seen[b] {
			seen[b] = true
			different++
		}
		printable = printable && b >= ' ' && b <= '~'
	}
	return different >= 16 && !printable
}

// NewKey makes a key of an id, as [NewRing] reads it.
func NewKey(id string) (string, error) {
	if err := state.CheckName("id", id); err != nil {
		return "", err
	}
	secret := make([]byte, MinKey)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return id + ":" + base64.RawURLEncoding.EncodeToString(secret), nil
}

func newKey(id string, secret []byte) *key {
	k := &key{id: id}
	k.pool.New = func() any { return &scratch{mac: hmac.New(sha256.New, secret)} }
	return k
}

// find returns the key of an id; nil if the ring has none.
func (r *Ring) find(id string) *key {
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// scratch is what one signature is worked out in.
type scratch struct {
	mac  hash.Hash
	in   [prefixLen + secretLen + bindingLen]byte
	sum  [sha256.Size]byte
	text [macLen]byte
}

// sign works out the signature of a token's head for what it is bound to. The id need not be signed once more: it is among
// what the pass is bound to.
func (s *scratch) sign(head string, b *binding) {
	copy(s.in[:], head[:prefixLen])
	copy(s.in[prefixLen:], head[prefixLen+idLen:])
	copy(s.in[prefixLen+secretLen:], b[:])
	s.mac.Reset()
	s.mac.Write(s.in[:])
	base64.RawURLEncoding.Encode(s.text[:], s.mac.Sum(s.sum[:0]))
}

// binding stands for all that a pass is good for: the first 200 bits of its SHA-256. So much fits into one block of the
// signature's hash, beside what else is signed.
type binding [bindingLen]byte

const bindingLen = 25

// bind sums up what a pass is good for, for an audience. Each text goes with its length, so that no two differ and read
// alike.
func bind(p *state.Pass, audience string) (b binding) {
	h := sha256.New()
	text := func(s string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
	text("recess bypass pass, version 1")
	for _, s := range [...]string{audience, p.ID, p.Key, p.For, p.Scope, p.Window} {
		text(s)
	}
	occurrence := int64(math.MinInt64) // none
	if !p.Occurrence.IsZero() {
		occurrence = p.Occurrence.UnixMilli()
	}
	var times [16]byte
	binary.BigEndian.PutUint64(times[:8], uint64(occurrence))
	binary.BigEndian.PutUint64(times[8:], uint64(p.Expires.UnixMilli()))
	h.Write(times[:])
	copy(b[:], h.Sum(nil))
	return b
}
