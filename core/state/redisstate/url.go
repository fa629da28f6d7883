package redisstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

func init() {
	for _, s := range []struct {
		scheme string
		kind   kind
		tls    bool
	}{
		{"redis", single, false},
		{"rediss", single, true},
		{"redis+sentinel", sentinel, false},
		{"rediss+sentinel", sentinel, true},
		{"redis+cluster", cluster, false},
		{"rediss+cluster", cluster, true},
		{"redis+unix", socket, false},
	} {
		state.Register(s.scheme, func(_ context.Context, rest string) (state.Backend, error) {
			t, err := parse(s.kind, s.tls, rest)
			if err != nil {
				return nil, fmt.Errorf("redisstate: open: %w", err)
			}
			return t.open(), nil
		})
	}
}

// A kind is how servers stand together.
type kind int

const (
	single kind = iota
	sentinel
	cluster
	socket // one server, on this machine
)

// A target is what a state URL says.
type target struct {
	Config
	kind                         kind
	addrs                        []string // of the server, the sentinels, or some of the cluster's nodes; the path of a socket
	username, password           string
	masterName                   string
	sentinelUser, sentinelSecret string
	db                           int
	tls                          *tlsFiles // nil without TLS
}

// parse reads what follows "scheme:". Its errors do not repeat what may be a secret in the wrong place.
func parse(kind kind, secure bool, rest string) (*target, error) {
	t := &target{kind: kind}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return nil, errors.New("after the scheme comes //, as in redis://HOST:PORT/DB")
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New("a '#' in a state URL must be written %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if strings.Contains(path, "@") || strings.Contains(query, "@") {
		return nil, errors.New("there is a '@' after the host: in a user and a password, '/', '?', '#', '@' and '%' must be written %2F, %3F, %23, %40 and %25")
	}
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		if err := t.identify(authority[:at]); err != nil {
			return nil, err
		}
	}
	if err := t.locate(hosts, path, hasPath); err != nil {
		return nil, err
	}
	if secure {
		t.tls = &tlsFiles{}
	}
	if err := t.configure(query); err != nil {
		return nil, err
	}
	return t, t.check()
}

// identify reads who the client is.
func (t *target) identify(info string) error {
	user, password, ok := strings.Cut(info, ":")
	if !ok || password == "" {
		return errors.New("there is no password before the '@': write USER:PASSWORD@, or :PASSWORD@ for the default user")
	}
	var err, errToo error
	t.username, err = url.PathUnescape(user)
	t.password, errToo = url.PathUnescape(password)
	if err != nil || errToo != nil || strings.Contains(info, "@") {
		return errors.New("the user or the password is not escaped: every character but letters, digits and -._~ must be written as %XX")
	}
	return nil
}

// locate reads where the document is.
func (t *target) locate(hosts, path string, hasPath bool) error {
	var err error
	if t.kind == socket {
		path, err = url.PathUnescape(path)
		if hosts != "" || path == "" || err != nil {
			return errors.New("write redis+unix:///PATH/OF/SOCKET, with a '%' in it written %25")
		}
		t.addrs = []string{"/" + path}
		return nil
	}
	if t.addrs, err = addresses(hosts, t.kind); err != nil {
		return err
	}
	switch t.kind {
	case sentinel:
		var name string
		name, path, hasPath = strings.Cut(path, "/")
		t.masterName, err = url.PathUnescape(name)
		if err != nil || t.masterName == "" {
			return errors.New("after the sentinels comes the name of the master, as in redis+sentinel://HOST,HOST,HOST/mymaster")
		}
	case cluster:
		if path != "" {
			return errors.New("a cluster has no databases: nothing comes after its hosts but '?'")
		}
		return nil
	}
	if hasPath && path != "" {
		return t.choose(path, "what comes after the '/'")
	}
	return nil
}

