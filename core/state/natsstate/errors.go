package natsstate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/state"
)

// forbidden says that the user lacks a permission.
type forbidden struct {
	subject string
	listen  bool // it is to subscribe, not to publish
}

// anyName writes a name that changes as the wildcard that permissions need in its place.
func anyName(err error, name string) error {
	var denied forbidden
	if !errors.As(err, &denied) {
		return err
	}
	denied.subject = strings.Replace(denied.subject, name, "*", 1)
	return denied
}

func (e forbidden) Error() string {
	if e.listen {
		return "the user may not subscribe to the client's inbox: allow it _INBOX.> in the server's permissions, or name the prefix that is allowed by inbox=PREFIX"
	}
	return fmt.Sprintf("the user may not publish to %s: allow it in the server's permissions", e.subject)
}

// errSilent says that the server, which answers otherwise, did not answer a request.
type errSilent struct{ cause error }

func (e errSilent) Error() string {
	if errors.Is(e.cause, context.Canceled) {
		return e.cause.Error()
	}
	return "the server lives, but JetStream does not answer: its leader may be missing, or the stream offline"
}

func (e errSilent) Unwrap() error { return e.cause }

// An unsure error leaves open whether something was stored.
type unsure struct{ cause error }

func (e unsure) Error() string { return "whether it was stored is not known: " + e.cause.Error() }
func (e unsure) Unwrap() error { return e.cause }

// refusedLogin reports whether the server did not let the client in.
func refusedLogin(err error) bool {
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// refusedTLS reports whether one of both sides does not trust the other.
func refusedTLS(err error) bool {
	var alert *net.OpError
	return errors.Is(err, nats.ErrTLS) || errors.As(err, &alert) && alert.Op == "remote error"
}

// JetStream's codes of errors that nats.go has no name for.
const (
	accountLimits       jetstream.ErrorCode = 10002
	noPeers             jetstream.ErrorCode = 10005
	noLeader            jetstream.ErrorCode = 10008
	insufficient        jetstream.ErrorCode = 10023
	memoryExceeded      jetstream.ErrorCode = 10028
	storageExceeded     jetstream.ErrorCode = 10047
	noReplicas          jetstream.ErrorCode = 10074
	storeFailed         jetstream.ErrorCode = 10077
	streamSealed        jetstream.ErrorCode = 10109
	streamOffline       jetstream.ErrorCode = 10118
	noLimits            jetstream.ErrorCode = 10120
	ttlDisabled         jetstream.ErrorCode = 10166
	streamOfflineReason jetstream.ErrorCode = 10194
)

// saving explains an error of storing a document of so many bytes.
func saving(err error, size int, limit int64) error {
	var denied forbidden
	switch {
	case code(err) == jetstream.JSErrCodeStreamWrongLastSequence:
		return state.ErrConflict
	case code(err) == streamSealed:
		return fmt.Errorf("%w: the bucket's stream is sealed: %w", state.ErrReadOnly, err)
	case errors.As(err, &denied) && !denied.listen:
		return fmt.Errorf("%w: %w", state.ErrReadOnly, err)
	}
	return storing(err, size, limit)
}

// storing explains an error of storing a message of so many bytes, on a server that takes no more than limit.
func storing(err error, size int, limit int64) error {
	switch {
	case code(err) == jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return fmt.Errorf("the bucket does not take %d bytes: raise its maximum value size to %d: %w", size, state.MaxReport, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("the server does not take %d bytes in a message: raise its max_payload, which is %d", size, limit)
	case errors.Is(err, errLost), errors.As(err, new(errSilent)), errors.Is(err, context.DeadlineExceeded):
		return unsure{err}
	}
	return err
}

// explain says what to do about an error.
func explain(err error) error {
	if advice := advise(err); advice != "" {
		return fmt.Errorf("%s: %w", advice, err)
	}
	return err
}

func advise(err error) string {
	switch code(err) {
	case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount, noLimits:
		return "JetStream is not enabled for this account: enable it in the server's configuration, or name the right domain"
	case noLeader:
		return "JetStream has no leader: are enough of the cluster's servers up?"
	case streamOffline, streamOfflineReason:
		return "the bucket's servers are down, or cannot serve it"
	case noPeers, noReplicas:
		return "there are not as many servers as replicas are wanted: ask for fewer"
	case accountLimits, insufficient, memoryExceeded, storageExceeded:
		return "the account's or the server's resources do not suffice"
	case storeFailed:
		return "the bucket is full, or its disk is"
	case jetstream.JSErrCodeMaximumConsumersLimit:
		return "no more watches are allowed: raise the maximum number of consumers"
	case ttlDisabled:
		return "the bucket of instances does not take keys with a TTL of their own: remove it and run recess migrate"
	}
	switch {
	case refusedLogin(err):
		return "the server refuses the login: check user and password, token, creds or nkey"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "the server offers no TLS: use nats: in place of nats+tls:, or set TLS up"
	case refusedTLS(err):
		return "TLS with the server fails: tls_ca, tls_cert and tls_key name the files that it may need"
	case errors.Is(err, nats.ErrNoResponders):
		return "nobody answers for JetStream: it is not enabled on the server, the domain is wrong, or the stream has no leader"
	}
	return ""
}
