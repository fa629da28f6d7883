package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core"
)

// A Right is what somebody may do.
type Right int

// The rights, each of which includes the ones before it.
const (
	None  Right = iota // nothing
	Read               // look at everything
	Write              // change everything
)

// Access says who is asking, and what they may do. The zero Access is nobody.
type Access struct {
	// Name goes into the history of changes.
	Name  string
	Right Right
	// SignedIn is true for anybody who is known: without a right they are told so (403), and not to sign in (401).
	SignedIn bool
}

// Superusers is an Authorize for applications whose Hooks.User says who is a superuser: those may do everything, others
// nothing.
func Superusers(r *http.Request) Access {
	u := recess.UserFrom(r.Context())
	a := Access{Name: u.Name, SignedIn: u.Authenticated}
	if u.Authenticated && u.Superuser {
		a.Right = Write
	}
	return a
}

// caller is who has sent a request.
type caller struct {
	Access
	address netip.Addr // the zero Addr if nobody can tell
	origin  string     // the scheme and the host by which the request came
	bearer  bool       // by a token, which no browser sends by itself
}

// identify finds out who is asking. A bearer token counts alone: a request that has one is never somebody's session.
func (p *Panel) identify(r *http.Request) (c caller, err error) {
	c.address, c.origin = p.address(r), originOf(r)
	token, ok := bearer(r)
	if !ok {
		c.Access = p.authorize(r)
		return c, nil
	}
	c.bearer = true
	known := p.token(token)
	if wait := p.throttle.try(c.address, time.Now(), known != nil); wait > 0 {
		return c, &fault{status: http.StatusTooManyRequests, code: "throttled", detail: "too many wrong tokens came from this address: wait a little", retry: wait}
	}
	if known == nil {
		return c, &fault{status: http.StatusUnauthorized, code: "unauthorized", detail: "nobody has this token"}
	}
	c.Access = Access{Name: known.Name, Right: Read, SignedIn: true}
	if known.Write {
		c.Right = Write
	}
	return c, nil
}

// bearer returns the token of an Authorization header (RFC 6750), and whether there is one at all.
func bearer(r *http.Request) (string, bool) {
	lines := r.Header.Values("Authorization")
	for _, line := range lines {
		scheme, token, _ := strings.Cut(line, " ")
		if strings.EqualFold(scheme, "Bearer") {
			if len(lines) > 1 {
				return "", true // which one is meant?
			}
			return strings.TrimSpace(token), true
		}
	}
	return "", false
}

// token finds the token of a hash. All are compared, whatever the first ones say.
func (p *Panel) token(sent string) (found *recess.AdminToken) {
	hash := sha256.Sum256([]byte(sent))
	for i := range p.tokens {
		if subtle.ConstantTimeCompare(hash[:], p.tokens[i].Hash[:]) == 1 {
			found = &p.tokens[i]
		}
	}
	return found
}

func (p *Panel) authorize(r *http.Request) (a Access) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("Config.Authorize panicked: nobody is let in", "panic", fmt.Sprint(v))
			a = Access{}
		}
	}()
	a = p.config.Authorize(r)
	a.SignedIn = a.SignedIn || a.Right > None
	return a
}

// throttle slows down who tries wrong tokens: so many at once from an address, and then one after each pause.
type throttle struct {
	mu    sync.Mutex
	wrong map[netip.Prefix]failures
	swept time.Time
}

type failures struct {
	left  float64 // attempts
	since time.Time
}

const (
	wrongAtOnce  = 10
	wrongEvery   = 6 * time.Second
	maxAddresses = 4096 // beyond that, all that are new share one place
)

// place is whose attempts are counted together: an address, of IPv6 the /64 that one customer has.
func place(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for who cannot be told
	return p
}

// try takes an attempt down, if it is a wrong one. It returns how long the address has to wait before it may try again: then the
// attempt does not count, be it right or wrong, or it would be known which. It returns 0 if it counts.
func (t *throttle) try(a netip.Addr, now time.Time, right bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := place(a)
	f, known := t.wrong[k]
	if !known && len(t.wrong) >= maxAddresses {
		t.forget(now)
		if len(t.wrong) >= maxAddresses {
			k = netip.Prefix{}
			f, known = t.wrong[k]
		}
	}
	left := float64(wrongAtOnce)
	if known {
		left = f.at(now)
	}
	if left < 1 {
		return time.Duration((1 - left) * float64(wrongEvery))
	}
	if !right {
		if t.wrong == nil {
			t.wrong = make(map[netip.Prefix]failures)
		}
		t.wrong[k] = failures{left - 1, now}
	}
	return 0
}

// forget drops who has made up for everything: not more often than every pause, for it looks at all.
func (t *throttle) forget(now time.Time) {
	if now.Sub(t.swept) < wrongEvery {
		return
	}
	t.swept = now
	maps.DeleteFunc(t.wrong, func(_ netip.Prefix, f failures) bool { return f.at(now) >= wrongAtOnce })
}

func (f failures) at(now time.Time) float64 {
	return min(f.left+float64(now.Sub(f.since))/float64(wrongEvery), wrongAtOnce)
}
