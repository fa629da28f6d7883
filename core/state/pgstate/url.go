package pgstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func init() {
	state.Register("postgres", open)
	state.Register("postgresql", open)
}

// maxConns is how large the backend's own pool may become. An engine at rest uses one connection of it.
const maxConns = 4

// open is the Opener of postgres: and postgresql:.
func open(_ context.Context, rest string) (state.Backend, error) {
	target, err := parse(rest)
	if err != nil {
		return nil, fmt.Errorf("pgstate: open: %w", err)
	}
	tables, err := target.config.tables()
	if err != nil {
		return nil, fmt.Errorf("pgstate: open: %w", err)
	}
	own := newDialer(target.pool.ConnConfig.DialFunc)
	s := &store{own: own, way: own.way, tables: tables, config: target.config}
	target.pool.ConnConfig.DialFunc = own.Dial
	target.pool.ConnConfig.Tracer = tracer{}
	target.pool.AfterConnect = own.Meet
	// The pool's making connects to nothing, and its connections are not to end with the context of this call.
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), target.pool); err != nil {
		return nil, fmt.Errorf("pgstate: open: %w", err)
	}
	return over(s), nil
}

// A target is what a state URL says.
type target struct {
	config Config
	pool   *pgxpool.Config
}

// passed are the parameters that are left to pgx, which knows them from libpq.
var passed = []string{
	"application_name", "channel_binding", "connect_timeout", "database", "dbname", "host", "krbspn", "krbsrvname",
	"max_protocol_version", "min_protocol_version", "options", "passfile", "password", "pool_max_conns", "port",
	"require_auth", "search_path", "service", "servicefile", "sslcert", "sslcertmode", "sslkey", "sslmode",
	"sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs", "user",
}

