package etcdstate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// remedies are what an operator can do about etcd's errors.
var remedies = map[error]string{
	rpctypes.ErrAuthFailed: "check the user and the password in the state URL",
	rpctypes.ErrUserEmpty: "authentication is on: name a user and a password in the state URL, or connect with a certificate " +
		"that names a user",
	rpctypes.ErrInvalidAuthToken: "the client's token is not valid, or not any more: give it another one",
	rpctypes.ErrNoSpace: "the cluster takes no writes: compact and defragment it, or raise its quota, " +
		"and then run etcdctl alarm disarm",
	rpctypes.ErrCorrupt:                    "the members' data differ: see etcdctl alarm list, and replace the member that is wrong",
	rpctypes.ErrNoLeader:                   lookForLeader,
	rpctypes.ErrTimeout:                    lookForLeader,
	rpctypes.ErrTimeoutDueToLeaderFail:     lookForLeader,
	rpctypes.ErrTimeoutDueToConnectionLost: lookForLeader,
	rpctypes.ErrRequestTooLarge:            "a save sends the old document and the new one: raise the servers' --max-request-bytes",
	rpctypes.ErrTooManyRequests:            "the cluster is behind with its work",
	errLearner:                             "this member is a learner: name voting members in the state URL, or promote it with etcdctl member promote",
}

const lookForLeader = "most members of the cluster must run and reach each other: see etcdctl endpoint status --cluster"

// symptoms are the words in which gRPC says why there is no connection, over TLS and without. The first that is found
// counts.
var symptoms = map[bool][]symptom{
	false: {
		{"looked like an HTTP/1.1 header", notEtcd},
		{"use of closed network connection", noAnswer},
		{"reading server preface", speaksTLS}, // it hung up: EOF, or a reset where it had not read all
	},
	true: {
		{"signed by unknown authority", "name the file of the server's certificate authority as tls_ca"},
		{"certificate is valid for", wrongName},
		{"cannot validate certificate for", wrongName},
		{"certificate is not valid for any names", wrongName},
		{"certificate has expired or is not yet valid", "renew the server's certificate, or set the clock"},
		{"handshake failed: EOF", "the server may speak no TLS: then write etcd: for etcds:"},
		{"no application protocol", notEtcd},
		{"remote error: tls:", refused},
		{"EOF", refused},
		{"broken pipe", refused},
		{"connection reset by peer", refused},
		{"use of closed network connection", noAnswer},
	},
}

type symptom struct{ words, remedy string }

const (
	wrongName = "name the hosts as the certificate does, or give its name as tls_server_name"
	refused   = "the server hung up: if it always does, it wants a certificate, or another one: see tls_cert and tls_key"
	speaksTLS = "the server may speak TLS: then write etcds: for etcd:"
	notEtcd   = "this is no address for clients of etcd: their port is 2379 by default, and 2380 is for members"
	noAnswer  = "it was connected, and nothing answered"
)

// explain says what an error means, and what to do where that is known. Right is what is needed to the key, or to all
// keys that begin with it if it ends with a slash.
func (s *store) explain(err error, right, key string) error {
	err = rpctypes.Error(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", s.servers(), err)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		if strings.HasSuffix(key, "/") {
			right = "--prefix " + right
		}
		return fmt.Errorf("%w: the user needs a role with the right: etcdctl role grant-permission ROLE %s %s", err, right, key)
	}
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		if remedy := remedies[known]; remedy != "" {
			return fmt.Errorf("%w: %s", err, remedy)
		}
		return err
	}
	return s.unconnected(err)
}

// unconnected is explain for what gRPC says when it has no connection, or none to etcd.
func (s *store) unconnected(err error) error {
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%s: %w: %s", s.servers(), err, notEtcd)
	}
	if status.Code(err) != codes.Unavailable {
		return fmt.Errorf("%s: %w", s.servers(), err)
	}
	text, never := strings.CutPrefix(status.Convert(err).Message(), neverConnected)
	if !never && s.met.Load() { // a connection broke that was sound: both sides mean the same by TLS
		return fmt.Errorf("%s: %s", s.servers(), text)
	}
	// gRPC's own words: connection error: desc = "transport: Error while dialing: …"
	text = strings.TrimSuffix(strings.TrimPrefix(text, ` desc = "`), `"`)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "transport: "), "Error while dialing: ")
	secure := strings.HasPrefix(strings.Join(s.endpoints, ""), "https:") || strings.Contains(text, "handshake")
	for _, symptom := range symptoms[secure] {
		if strings.Contains(text, symptom.words) {
			text += ": " + symptom.remedy
			break
		}
	}
	return fmt.Errorf("%s: %s", s.servers(), text)
}

// neverConnected is what gRPC's messages begin with where there was no connection.
const neverConnected = "connection error:"

// inDoubt reports whether an error leaves open if a write was carried out: its answer is missing, and it was sent.
func inDoubt(err error) bool {
	switch err := rpctypes.Error(err); {
	case errors.Is(err, rpctypes.ErrNoLeader):
		return false
	case errors.As(err, new(rpctypes.EtcdError)):
		return unavailable(err)
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unimplemented, codes.ResourceExhausted, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.NotFound:
		return false
	case codes.Unavailable:
		return !strings.HasPrefix(status.Convert(err).Message(), neverConnected)
	}
	return true
}

// unavailable reports an error that the next attempt may not meet: a connection that broke, a member that ends.
func unavailable(err error) bool {
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return known.Code() == codes.Unavailable
	}
	return status.Code(err) == codes.Unavailable
}

// servers names the endpoints.
func (s *store) servers() string {
	var hosts []string
	for _, endpoint := range s.endpoints {
		if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
			endpoint = u.Host // and no user
		}
		hosts = append(hosts, endpoint)
	}
	return strings.Join(hosts, ",")
}