var hostShape = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// addresses reads a list of hosts.
func addresses(hosts string, kind kind) ([]string, error) {
	port := "6379"
	if kind == sentinel {
		port = "26379"
	}
	var addrs []string
	for i, text := range strings.Split(hosts, ",") {
		host, own, ok := splitHost(text)
		if !ok {
			return nil, fmt.Errorf("host number %d is none: write HOST, HOST:PORT or [IPV6]:PORT, and commas between several", i+1)
		}
		addrs = append(addrs, net.JoinHostPort(host, cmp.Or(own, port)))
	}
	if kind == single && len(addrs) > 1 {
		return nil, errors.New("there are several hosts: write redis+sentinel: or redis+cluster: for servers that stand together")
	}
	return addrs, nil
}

func splitHost(text string) (host, port string, ok bool) {
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		host, port, ok = strings.Cut(inner, "]")
		if ok = ok && net.ParseIP(host) != nil; port != "" {
			port, ok = strings.CutPrefix(port, ":")
			ok = ok && net.ParseIP(host) != nil && port != ""
		}
	} else {
		host, port, ok = strings.Cut(text, ":")
		ok = hostShape.MatchString(host) && ok == (port != "")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		ok = ok && err == nil && n > 0
	}
	return host, port, ok
}

// choose reads the number of a database.
func (t *target) choose(text, where string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%s must be the number of a database", where)
	}
	t.db = int(n)
	return nil
}

// configure reads the query.
func (t *target) configure(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query is not escaped: a '%' in it must be written %25, a '+' %2B, a ';' %3B")
	}
	for name, all := range values {
		set, known := parameters[name]
		switch {
		case !known:
			return fmt.Errorf("the parameter %.40q is unknown: there are key, timeout, probe, db, sentinel_username, sentinel_password, tls_ca, tls_cert, tls_key, tls_server_name and tls_skip_verify", name)
		case len(all) > 1:
			return fmt.Errorf("the parameter %s is given %d times", name, len(all))
		case all[0] == "":
			return fmt.Errorf("the parameter %s is empty", name)
		case strings.HasPrefix(name, "tls_") && t.tls == nil:
			return fmt.Errorf("the parameter %s is for TLS: write rediss in place of redis", name)
		case strings.HasPrefix(name, "sentinel_") && t.kind != sentinel:
			return fmt.Errorf("the parameter %s is for redis+sentinel and rediss+sentinel", name)
		}
		if err := set(t, all[0]); err != nil {
			return fmt.Errorf("the parameter %s: %w", name, err)
		}
	}
	if values.Has("sentinel_username") && !values.Has("sentinel_password") {
		return errors.New("the parameter sentinel_username needs sentinel_password")
	}
	if t.tls != nil {
		return t.tls.check()
	}
	return nil
}

var parameters = map[string]func(*target, string) error{
	"key":               func(t *target, v string) error { t.Key = v; return nil },
	"timeout":           func(t *target, v string) (err error) { t.Timeout, err = duration(v); return err },
	"probe":             func(t *target, v string) (err error) { t.Probe, err = duration(v); return err },
	"db":                chooseByName,
	"sentinel_username": func(t *target, v string) error { t.sentinelUser = v; return nil },
	"sentinel_password": func(t *target, v string) error { t.sentinelSecret = v; return nil },
	"tls_ca":            func(t *target, v string) error { t.tls.ca = v; return nil },
	"tls_cert":          func(t *target, v string) error { t.tls.cert = v; return nil },
	"tls_key":           func(t *target, v string) error { t.tls.key = v; return nil },
	"tls_server_name":   func(t *target, v string) error { t.tls.serverName = v; return nil },
	"tls_skip_verify":   skipVerify,
}

func chooseByName(t *target, value string) error {
	switch {
	case t.kind == cluster:
		return errors.New("a cluster has no databases")
	case t.db != 0:
		return errors.New("the database is given twice")
	}
	return t.choose(value, "it")
}

func skipVerify(t *target, value string) (err error) {
	if t.tls.skipVerify, err = strconv.ParseBool(value); err != nil {
		return errors.New("it must be true or false")
	}
	return nil
}

func duration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, errors.New("it must be a positive duration with its unit, as in 4s or 500ms")
	}
	return d, nil
}
