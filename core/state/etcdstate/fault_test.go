package etcdstate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAnErrorSaysWhatToDo(t *testing.T) {
	plain, secure := &store{endpoints: []string{"http://localhost"}}, &store{endpoints: []string{"https://localhost"}}
	connection := func(why string) error {
		return status.Error(codes.Unavailable, `connection error: desc = "transport: `+why+`"`)
	}
	for want, c := range map[string]struct {
		over *store
		err  error
	}{
		"the user and the password":                    {plain, rpctypes.ErrGRPCAuthFailed},
		"name a user and a password":                   {plain, rpctypes.ErrGRPCUserEmpty},
		"token is not valid":                           {plain, rpctypes.ErrGRPCInvalidAuthToken},
		"etcdctl alarm disarm":                         {plain, rpctypes.ErrGRPCNoSpace},
		"etcdctl alarm list":                           {plain, rpctypes.ErrGRPCCorrupt},
		"no leader: most members":                      {plain, rpctypes.ErrGRPCNoLeader},
		"request timed out: most members":              {plain, rpctypes.ErrGRPCTimeout},
		"is a learner: name voting members":            {plain, rpctypes.ErrGRPCNotSupportedForLearner},
		"--max-request-bytes":                          {plain, rpctypes.ErrGRPCRequestTooLarge},
		"grant-permission ROLE readwrite recess":       {plain, rpctypes.ErrGRPCPermissionDenied},
		"connection refused":                           {plain, connection("Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused")},
		"name the file":                                {secure, connection("authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority")},
		"name the hosts as the certificate does":       {secure, connection("authentication handshake failed: x509: certificate is valid for a, not b")},
		"renew the server's certificate":               {secure, connection("authentication handshake failed: x509: certificate has expired or is not yet valid")},
		"certificate required: the server hung up":     {secure, connection("remote error: tls: certificate required")},
		"bad certificate: the server hung up":          {secure, connection("remote error: tls: bad certificate")},
		"write etcd: for etcds:":                       {secure, connection("authentication handshake failed: EOF")},
		"write etcds: for etcd:":                       {plain, connection("error reading server preface: EOF")},
		"connection reset by peer: the server may spe": {plain, connection("error reading server preface: connection reset by peer")},
		"the frame header looked like an HTTP/1.1 hea": {plain, connection("the frame header looked like an HTTP/1.1 header")},
		"their port is 2379":                           {plain, status.Error(codes.Unimplemented, "404")},
		"something else":                               {plain, status.Error(codes.Internal, "something else")},
		"deadline exceeded":                            {plain, context.DeadlineExceeded},
		"see tls_cert and tls_key":                     {secure, connection("write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe")},
		"hung up: if it always does":                   {secure, connection("error reading server preface: EOF")},
		"connection reset by peer":                     {plain, connection("read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer")},
	} {
		got := c.over.explain(c.err, "readwrite", "recess")
		if !strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v, want %q", c.err, got, want)
		}
		if strings.Contains(got.Error(), "desc =") && status.Code(c.err) == codes.Unavailable {
			t.Errorf("gRPC's wrapping is left: %v", got)
		}
	}
	if err := plain.explain(rpctypes.ErrPermissionDenied, "readwrite", "recess/instances/"); !strings.Contains(err.Error(), "ROLE --prefix readwrite recess/instances/") {
		t.Errorf("a right to all instances: %v", err)
	}
	if err := plain.explain(nil, "read", "recess"); err != nil {
		t.Errorf("no error: %v", err)
	}
	if err := plain.explain(context.DeadlineExceeded, "read", "recess"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("not wrapped: %v", err)
	}
}

func TestServersAreNamedWithoutAUser(t *testing.T) {
	s := &store{endpoints: []string{"http://root:s3cr3t@a:1", "b:2", "https://c:3"}}
	if got := s.servers(); got != "a:1,b:2,c:3" {
		t.Errorf("the servers are %q", got)
	}
}
