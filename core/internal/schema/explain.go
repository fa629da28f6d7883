package schema

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// Question is what explain is asked: would this request get in, and why?
type Question struct {
	Method  string            `json:"method"` // GET by default
	Host    string            `json:"host"`
	Path    string            `json:"path"`    // / by default; escaped, without the query
	Address string            `json:"address"` // of the client, or of the proxy that the service sees
	Headers map[string]string `json:"headers"`
	User    *Asker            `json:"user"`   // null is anonymous
	Marker  string            `json:"marker"` // of the route: force_off or force_on; routes are not known here
	Scopes  []string          `json:"scopes"` // those that the route is marked with
}

// Asker is a user who is logged in.
type Asker struct {
	Name      string   `json:"name"`
	Staff     bool     `json:"staff"`
	Superuser bool     `json:"superuser"`
	Roles     []string `json:"roles"`
}

// Verdict is what explain says.
type Verdict struct {
	Refused bool     `json:"refused"`
	Reason  string   `json:"reason"` // which rule has decided
	Rule    string   `json:"rule"`   // its text, where it has one
	Window  string   `json:"window"` // the id of the window that covers the request; "" if none does
	Client  string   `json:"client"` // the address that counts; "" if there is none
	Steps   []Step   `json:"steps"`  // the rules in the order in which they were asked
	Notes   []string `json:"notes"`
	Text    string   `json:"text"` // all of it, for people
}

// Step is one rule that was asked.
type Step struct {
	Reason string `json:"reason"`
	Rule   string `json:"rule"`
	Hit    bool   `json:"hit"`
}

// Ask has an engine explain itself. An error is about the question.
func (q *Question) Ask(e *recess.Engine) (Verdict, error) {
	r, err := q.request()
	if err != nil {
		return Verdict{}, err
	}
	x := e.Explain(r)
	v := Verdict{
		Refused: x.Decision.Refuse, Reason: string(x.Decision.Reason), Rule: x.Decision.Rule, Window: x.Decision.Window, Steps: []Step{},
		Notes: append([]string{}, x.Notes...), Text: x.String(),
	}
	if x.Client != nil {
		if x.Client.Client.IsValid() {
			v.Client = x.Client.Client.String()
		}
		v.Text += x.Client.String()
	}
	for _, s := range x.Steps {
		v.Steps = append(v.Steps, Step{string(s.Reason), s.Rule, s.Hit})
	}
	return v, nil
}

// request is the request that the question is about.
func (q *Question) request() (*imagined, error) {
	r := &imagined{question: *q, header: make(http.Header), path: q.Path}
	if q.Path != "" && !strings.HasPrefix(q.Path, "/") {
		return nil, errors.New("path: it begins with a slash, as in /checkout")
	}
	r.path, _, _ = strings.Cut(r.path, "?")
	if q.Address != "" {
		addr, err := netip.ParseAddr(q.Address)
		if err != nil {
			return nil, errors.New("address: write it as in 192.0.2.1 or 2001:db8::1")
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
		return nil, errors.New("marker: write force_off or force_on, or leave it out")
	}
	for _, scope := range q.Scopes {
		if err := state.CheckName("scopes", scope); err != nil {
			return nil, err
		}
	}
	r.marker.Scopes = q.Scopes
	return r, nil
}

// imagined is a request that nobody has made.
type imagined struct {
	question Question
	path     string
	header   http.Header
	peer     netip.AddrPort
	marker   recess.Marker
}

func (r *imagined) Host() string              { return r.question.Host }
func (r *imagined) Header(name string) string { return r.header.Get(name) }
func (r *imagined) Marker() recess.Marker     { return r.marker }
func (r *imagined) Route() string             { return "" }
func (r *imagined) Logout() error             { return nil }

func (r *imagined) Method() string {
	if r.question.Method == "" {
		return http.MethodGet
	}
	return r.question.Method
}

func (r *imagined) Path() string {
	if r.path == "" {
		return "/"
	}
	return r.path
}

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