// choices are the values of the parameters that have a few.
var choices = map[string][]string{
	"channel_binding":      {"disable", "prefer", "require"},
	"sslcertmode":          {"disable", "allow", "require"},
	"sslmode":              {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
	"sslnegotiation":       {"postgres", "direct"},
	"target_session_attrs": {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"},
	"watch":                {"on", "off"},
}

var (
	// hostShape is one host with its port: a name, an address, or the escaped path of a socket's directory.
	hostShape = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|%2[Ff][A-Za-z0-9._%-]*|[A-Za-z0-9._-]*)(:[0-9]{1,5})?$`)
	// searchPath is a list of plain identifiers.
	searchPath = regexp.MustCompile(`^("?[A-Za-z_$][A-Za-z0-9_$]*"?)(\s*,\s*"?[A-Za-z_$][A-Za-z0-9_$]*"?)*$`)
	parameter  = regexp.MustCompile(`^[a-z_]{1,40}$`)
)

// parse reads what follows the scheme. Its errors show none of it but the names and values of parameters that are known
// not to be secret: what looks like a host may be a part of a password that was not escaped.
func parse(rest string) (target, error) {
	after, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return target{}, errors.New("write it as in postgres://user@host/database")
	}
	if strings.Contains(after, "#") {
		return target{}, errors.New("a '#' must be written %23")
	}
	authority := after
	if end := strings.IndexAny(after, "/?"); end >= 0 {
		authority = after[:end]
	}
	if strings.Count(after, "@") > 1 || strings.Contains(after[len(authority):], "@") {
		return target{}, errors.New("there is an '@' too many: in a user's name, a password or a parameter, write '@' as %40, '/' as %2F and '?' as %3F")
	}
	if err := checkAuthority(authority); err != nil {
		return target{}, err
	}
	place, query, _ := strings.Cut(after, "?")
	if _, err := url.PathUnescape(place[len(authority):]); err != nil {
		return target{}, errors.New("in the database's name, a '%' must be written %25")
	}
	config, pairs, err := parseQuery(query)
	if err != nil {
		return target{}, err
	}
	pool, err := poolConfig("postgres://"+place+"?"+strings.Join(pairs, "&"), config)
	return target{config, pool}, err
}

// checkAuthority checks user, password and hosts.
func checkAuthority(authority string) error {
	user, hosts, found := strings.Cut(authority, "@")
	if !found {
		user, hosts = "", authority
	}
	if _, err := url.PathUnescape(user); err != nil {
		return errors.New("in the user's name or the password, a '%' must be written %25")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !hostShape.MatchString(host) {
			return errors.New("what should be a host and its port is none; in front of it, write '/' as %2F, '?' as %3F and '@' as %40")
		}
	}
	return nil
}

// parseQuery reads the parameters of the backend, and returns those that are pgx's as they stand.
func parseQuery(query string) (config Config, pairs []string, err error) {
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, raw, _ := strings.Cut(pair, "=")
		if !parameter.MatchString(name) {
			return Config{}, nil, errors.New("a parameter's name is not made of lower-case letters and '_'; in a password, write '?' as %3F and '&' as %26")
		}
		value, err := url.PathUnescape(raw)
		switch {
		case err != nil:
			return Config{}, nil, fmt.Errorf("the parameter %s: a '%%' must be written %%25", name)
		case seen[name]:
			return Config{}, nil, fmt.Errorf("the parameter %s is given twice", name)
		case strings.Contains(raw, "="):
			return Config{}, nil, fmt.Errorf("the parameter %s: a '=' in its value must be written %%3D", name)
		case value == "":
			return Config{}, nil, fmt.Errorf("the parameter %s has no value", name)
		}
		seen[name] = true
		ours, err := config.set(name, value)
		if err == nil && !ours {
			err = checkPassed(name, value)
			pairs = append(pairs, pair)
		}
		if err != nil {
			return Config{}, nil, fmt.Errorf("the parameter %s: %w", name, err)
		}
	}
	return config, pairs, nil
}

// set takes a parameter that is the backend's own.
func (c *Config) set(name, value string) (ours bool, err error) {
	switch name {
	case "table":
		c.Table = value
	case "name":
		c.Name = value
	case "watch":
		c.NoWatch = value == "off"
		err = choose(name, value)
	case "timeout":
		c.Timeout, err = parseDuration(value)
	case "probe":
		c.Probe, err = parseDuration(value)
	default:
		return false, nil
	}
	return true, err
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 10*time.Millisecond || d > time.Hour {
		return 0, fmt.Errorf("%.40q is no duration from 10ms to 1h: write it with its unit, as in 4s", value)
	}
	return d, nil
}

// checkPassed checks a parameter that is left to pgx as far as pgx would not say what is wrong with it, or too late.
func checkPassed(name, value string) error {
	switch {
	case !slices.Contains(passed, name):
		return fmt.Errorf("there is none of this name: there are name, probe, table, timeout, watch, and %s", strings.Join(passed, ", "))
	case name == "pool_max_conns" || name == "connect_timeout":
		if n, err := strconv.ParseInt(value, 10, 32); err != nil || n < 1 {
			return fmt.Errorf("%.40q is no number above 0", value)
		}
	case name == "search_path" && !searchPath.MatchString(value):
		return fmt.Errorf("%.80q is no list of schemas", value)
	}
	return choose(name, value)
}

func choose(name, value string) error {
	if options := choices[name]; options != nil && !slices.Contains(options, value) {
		return fmt.Errorf("%.40q is none of %s", value, strings.Join(options, ", "))
	}
	return nil
}

// poolConfig has pgx read the URL, with the files and the environment variables that go with it.
func poolConfig(connString string, config Config) (*pgxpool.Config, error) {
	pool, err := pgxpool.ParseConfig(connString)
	if err != nil {
		// pgx's own words repeat the URL, and do not promise to find the password in it.
		if cause := errors.Unwrap(err); cause != nil {
			return nil, fmt.Errorf("the URL, or an environment variable of libpq (PGHOST, PGSSLMODE, …), makes no sense: %w", cause)
		}
		return nil, errors.New("the URL, or an environment variable of libpq (PGHOST, PGPORT, PGSSLMODE, …), makes no sense: look at hosts and ports, and at values that have to be numbers")
	}
	if !strings.Contains(connString, "pool_max_conns=") {
		pool.MaxConns = maxConns
	}
	pool.MaxConnIdleTime = time.Minute
	pool.PingTimeout = cmp.Or(config.Probe, driver.DefaultProbe)
	conn := pool.ConnConfig
	if conn.ConnectTimeout == 0 { // for each host: one that swallows everything must leave the next one its time
		conn.ConnectTimeout = cmp.Or(config.Timeout, driver.DefaultTimeout) / time.Duration(1+hosts(conn))
	}
	if _, given := conn.RuntimeParams["application_name"]; !given {
		conn.RuntimeParams["application_name"] = "recess"
	}
	if hosts(conn) > 1 && !strings.Contains(connString, "target_session_attrs=") && os.Getenv("PGTARGETSESSIONATTRS") == "" {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite // else it would stay with a standby
	}
	return pool, nil
}

// hosts counts the servers that a connection may lead to. One that is tried with TLS and without counts once.
func hosts(conn *pgx.ConnConfig) int {
	all := map[string]bool{net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port))): true}
	for _, other := range conn.Fallbacks {
		all[net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port)))] = true
	}
	return len(all)
}
