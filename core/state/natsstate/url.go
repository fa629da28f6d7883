package natsstate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recess-go/recess/core/state"
)

func init() {
	state.Register("nats", opener(false))
	state.Register("nats+tls", opener(true))
}

// opener returns the [state.Opener] of a scheme. What it opens connects when it is first used.
func opener(secure bool) state.Opener {
	return func(_ context.Context, rest string) (state.Backend, error) {
		t, err := parse(rest, secure)
		if err != nil {
			return nil, fmt.Errorf("natsstate: open: %w", err)
		}
		return on(t.link(), t.config), nil
	}
}

// A target is what a state URL names.
type target struct {
	config Config
	hosts  []string

	user, password, token string
	creds, nkey           string // files
	inbox                 string // the prefix of subjects for answers

	tls            *tls.Config // nil unless it is demanded
	ca, cert, key  string      // files
	handshakeFirst bool
	options        []nats.Option // of all files
}

var (
	hostShape = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$`)
	// inboxShape is a subject without wildcards.
	inboxShape = regexp.MustCompile(`^[-_A-Za-z0-9]+(\.[-_A-Za-z0-9]+)*$`)
)

// parse reads what follows the scheme: //[USER:PASSWORD@|TOKEN@]HOST[:PORT][,HOST[:PORT]…][?QUERY]. Its errors repeat
// nothing that may be a secret, nor what may be one because somebody did not escape it.
func parse(rest string, secure bool) (*target, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return nil, errors.New("after the scheme comes //: write nats://host:4222")
	}
	authority, query := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
		if strings.Contains(rest[end:], "@") && !strings.Contains(authority, "@") {
			return nil, errors.New("write a '/', '?' or '#' in the user, password or token as %2F, %3F or %23")
		}
		path, after, _ := strings.Cut(rest[end:], "?")
		switch {
		case strings.Contains(path, "#") || strings.Contains(after, "#"):
			return nil, errors.New("a '#' in a state URL must be written %23")
		case path != "" && path != "/":
			return nil, errors.New("the URL has a path, which means nothing here: name the bucket by ?bucket=")
		}
		query = after
	}
	t := &target{}
	if err := t.parseAuthority(authority); err != nil {
		return nil, err
	}
	if secure {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := t.parseQuery(query); err != nil {
		return nil, err
	}
	if err := t.config.check(); err != nil {
		return nil, err
	}
	return t, t.combine()
}

func (t *target) parseAuthority(authority string) (err error) {
	at := strings.LastIndexByte(authority, '@')
	if at >= 0 {
		user, password, both := strings.Cut(authority[:at], ":")
		if user, err = url.PathUnescape(user); err == nil {
			password, err = url.PathUnescape(password)
		}
		switch {
		case err != nil:
			return errors.New("the user, password or token has a '%' that begins no escape: write it as %25")
		case user == "":
			return errors.New("there is an '@', but no user or token before it")
		case both:
			t.user, t.password = user, password
		default:
			t.token = user
		}
	}
	t.hosts = strings.Split(authority[at+1:], ",")
	for i, host := range t.hosts {
		found := hostShape.FindStringSubmatch(host)
		if found == nil {
			return errors.New("the servers make no sense: write them as host:port, parted by commas")
		}
		if found[2] == "" {
			t.hosts[i] = host + ":" + strconv.Itoa(nats.DefaultPort)
		} else if port, err := strconv.ParseUint(found[2][1:], 10, 16); err != nil || port == 0 {
			return errors.New("the port of a server makes no sense: it must be from 1 to 65535")
		}
	}
	return nil
}

// parameters set what a query can say.
var parameters = map[string]func(*target, string) error{
	"bucket":    func(t *target, v string) error { t.config.Bucket = v; return nil },
	"key":       func(t *target, v string) error { t.config.Key = v; return nil },
	"domain":    func(t *target, v string) error { t.config.Domain = v; return nil },
	"timeout":   func(t *target, v string) error { return duration(&t.config.Timeout, v) },
	"probe":     func(t *target, v string) error { return duration(&t.config.Probe, v) },
	"replicas":  func(t *target, v string) (err error) { t.config.Replicas, err = strconv.Atoi(v); return numeric(err) },
	"storage":   setStorage,
	"inbox":     setInbox,
	"creds":     func(t *target, v string) error { t.creds = v; return nil },
	"nkey":      func(t *target, v string) error { t.nkey = v; return nil },
	"tls_ca":    func(t *target, v string) error { t.ca = v; return nil },
	"tls_cert":  func(t *target, v string) error { t.cert = v; return nil },
	"tls_key":   func(t *target, v string) error { t.key = v; return nil },
	"tls_first": setHandshakeFirst,
}

func (t *target) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query cannot be read: write it as name=value&name=value, with a '%' as %25 and no ';'")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		set, known := parameters[name]
		switch {
		case !known:
			return fmt.Errorf("the query parameter %.40q is unknown: there are %s", name, strings.Join(slices.Sorted(maps.Keys(parameters)), ", "))
		case len(values[name]) > 1:
			return fmt.Errorf("%s is given twice", name)
		case values[name][0] == "":
			return fmt.Errorf("%s is empty: give it a value or leave it out", name)
		}
		if err := set(t, values[name][0]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func duration(d *time.Duration, text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 {
		return errors.New("it must be a duration above 0, as 5s or 500ms")
	}
	*d = v
	return nil
}

func numeric(err error) error {
	if err != nil {
		return errors.New("it must be a number")
	}
	return nil
}

func setStorage(t *target, text string) error {
	if text != "file" && text != "memory" {
		return errors.New("it must be file or memory")
	}
	t.config.Memory = text == "memory"
	return nil
}

func setInbox(t *target, text string) error {
	if !inboxShape.MatchString(text) {
		return errors.New("it must be a prefix of subjects without wildcards, as _INBOX_shop")
	}
	t.inbox = text
	return nil
}

func setHandshakeFirst(t *target, text string) (err error) {
	if t.handshakeFirst, err = strconv.ParseBool(text); err != nil {
		return errors.New("it must be true or false")
	}
	return nil
}

// combine checks what belongs together, and the files.
func (t *target) combine() error {
	logins := 0
	for _, given := range []bool{t.user != "" || t.token != "", t.creds != "", t.nkey != ""} {
		if given {
			logins++
		}
	}
	switch {
	case logins > 1:
		return errors.New("user and password or a token, creds, and nkey are three ways to log in: choose one")
	case t.tls == nil && (t.ca != "" || t.cert != "" || t.key != "" || t.handshakeFirst):
		return errors.New("tls_ca, tls_cert, tls_key and tls_first go with the scheme nats+tls")
	case (t.cert == "") != (t.key == ""):
		return errors.New("tls_cert and tls_key go together")
	}
	for _, read := range []func() error{t.readCreds, t.readNkey, t.readTLS} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// readCreds has the file read at each login, when it may be another one.
func (t *target) readCreds() error {
	if t.creds == "" {
		return nil
	}
	if _, err := os.ReadFile(t.creds); err != nil {
		return fmt.Errorf("creds: its file cannot be read: %w", withoutPath(err))
	}
	t.options = append(t.options, nats.UserCredentials(t.creds))
	return nil
}

func (t *target) readNkey() error {
	if t.nkey == "" {
		return nil
	}
	option, err := nats.NkeyOptionFromSeed(t.nkey)
	if err != nil {
		return fmt.Errorf("nkey: it must name a file with the seed of a user's nkey: %w", withoutPath(err))
	}
	t.options = append(t.options, option)
	return nil
}

func (t *target) readTLS() error {
	if t.ca != "" {
		t.options = append(t.options, nats.RootCAs(t.ca))
	}
	if t.cert != "" {
		t.options = append(t.options, nats.ClientCert(t.cert, t.key))
	}
	for _, option := range t.options {
		if err := option(new(nats.Options)); err != nil {
			return fmt.Errorf("tls_ca, tls_cert, tls_key: %w", err)
		}
	}
	return nil
}

// withoutPath keeps a seed to itself that stands where its file should be named.
func withoutPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// link returns the way to the servers.
func (t *target) link() *link {
	l := newLink()
	l.to = strings.Join(t.hosts, ", ")
	config := t.config.complete()
	l.patience = config.Probe
	l.dial = func(l *link) (*nats.Conn, error) {
		o := l.ownOptions(config.Timeout)
		for _, host := range t.hosts {
			o.Servers = append(o.Servers, "nats://"+host)
		}
		o.User, o.Password, o.Token = t.user, t.password, t.token
		o.InboxPrefix = t.inbox
		if t.tls != nil {
			o.Secure, o.TLSConfig, o.TLSHandshakeFirst = true, t.tls.Clone(), t.handshakeFirst
		}
		for _, option := range t.options {
			if err := option(&o); err != nil {
				return nil, withoutPath(err)
			}
		}
		return o.Connect()
	}
	return l
}
