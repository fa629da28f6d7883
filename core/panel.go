package recess

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/recess-go/recess/core/clientip"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// An AdminToken lets a program use the admin API (package admin) as if it were a person of this name.
type AdminToken struct {
	Name  string            // for the history
	Write bool              // it may change the state; else only look at it
	Hash  [sha256.Size]byte // SHA-256 of the token, which stands nowhere
}

// checkTokens finds fault with tokens that nobody could tell apart.
func checkTokens(tokens []AdminToken) error {
	var faults []error
	hashes := make(map[[sha256.Size]byte]bool)
	for _, token := range tokens {
		if err := state.CheckName("name", token.Name); err != nil {
			faults = append(faults, err)
		}
		switch {
		case token.Hash == [sha256.Size]byte{}:
			faults = append(faults, fmt.Errorf("%.64q has no hash", token.Name))
		case token.Hash == sha256.Sum256(nil):
			faults = append(faults, fmt.Errorf("%.64q has the hash of an empty token", token.Name))
		case hashes[token.Hash]:
			faults = append(faults, fmt.Errorf("%.64q has the hash of another one", token.Name))
		}
		hashes[token.Hash] = true
	}
	return errors.Join(faults...)
}

// ControlPath is Policy.ControlPath.
func (e *Engine) ControlPath() string { return e.rules.policy.ControlPath }

// AdminTokens is Policy.AdminTokens.
func (e *Engine) AdminTokens() []AdminToken { return slices.Clone(e.rules.policy.AdminTokens) }

// Passes are Policy.PassKeys, ready to sign; nil if there are none.
func (e *Engine) Passes() *pass.Ring { return e.rules.passes }

// Forced is Policy.Force.
func (e *Engine) Forced() Force { return e.rules.policy.Force }

// Scopes returns the names of the scopes that the application defines, by its policy or by a marker, in their order.
func (e *Engine) Scopes() []string {
	e.mu.Lock()
	defer e.unlock()
	names := slices.Collect(maps.Keys(e.rules.scopes))
	for name := range e.marked {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Client returns the address that a request comes from, as the policy finds it; the zero Addr if nobody can tell.
func (e *Engine) Client(r Request) netip.Addr { return (&inquiry{request: r, rules: e.rules}).client() }

// ClientHeader is the header that trusted proxies name clients in.
func (e *Engine) ClientHeader() string {
	return cmp.Or(e.rules.policy.ClientIPHeader, clientip.DefaultHeader)
}

// Preview renders what a browser would be answered that a window refuses, by the policy's own template. languages is as in
// Accept-Language. An error is about a template that failed, and the answer is then the built-in page.
func (e *Engine) Preview(w state.Window, languages string) (*page.Answer, error) {
	compiled := &window{Window: w}
	renderer := e.rules.renderer
	if e.rules.direct != nil {
		renderer = e.rules.direct
	}
	return renderer.Execute(compiled.pageNotice(e.rules, e.now()), page.HTML, "", languages, "/", nil)
}

// Look is State that also says whether there is a document at all.
func (c *Controller) Look(ctx context.Context) (s state.State, exists bool, err error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return state.State{}, false, err
	}
	if loaded.broken != nil {
		return state.State{}, true, loaded.broken
	}
	return loaded.state, loaded.doc.Rev != state.None, nil
}

// Fleet returns the instances that follow the controller's backend: see [Fleet].
func (c *Controller) Fleet(ctx context.Context) ([]Instance, error) {
	if c.backend == nil { // a forced mode goes without one
		return nil, fmt.Errorf("recess: %w", ErrNoPresence)
	}
	return Fleet(ctx, c.backend)
}

// userKey is where an adapter keeps who asks, for handlers that know nothing of its framework.
type userKey struct{}

// WithUser returns a context that carries who is asking.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// UserFrom returns who is asking, as Hooks.User has said to the adapter that called the handler; the zero User is anonymous.
func UserFrom(ctx context.Context) User {
	u, _ := ctx.Value(userKey{}).(User)
	return u
}
