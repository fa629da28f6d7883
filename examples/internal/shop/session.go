package shop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core"
)

// users are who can log in. They differ in the ways that a policy can tell apart.
var users = map[string]recess.User{
	"alice": {Name: "alice", Authenticated: true},
	"staff": {Name: "staff", Authenticated: true, Staff: true, Roles: []string{"ops"}},
	"root":  {Name: "root", Authenticated: true, Superuser: true, Roles: []string{"admin"}},
}

// SessionCookie is the name of the cookie.
const SessionCookie = "shop_session"

const sessionLife = 8 * time.Hour

// Sessions makes and reads session cookies: "name.end.id.signature", signed with a key of this process. That is a demo:
// it asks for no password, and several processes do not know each other's sessions.
type Sessions struct {
	key []byte

	mu    sync.Mutex
	ended map[string]time.Time // ids of sessions that were ended, until they would have ended by themselves
}

func newSessions() *Sessions {
	s := &Sessions{key: make([]byte, sha256.Size), ended: make(map[string]time.Time)}
	_, _ = rand.Read(s.key) // it never fails
	return s
}

// Begin starts a session. It returns an error for a name that nobody has.
func (s *Sessions) Begin(name string) (*http.Cookie, error) {
	user, ok := users[name]
	if !ok {
		return nil, fmt.Errorf("nobody is called %.40q: log in as alice, staff or root", name)
	}
	ends := time.Now().Add(sessionLife)
	text := user.Name + "." + strconv.FormatInt(ends.Unix(), 10) + "." + rand.Text()
	return cookie(text+"."+s.sign(text), int(sessionLife.Seconds())), nil
}

// End ends the session of a cookie's value for good, and returns the cookie that takes it from the browser. It is what
// Policy.Logout needs: who was logged out must be anonymous from then on, in the same request too.
func (s *Sessions) End(value string) *http.Cookie {
	if _, id, ends := s.read(value); id != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		for id, ends := range s.ended {
			if time.Now().After(ends) {
				delete(s.ended, id)
			}
		}
		s.ended[strings.Clone(id)] = ends // fiber reuses what value is made of
	}
	return cookie("", -1)
}

// User is who has sent this value; anonymous if it is none of ours, or over.
func (s *Sessions) User(value string) recess.User {
	user, id, ends := s.read(value)
	if id == "" || time.Now().After(ends) {
		return recess.User{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.ended[id]; over {
		return recess.User{}
	}
	return user
}

// read takes a value apart whose signature is right; the id is "" for any other.
func (s *Sessions) read(value string) (user recess.User, id string, ends time.Time) {
	dot := strings.LastIndexByte(value, '.')
	if dot < 0 || !hmac.Equal([]byte(s.sign(value[:dot])), []byte(value[dot+1:])) {
		return user, "", ends
	}
	parts := strings.Split(value[:dot], ".")
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return user, "", ends
	}
	return users[parts[0]], parts[2], time.Unix(seconds, 0)
}

func (s *Sessions) sign(text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: SessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Me is what GET /me says.
type Me struct {
	User          string   `json:"user"`
	Authenticated bool     `json:"authenticated"`
	Staff         bool     `json:"staff"`
	Superuser     bool     `json:"superuser"`
	Roles         []string `json:"roles"`
}

// MeOf describes a user.
func MeOf(u recess.User) Me {
	if !u.Authenticated {
		return Me{User: "anonymous", Roles: []string{}}
	}
	return Me{u.Name, true, u.Staff, u.Superuser, append([]string{}, u.Roles...)} // never null in JSON
}
