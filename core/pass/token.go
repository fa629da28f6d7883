package pass

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// The parts of a token. All are of fixed length.
const (
	linkPrefix = "rl1_" // link, version 1
	passPrefix = "rp1_"

	prefixLen = 4
	idLen     = 24 // base32 of 15 bytes
	secretLen = 26 // crypto/rand.Text: 130 bits
	macLen    = 43 // base64url of 32 bytes

	headLen  = prefixLen + idLen + secretLen
	tokenLen = headLen + macLen
)

// idPrefix begins the ids of passes, as "w" begins those of windows.
const idPrefix = "p"

// Tokens are the two texts that belong to one pass. Whoever has one of them has what it stands for: they go to the person
// whom the pass is for, and are kept nowhere.
type Tokens struct {
	// Link can be exchanged for Pass as often as the document says.
	Link string
	// Pass lets in.
	Pass string
}

// Issue draws a new pass: it fills in the ID and the Key of what the document shall say of it, and returns its tokens. What
// else the record says is signed, so it must be complete, and its times whole milliseconds; only Uses may change later.
func (r *Ring) Issue(p *state.Pass) Tokens {
	secret := rand.Text()[:secretLen]
	p.ID, p.Key = idPrefix+hashSecret(secret), r.keys[0].id
	k, b := r.keys[0], bind(p, r.audience)
	head := p.ID[len(idPrefix):] + secret
	return Tokens{Link: k.complete(linkPrefix+head, &b), Pass: k.complete(passPrefix+head, &b)}
}

// Exchange returns the pass for a link to it, given what the document says of that pass; ok is false if the link is none to
// this pass. Whether it can still be used is for the caller to say.
func (r *Ring) Exchange(link string, p *state.Pass) (token string, ok bool) {
	k := r.find(p.Key)
	if k == nil || idOf(link, linkPrefix) != p.ID {
		return "", false
	}
	b := bind(p, r.audience)
	if !k.verify(link, &b) {
		return "", false
	}
	return k.complete(passPrefix+link[prefixLen:headLen], &b), true
}

// LinkID is the id of the pass that a text is a link to, if it is one: nothing of it is checked but its form. "" if it has
// not that form.
func LinkID(text string) string { return idOf(text, linkPrefix) }

func idOf(token, prefix string) string {
	if len(token) != tokenLen || !strings.HasPrefix(token, prefix) {
		return ""
	}
	return idPrefix + token[prefixLen:prefixLen+idLen]
}

// complete signs a head.
func (k *key) complete(head string, b *binding) string {
	s := k.pool.Get().(*scratch)
	defer k.pool.Put(s)
	s.sign(head, b)
	return head + string(s.text[:])
}

// verify reports whether a token of the right length bears the signature of this key for what it is bound to, and an id
// that belongs to its secret. It takes the same time wherever it differs.
func (k *key) verify(token string, b *binding) bool {
	s := k.pool.Get().(*scratch)
	s.sign(token[:headLen], b)
	signed := equal(s.text[:], token[headLen:])
	k.pool.Put(s)
	id := hashed(token[prefixLen+idLen : headLen])
	return signed&equal(id[:], token[prefixLen:prefixLen+idLen]) == 1
}

// hashSecret is the id that belongs to a secret, without its prefix.
func hashSecret(secret string) string {
	id := hashed(secret)
	return string(id[:])
}

func hashed(secret string) (id [idLen]byte) {
	const domain = "recess bypass pass id 1"
	var in [len(domain) + secretLen]byte
	copy(in[:], domain)
	copy(in[len(domain):], secret)
	sum := sha256.Sum256(in[:])
	base32.StdEncoding.Encode(id[:], sum[:idLen*5/8])
	return id
}

// equal compares in constant time: 1 or 0.
func equal(a []byte, b string) int { return subtle.ConstantTimeCompare(a, []byte(b)) }
