package sqlstate

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func init() {
	state.Register("mysql", openMySQL)
	state.Register("mariadb", openMySQL)
	state.Register("sqlite", openSQLite)
}

func openMySQL(_ context.Context, rest string) (state.Backend, error) {
	dsn, config, err := parseMySQL(rest)
	if err != nil {
		return nil, fmt.Errorf("sqlstate: open: %w", err)
	}
	if !slices.Contains(sql.Drivers(), "mysql") {
		return nil, errors.New(`sqlstate: open: no driver for MySQL is linked into this program: import _ "github.com/go-sql-driver/mysql"`)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		// Its error is not shown: who knows what of the URL it repeats.
		return nil, errors.New("sqlstate: open: the MySQL driver does not take the URL's parameters: tls and serverPubKey must be names that " +
			"this program has registered with mysql.RegisterTLSConfig and mysql.RegisterServerPubKey before it opens the state")
	}
	// A connection is used every few seconds. It ends after some minutes, so that a change of the server behind a name
	// is noticed, as the driver's documentation wants it.
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(idleConns)
	db.SetConnMaxLifetime(3 * time.Minute)
	b, err := own(db, config)
	if err == nil {
		_, b.store.lockWait = lockWait(config.Timeout)
	}
	return b, err
}

// idleConns is how many connections of a database that was opened here stay open while nobody uses them: what
// database/sql has by itself.
const idleConns = 2

// own returns a backend that closes the database with itself.
func own(db *sql.DB, config Config) (*Backend, error) {
	b, err := New(db, config)
	if err != nil {
		_ = db.Close() // nothing was opened yet
		return nil, err
	}
	b.store.owned = true
	return b, nil
}

// errEscape says how to write what could not be told apart.
var errEscape = errors.New("in a user, a password and a database's name, the characters : / ? # @ and % are written %3A %2F %3F %23 %40 and %25")

