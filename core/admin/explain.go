package admin

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// A Question is the body of explain: would this request get in, and why?
type question struct {
	Method  string            `json:"method"` // GET by default
	Host    string            `json:"host"`
	Path    string            `json:"path"`    // / by default; escaped, without the query
	Address string            `json:"address"` // of the client, or of the proxy that the service sees
	Headers map[string]string `json:"headers"`
	User    *asker            `json:"user"`   // null is anonymous
	Marker  string            `json:"marker"` // of the route: force_off or force_on; the panel does not know the routes
	Scopes  []string          `json:"scopes"` // those that the route is marked with
}

type asker struct {
	Name      string   `json:"name"`
	Staff     bool     `json:"staff"`
	Superuser bool     `json:"superuser"`
	Roles     []string `json:"roles"`
}

// verdict is what explain says.
type verdict struct {
	Refused bool     `json:"refused"`
	Reason  string   `json:"reason"` // which rule has decided
	Rule    string   `json:"rule"`   // its text, where it has one
	Client  string   `json:"client"` // the address that counts; "" if there is none
	Steps   []step   `json:"steps"`  // the rules in the order in which they were asked
	Notes   []string `json:"notes"`
	Text    string   `json:"text"` // all of it, for people
}

type step struct {
	Reason string `json:"reason"`
	Rule   string `json:"rule"`
	Hit    bool   `json:"hit"`
}

func (p *Panel) explain(_ context.Context, _ *caller, q *question) (verdict, error) {
	imagined, err := q.request()
	if err != nil {
		return verdict{}, err
	}
	x := p.engine.Explain(imagined)
	v := verdict{Refused: x.Decision.Refuse, Reason: string(x.Decision.Reason), Rule: x.Decision.Rule, Steps: []step{}, Notes: append([]string{}, x.Notes...), Text: x.String()}
	if x.Client != nil && x.Client.Client.IsValid() {
		v.Client = x.Client.Client.String()
	}
	for _, s := range x.Steps {
		v.Steps = append(v.Steps, step{string(s.Reason), s.Rule, s.Hit})
	}
	return v, nil
}

// request is the request that the question is about.
func (q *question) request() (*imagined, error) {
	r := &imagined{question: *q, header: make(http.Header)}
	if r.question.Method == "" {
		r.question.Method = http.MethodGet
	}
	switch {
	case q.Path == "":
		r.question.Path = "/"
	case !strings.HasPrefix(q.Path, "/"):
		return nil, usage("path: it begins with a slash, as in /checkout")
	}
	r.question.Path, _, _ = strings.Cut(r.question.Path, "?")
	if q.Address != "" {
		addr, err := netip.ParseAddr(q.Address)
		if err != nil {
			return nil, usage("address: write it as in 192.0.2.1 or 2001:db8::1")
		}
		r.peer = netip.AddrPortFrom(addr, 1)
	}
	for name, value := range q.Headers {
		r.header.Set(name, value)
	}
	switch q.Marker {
	case "":
	case "force_off":
		r.marker.Force = recess.ForcedOff
	case "force_on":
		r.marker.Force = recess.ForcedOn
	default:
		return nil, usage("marker: write force_off or force_on, or leave it out")
	}
	for _, scope := range q.Scopes {
		if err := state.CheckName("scopes", scope); err != nil {
			return nil, usage(err.Error())
		}
		r.marker.Scopes = append(r.marker.Scopes, scope)
	}
	return r, nil
}

// imagined is a request that nobody has made.
type imagined struct {
	question question
	header   http.Header
	peer     netip.AddrPort
	marker   recess.Marker
}

func (r *imagined) Method() string            { return r.question.Method }
func (r *imagined) Host() string              { return r.question.Host }
func (r *imagined) Path() string              { return r.question.Path }
func (r *imagined) Header(name string) string { return r.header.Get(name) }
func (r *imagined) Marker() recess.Marker     { return r.marker }
func (r *imagined) Route() string             { return "" }
func (r *imagined) Logout() error             { return nil }

// Peer implements [recess.Request]. Without an address nobody can tell, which is not a Unix socket.
func (r *imagined) Peer() netip.AddrPort {
	if !r.peer.IsValid() {
		return netip.AddrPortFrom(netip.Addr{}, 1)
	}
	return r.peer
}

func (r *imagined) User() recess.User {
	u := r.question.User
	if u == nil {
		return recess.User{}
	}
	return recess.User{Name: u.Name, Authenticated: true, Staff: u.Staff, Superuser: u.Superuser, Roles: u.Roles}
}
