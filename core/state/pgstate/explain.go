package pgstate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recess-go/recess/core/state"
)

// advice is what to do about an error that the server reports, by its SQLSTATE.
// Source: PostgreSQL's documentation, appendix A.
var advice = map[string]string{
	"08P01": "the server or the pooler does not take what the connection asks for: look at the parameters of the URL",
	"28000": "the server does not let this user in: look at the user's name, at sslmode and at the server's pg_hba.conf",
	"28P01": "the server refuses the password",
	"3D000": "there is no such database",
	"40001": "other transactions kept coming in between: try again",
	"40P01": "other transactions kept coming in between: try again",
	"42601": "the server does not know a statement: it has to be PostgreSQL 14 or later",
	"53300": "the server has no connection left: a backend needs one that listens and those of its pool; raise max_connections, or poll through a pooler",
	"57014": "the server's statement_timeout was shorter than the time that the statement needed",
	"57P01": "the server closed the connection or is shutting down",
	"57P02": "the server is recovering from a crash",
	"57P03": "the server is starting, shutting down or recovering",
	"57P05": "the server closed the connection, since it was idle for longer than idle_session_timeout: leave that longer than the probe",
}

// explain says what to do about an error, and leaves its words for who knows PostgreSQL. It leaves out of the chain what
// would hand out the connection's configuration with its password.
func (s *store) explain(err error) error {
	if err == nil {
		return nil
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		err = oneLine{connect.Unwrap()}
	}
	switch code := code(err); code {
	case "":
		return explainLink(err)
	case "25006":
		return fmt.Errorf("%w: the server takes no changes: it is a standby, or default_transaction_read_only is on; "+
			"connect to the primary, with several hosts by target_session_attrs=read-write: %w", state.ErrReadOnly, err)
	case "42P01", "3F000":
		return fmt.Errorf("the tables %s and %s are not there: make them once, with \"recess migrate\", pgstate.Migrate or the SQL of pgstate.Schema, "+
			"or look at the parameter table and at the search_path: %w", s.documents, s.instances, err)
	case "42703":
		return fmt.Errorf("%s or %s is no table that Recess made: choose another name by the parameter table: %w", s.documents, s.instances, err)
	case "42501":
		return fmt.Errorf("the user lacks a right: services need select, insert and update on %s, and delete too on %s; "+
			"who migrates has to own them, or may create tables: %w", s.documents, s.instances, err)
	case "22021", "22P05":
		return fmt.Errorf("%w: it is text in the database's encoding, which has to be UTF8: %w", state.ErrInexpressible, err)
	case "55P03":
		return fmt.Errorf("%w: another transaction holds a lock on %s: end it, its process id is in pg_locks: %w", context.DeadlineExceeded, s.documents, err)
	default:
		if what := advice[code]; what != "" {
			return fmt.Errorf("%s: %w", what, err)
		}
		return err
	}
}

// oneLine is an error about several attempts, one a line, on one line: they go into logs.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }
func (e oneLine) Unwrap() error { return e.error }

// explainSave explains an error of a change to the document, which this user may not be meant to make.
func (s *store) explainSave(err error) error {
	switch code := code(err); {
	case code == "42501":
		return fmt.Errorf("%w: %w", state.ErrReadOnly, s.explain(err))
	case code == "25006" && s.own != nil:
		s.pool.Reset() // these connections lead to what was the primary once; another server may be it now
	}
	return s.explain(err)
}

// explainLink explains an error that the server did not report.
func explainLink(err error) error {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("the server's certificate is of an authority that is not trusted here: name its certificate by sslrootcert: %w", err)
	case errors.As(err, &hostname):
		return fmt.Errorf("the server's certificate is for another host than the URL names: %w", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("the server's certificate is not valid: %w", err)
	case errors.As(err, &record), strings.Contains(err.Error(), "server refused TLS connection"):
		return fmt.Errorf("the server takes no TLS: turn ssl on there, or choose another sslmode: %w", err)
	}
	return err
}

// code is the SQLSTATE of an error that the server reported, else "".
func code(err error) string {
	var reported *pgconn.PgError
	if errors.As(err, &reported) {
		return reported.Code
	}
	return ""
}
