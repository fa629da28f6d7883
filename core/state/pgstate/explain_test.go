package pgstate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recess-go/recess/core/state"
)

func reported(code string) *pgconn.PgError {
	return &pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: code, Message: "as the server says it"}
}

func someStore() *store {
	tables, _ := Config{Table: "ops.recess"}.tables()
	return &store{tables: tables}
}

func TestAnErrorOfTheServerSaysWhatToDo(t *testing.T) {
	for code, want := range map[string]string{
		"28000": "pg_hba.conf", "28P01": "password", "3D000": "database", "42P01": "recess migrate", "3F000": "recess migrate",
		"42703": "choose another name", "42601": "14 or later", "42501": `insert and update on "ops"."recess"`, "25006": "primary", "53300": "max_connections",
		"55P03": "pg_locks", "57014": "statement_timeout", "57P01": "shutting down", "57P02": "recovering", "57P03": "starting",
		"57P05": "idle_session_timeout", "40001": "try again", "40P01": "try again", "08P01": "pooler", "22P05": "UTF8", "22021": "UTF8",
		"58030": "as the server says it",
	} {
		err := someStore().explain(fmt.Errorf("somewhere: %w", reported(code)))
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "as the server says it (SQLSTATE "+code+")") {
			t.Errorf("%s: %v, want something about %s", code, err, want)
		}
	}
}

func TestErrorsOfTheServerAreToldApart(t *testing.T) {
	sentinels := []error{state.ErrReadOnly, state.ErrInexpressible, state.ErrConflict, context.DeadlineExceeded}
	for code, want := range map[string]error{
		"25006": state.ErrReadOnly, "22021": state.ErrInexpressible, "22P05": state.ErrInexpressible, "55P03": context.DeadlineExceeded,
		"42P01": nil, "42501": nil, "28P01": nil,
	} {
		for _, sentinel := range sentinels {
			if got := errors.Is(someStore().explain(reported(code)), sentinel); got != errors.Is(want, sentinel) {
				t.Errorf("%s wraps %q: %v", code, sentinel, got)
			}
		}
	}
	if err := someStore().explainSave(reported("42501")); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("a user who may not write: %v", err)
	}
	if err := someStore().explain(nil); err != nil {
		t.Errorf("no error is explained by %v", err)
	}
}

func TestAnErrorOfTheLinkSaysWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"sslrootcert":         x509.UnknownAuthorityError{},
		"another host":        x509.HostnameError{Certificate: &x509.Certificate{}, Host: "db"},
		"not valid":           x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}},
		"takes no TLS":        errors.New("tls error: server refused TLS connection"),
		"as the network says": errors.New("as the network says it"),
	} {
		if got := explainLink(fmt.Errorf("dialling: %w", err)); !strings.Contains(got.Error(), want) {
			t.Errorf("%v, want something about %s", got, want)
		}
	}
}

func TestOnlyARefusalLeavesNoDoubt(t *testing.T) {
	fatal := reported("57P01")
	fatal.SeverityUnlocalized = "FATAL"
	for _, c := range []struct {
		name  string
		err   error
		doubt bool
	}{
		{"the server refused it", reported("22P05"), false},
		{"the server ended the connection", fatal, true},
		{"the connection broke", fmt.Errorf("reading: %w", net.ErrClosed), true},
		{"the time was over", context.DeadlineExceeded, true},
		{"the connection was closed", pgconn.ErrConnClosed, true},
		{"nothing was sent", unsent{}, false},
	} {
		got := doubt(c.err, c.err)
		if said := strings.Contains(got.Error(), "saved or not"); said != c.doubt || !errors.Is(got, c.err) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// unsent is an error of pgx that certainly came before anything was sent.
type unsent struct{}

func (unsent) Error() string     { return "unsent" }
func (unsent) SafeToRetry() bool { return true }

func TestTheServerWaitsForALockLessLongThanItsClient(t *testing.T) {
	if got := patience(context.Background()); got != "2147483647" {
		t.Errorf("without a deadline: %s", got)
	}
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got := patience(ended); got != "1" { // 0 would be for ever
		t.Errorf("after the deadline: %s", got)
	}
	hour, cancel := context.WithTimeout(t.Context(), 3600e9)
	defer cancel()
	var millis int
	if _, err := fmt.Sscan(patience(hour), &millis); err != nil || millis > 3_240_000 || millis < 3_000_000 {
		t.Errorf("within an hour: %d ms, %v", millis, err)
	}
}

func TestWhatIsUndoneForOthersIsDoneAgain(t *testing.T) {
	tries := 0
	err := untilSerial(t.Context(), func() error {
		tries++
		return []error{reported("40001"), reported("40P01"), nil}[tries-1]
	})
	if err != nil || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
	for _, once := range []error{errors.New("the connection broke"), reported("57014")} {
		tries = 0
		if err := untilSerial(t.Context(), func() error { tries++; return once }); !errors.Is(err, once) || tries != 1 {
			t.Errorf("after %d tries: %v", tries, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := untilSerial(ended, func() error { return reported("40001") }); code(err) != "40001" {
		t.Errorf("after the end: %v", err)
	}
}
