package adaptertest

import (
	"sync/atomic"

	"github.com/recess-go/recess/core"
)

// Hooks returns the hooks of the site for one framework. call makes a Call of the framework's context.
func Hooks[C any](s *Site, call func(C) Call) recess.Hooks[C] {
	hooks := recess.Hooks[C]{
		User:   func(c C) recess.User { return s.user(call(c)) },
		Logout: func(c C) error { return s.logout(call(c)) },
	}
	if s.Answers {
		hooks.Respond = func(c C, d recess.Decision) error { return s.respond(call(c), d) }
	}
	return hooks
}

// hookBehaviour is what a test wants of the hooks, and what it wants to know of them. A nil function is the default.
type hookBehaviour struct {
	user    func(Call) recess.User
	logout  func(Call) error
	respond func(Call, recess.Decision) error

	userCalls, logoutCalls, respondCalls atomic.Int64
}

// user is Hooks.User: the header says who it is. The names are those of the example shop: alice is a user, staff is
// staff with role ops, root is a superuser with role admin and not staff.
func (s *Site) user(c Call) recess.User {
	s.hooks.userCalls.Add(1)
	if s.hooks.user != nil {
		return s.hooks.user(c)
	}
	return users[c.Header(headerUser)]
}

var users = map[string]recess.User{
	"alice": {Name: "alice", Authenticated: true},
	"staff": {Name: "staff", Authenticated: true, Staff: true, Roles: []string{"ops"}},
	"root":  {Name: "root", Authenticated: true, Superuser: true, Roles: []string{"admin"}},
	"both":  {Name: "both", Authenticated: true, Staff: true, Superuser: true},
}

func (s *Site) logout(c Call) error {
	s.hooks.logoutCalls.Add(1)
	if s.hooks.logout != nil {
		return s.hooks.logout(c)
	}
	return nil
}

func (s *Site) respond(c Call, d recess.Decision) error {
	s.hooks.respondCalls.Add(1)
	if s.hooks.respond != nil {
		return s.hooks.respond(c, d)
	}
	return c.Reply(503, "the application answers: "+string(d.Reason)+"\n")
}