// hostShape is a name or an address, with a port or without.
var hostShape = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$`)

// parseMySQL reads what follows "mysql:". It returns the driver's data source name: USER:PASSWORD@tcp(HOST)/DATABASE?…,
// in which nothing before the last slash is escaped. No error shows anything of what stands before the query.
func parseMySQL(rest string) (dsn string, config Config, err error) {
	after, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return "", Config{}, errors.New("write it as in mysql://USER:PASSWORD@HOST:3306/DATABASE")
	}
	before, query, _ := strings.Cut(after, "?")
	authority, path, _ := strings.Cut(before, "/")
	at := strings.LastIndexByte(authority, '@')
	switch {
	case strings.Contains(rest, "#"), strings.Contains(path+query, "@"), strings.Contains(path, "/"):
		return "", Config{}, errEscape
	case at < 0:
		return "", Config{}, errors.New("the URL names no user: write it as in mysql://USER:PASSWORD@HOST:3306/DATABASE")
	}
	values, config, err := parseQuery(query, "tls", "serverPubKey", "allowCleartextPasswords", "socket", "wsrep_sync_wait")
	if err != nil {
		return "", Config{}, err
	}
	account, err := parseAccount(authority[:at])
	if err != nil {
		return "", Config{}, err
	}
	address, err := parseAddress(authority[at+1:], values.Get("socket"))
	if err != nil {
		return "", Config{}, err
	}
	database, err := url.PathUnescape(path)
	switch {
	case err != nil:
		return "", Config{}, errEscape
	case database == "":
		return "", Config{}, errors.New("the URL names no database: write it as in mysql://USER:PASSWORD@HOST:3306/DATABASE")
	}
	params, err := driverParams(values, cmp.Or(config.Timeout, driver.DefaultTimeout))
	if err != nil {
		return "", Config{}, err
	}
	config.Dialect = MySQL
	return account + "@" + address + "/" + url.PathEscape(database) + "?" + params, config, nil
}

func parseAccount(account string) (string, error) {
	user, password, hasPassword := strings.Cut(account, ":")
	user, err := url.PathUnescape(user)
	if err == nil {
		password, err = url.PathUnescape(password)
	}
	switch {
	case err != nil:
		return "", errEscape
	case user == "":
		return "", errors.New("the URL names no user: write it as in mysql://USER:PASSWORD@HOST:3306/DATABASE")
	case strings.Contains(user, ":"):
		return "", errors.New("the user's name holds a ':', which the MySQL driver cannot be told")
	case hasPassword:
		return user + ":" + password, nil
	}
	return user, nil
}

func parseAddress(host, socket string) (string, error) {
	if socket != "" {
		switch {
		case host != "" && host != "localhost":
			return "", errors.New("socket: the URL names a host as well: leave the host out, as in mysql://USER:PASSWORD@/DATABASE?socket=PATH")
		case !strings.HasPrefix(socket, "/"):
			return "", errors.New("socket: write an absolute path")
		case strings.Contains(socket, "@"):
			return "", errors.New("socket: the MySQL driver cannot be told a path with an '@'")
		}
		return "unix(" + socket + ")", nil
	}
	if host == "" {
		return "", errors.New("the URL names no host: write it as in mysql://USER:PASSWORD@HOST:3306/DATABASE, or name a unix socket by socket=PATH")
	}
	found := hostShape.FindStringSubmatch(host)
	if found == nil {
		return "", errors.New("what stands between '@' and '/' is no host: write HOST, HOST:PORT or [ADDRESS]:PORT, and one only")
	}
	if found[2] == "" {
		return "tcp(" + found[1] + ":3306)", nil
	}
	if port, err := strconv.Atoi(found[2]); err != nil || port < 1 || port > 65535 {
		return "", fmt.Errorf("the port %s is not between 1 and 65535", found[2])
	}
	return "tcp(" + host + ")", nil
}

// lockWait is for how long a statement may wait for locks, with a timeout of so much: once for that of the table, and once
// for that of the row. The server gives up waiting before we give up waiting for the server: a change that was reported
// as failed is not carried out behind everybody's back once the lock is free. The server counts in whole seconds.
func lockWait(timeout time.Duration) (each, both time.Duration) {
	each = max(time.Second, (timeout / 4).Truncate(time.Second))
	return each, 2 * each
}

// leastTimeout leaves a second for all but waiting for locks.
const leastTimeout = 3 * time.Second

// driverParams are those of the driver, and the settings of the connection. Each statement commits by itself, whatever
// the server's default is. The driver's own deadlines only stand behind those of the calls, which tell better what
// happened.
func driverParams(values url.Values, timeout time.Duration) (string, error) {
	if timeout < leastTimeout {
		return "", fmt.Errorf("timeout: %s is too short: MySQL waits for locks in whole seconds, and must give up first: write %s at least", timeout, leastTimeout)
	}
	params := url.Values{}
	each, _ := lockWait(timeout)
	waits := strconv.Itoa(int(each / time.Second))
	for name, value := range map[string]string{
		"timeout": (2 * timeout).String(), "readTimeout": (2 * timeout).String(), "writeTimeout": (2 * timeout).String(),
		"interpolateParams": "true", "autocommit": "1", "lock_wait_timeout": waits, "innodb_lock_wait_timeout": waits,
	} {
		params.Set(name, value)
	}
	for _, name := range []string{"tls", "serverPubKey"} {
		if values.Has(name) {
			params.Set(name, values.Get(name))
		}
	}
	switch wait := values.Get("wsrep_sync_wait"); {
	case len(wait) == 1 && wait >= "0" && wait <= "7":
		params.Set("wsrep_sync_wait", wait)
	case values.Has("wsrep_sync_wait"):
		return "", fmt.Errorf("wsrep_sync_wait: %.40q is no number from 0 to 7", wait)
	}
	switch clear := values.Get("allowCleartextPasswords"); {
	case clear == "true":
		if tls := values.Get("tls"); !values.Has("socket") && (tls == "" || tls == "false" || tls == "preferred") {
			return "", errors.New("allowCleartextPasswords: the password would cross the network for all to read: add tls=true")
		}
		params.Set("allowCleartextPasswords", "true")
	case values.Has("allowCleartextPasswords") && clear != "false":
		return "", fmt.Errorf("allowCleartextPasswords: %.40q is neither true nor false", clear)
	}
	return params.Encode(), nil
}

// parseQuery reads the parameters that every URL has into a Config, and returns them all. Names are those of the others.
func parseQuery(query string, names ...string) (url.Values, Config, error) {
	names = append(names, "name", "table", "timeout")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, Config{}, errors.New("the query cannot be read: a '%' must be written %25, a ';' %3B")
	}
	for name, given := range values {
		switch {
		case !slices.Contains(names, name):
			slices.Sort(names)
			return nil, Config{}, fmt.Errorf("the query parameter %.40q is unknown: there are %s", name, strings.Join(names, ", "))
		case len(given) > 1:
			return nil, Config{}, fmt.Errorf("%s is given twice", name)
		case given[0] == "":
			return nil, Config{}, fmt.Errorf("%s is empty", name)
		}
	}
	config := Config{Table: values.Get("table"), Name: values.Get("name")}
	if values.Has("timeout") {
		config.Timeout, err = time.ParseDuration(values.Get("timeout"))
		if err != nil || config.Timeout <= 0 {
			return nil, Config{}, fmt.Errorf("timeout: %.40q is no duration above 0, as in 4s", values.Get("timeout"))
		}
	}
	config, err = config.filled()
	return values, config, err
}
