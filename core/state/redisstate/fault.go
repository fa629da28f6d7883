package redisstate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/state"
)

var errUnexpected = errors.New("which is no answer of Redis: what stands at this address?")

func unexpected(command string, answer any) error {
	return fmt.Errorf("the answer to %s is a %T, %w", command, answer, errUnexpected)
}

// unmade reports whether an error says that there was no connection, and so that nothing was sent.
func unmade(err error) bool {
	var (
		own    dialError
		client *net.OpError
	)
	return errors.As(err, &own) || errors.As(err, &client) && client.Op == "dial"
}

// lost reports whether an error leaves open if a command has reached the server.
func lost(err error) bool {
	var answer redis.Error
	if err == nil || unmade(err) || errors.As(err, &answer) {
		return false
	}
	for _, sure := range []error{state.ErrConflict, errUnexpected, redis.ErrClosed, redis.ErrPoolTimeout, redis.ErrPoolExhausted} {
		if errors.Is(err, sure) {
			return false
		}
	}
	return true
}

// inScript is what Redis 7.0 answers for a script whose user may not do what it does; 7.2 and later answer NOPERM.
const inScript = "The user executing the script can't"

// denied reports whether the server's access control list stands against a command.
func denied(err error) bool {
	return redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, inScript)
}

// advice is what the beginning of a server's error means to an operator.
var advice = []struct{ prefix, means string }{
	{"NOAUTH", "it wants a password: write it into the URL, as in redis://USER:PASSWORD@HOST, or redis://:PASSWORD@HOST for the default user"},
	{"WRONGPASS", "it refuses the user or the password"},
	{"AUTH <password> called without any password configured", "its default user has no password: leave it out, or name the user it belongs to"},
	{"Client sent AUTH, but no password is set", "it has no password: leave it out"},
	{"READONLY", "it is a replica, which takes no changes: name the master, or use redis+sentinel: or redis+cluster:, which find it"},
	{"LOADING", "it is still loading its data, and answers when it is done"},
	{"MASTERDOWN", "it is a replica that has lost its master: name the master, or use redis+sentinel:, which finds it"},
	{"OOM", "its memory is full (maxmemory): make room or allow it more; nothing was changed"},
	{"MISCONF", "it cannot write to its disk and takes no changes until it can: its log says why"},
	{"NOREPLICAS", "fewer replicas follow it than its min-replicas-to-write asks for: it takes no changes until they are back"},
	{"CLUSTERDOWN", "the cluster does not work: too many of its masters are down, or slots are not assigned (CLUSTER INFO)"},
	{"MOVED", "it is one node of a cluster: write redis+cluster: in place of redis:"},
	{"ASK", "it is one node of a cluster: write redis+cluster: in place of redis:"},
	{"TRYAGAIN", "the cluster is moving the key to another node, and answers when it is done"},
	{"WRONGTYPE", "the key holds something else: choose another one (?key=NAME), or delete it"},
	{"DB index is out of range", "it has no database of this number"},
	{"SELECT is not allowed in cluster mode", "a cluster has only database 0: leave the number out"},
	{"This instance has cluster support disabled", "it belongs to no cluster: write redis: in place of redis+cluster:"},
	{"max number of clients reached", "it takes no more connections (maxclients)"},
	{"BUSY", "a script has kept it busy for too long (SCRIPT KILL ends it)"},
	{"unknown command", "it does not offer what the backend needs: HMGET, EVALSHA, EVAL, SUBSCRIBE, PING, ZRANGE, MGET, ZREM and DEL"},
}

// A fault is an error in words for an operator. What it was made of is for errors.Is and errors.As.
type fault struct {
	text string
	err  error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

// explain says what was wrong, where, and what to do.
func (s *store) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, state.ErrConflict) {
		return err
	}
	var (
		answer redis.Error
		text   string
	)
	switch {
	case unmade(err):
		text = s.absence(err)
	case errors.As(err, &answer):
		text = meaning(err, answer.Error())
	case lost(err):
		text = s.silence(err)
	default:
		text = s.absence(err)
	}
	if redis.IsReadOnlyError(err) {
		err = errors.Join(state.ErrReadOnly, err)
	}
	return &fault{"Redis at " + s.where + ": " + text, err}
}

// meaning explains a server's answer. The answer itself is shown too, but not one about permissions, which may name the
// user.
func meaning(err error, answer string) string {
	if denied(err) {
		return "its access control list denies " + deniedWhat(answer) + ": grant the user what docs/backends.md lists for Redis"
	}
	for _, a := range advice {
		if redis.HasErrorPrefix(err, a.prefix) {
			return a.means + " (" + answer + ")"
		}
	}
	return answer
}

var quoted = regexp.MustCompile(`'([a-z|]+)'`)

func deniedWhat(answer string) string {
	if found := quoted.FindStringSubmatch(answer); found != nil {
		return strings.ToUpper(strings.ReplaceAll(found[1], "|", " "))
	}
	for _, what := range []string{"key", "channel"} {
		if strings.Contains(answer, what) {
			return "the " + what
		}
	}
	return "a command of the script"
}

// silence explains why a connection has told nothing. That both sides mean the same by it, with TLS or without, shows
// only when the server has answered something.
func (s *store) silence(err error) string {
	var (
		slow net.Error
		op   *net.OpError
	)
	secure := s.own != nil && s.own.tls != nil
	guess := !s.met.Load()
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		text := fmt.Sprintf("it does not answer in time (%v)", err)
		if guess && secure {
			text += "; a port without TLS does the same, and wants redis: in place of rediss:"
		}
		return text
	case errors.As(err, &op) && op.Op == "remote error", // of TLS
		errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		text := fmt.Sprintf("it has closed the connection (%v)", err)
		switch {
		case guess && secure:
			text += "; it does so where it does not accept the client's certificate, or misses one (?tls_cert=FILE&tls_key=FILE)"
		case guess:
			text += "; it does so when it has too many (maxclients), and a port for TLS does, which wants rediss: in place of redis:"
		}
		return text
	}
	return err.Error()
}

// absence explains why there is no connection.
func (s *store) absence(err error) string {
	var (
		noTLS     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
	)
	text := err.Error()
	switch {
	case errors.As(err, &noTLS):
		return "it does not speak TLS on this port: write redis: in place of rediss:, or name its port for TLS"
	case errors.As(err, &authority):
		return "its certificate is of an authority that is not trusted here: name the authority's certificate (?tls_ca=FILE): " + text
	case errors.As(err, &name):
		return "its certificate is for another name: say which one is right (?tls_server_name=NAME): " + text
	case errors.Is(err, redis.ErrClosed):
		return "its client was closed before the backend"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections of its client are in use: " + text
	}
	return "no connection: " + s.silence(err)
}
