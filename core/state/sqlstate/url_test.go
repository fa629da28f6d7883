package sqlstate_test

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
)

// defaults are the parameters that every connection to MySQL gets with a timeout of 4 seconds.
const defaults = "autocommit=1&innodb_lock_wait_timeout=1&interpolateParams=true&lock_wait_timeout=1&readTimeout=8s&timeout=8s&writeTimeout=8s"

func TestAMySQLURLBecomesADataSourceName(t *testing.T) {
	for rest, want := range map[string]string{
		"//u:p@h/db":                               "u:p@tcp(h:3306)/db?" + defaults,
		"//u@h:3307/db":                            "u@tcp(h:3307)/db?" + defaults,
		"//u:@h/db":                                "u:@tcp(h:3306)/db?" + defaults,
		"//u:p@[::1]/db":                           "u:p@tcp([::1]:3306)/db?" + defaults,
		"//u:p@[fe80::1]:33/db":                    "u:p@tcp([fe80::1]:33)/db?" + defaults,
		"//u:p%40%3A%2F%3F%23%25@h/db":             "u:p@:/?#%@tcp(h:3306)/db?" + defaults,
		"//u:p:q@r@h/db":                           "u:p:q@r@tcp(h:3306)/db?" + defaults,
		"//a%40b:p@h/db":                           "a@b:p@tcp(h:3306)/db?" + defaults,
		"//u:a+b&c=d;e@h/db":                       "u:a+b&c=d;e@tcp(h:3306)/db?" + defaults,
		"//u:p@h/my%2Fdb%3F%25%40":                 "u:p@tcp(h:3306)/my%2Fdb%3F%25@?" + defaults,
		"//u:p@h/db?tls=true":                      "u:p@tcp(h:3306)/db?" + strings.Replace(defaults, "&writeT", "&tls=true&writeT", 1),
		"//u:p@h/db?tls=my%2Fown":                  "u:p@tcp(h:3306)/db?" + strings.Replace(defaults, "&writeT", "&tls=my%2Fown&writeT", 1),
		"//u:p@/db?socket=/run/mysqld/mysqld.sock": "u:p@unix(/run/mysqld/mysqld.sock)/db?" + defaults,
		"//u:p@localhost/db?socket=/a%20(b)/c":     "u:p@unix(/a (b)/c)/db?" + defaults,
		"//u:p@h/db?timeout=10s": "u:p@tcp(h:3306)/db?" +
			"autocommit=1&innodb_lock_wait_timeout=2&interpolateParams=true&lock_wait_timeout=2&readTimeout=20s&timeout=20s&writeTimeout=20s",
		"//u:p@h/db?timeout=3s": "u:p@tcp(h:3306)/db?" +
			"autocommit=1&innodb_lock_wait_timeout=1&interpolateParams=true&lock_wait_timeout=1&readTimeout=6s&timeout=6s&writeTimeout=6s",
		"//u:p@h/db?wsrep_sync_wait=1":                         "u:p@tcp(h:3306)/db?" + defaults + "&wsrep_sync_wait=1",
		"//u:p@h/db?allowCleartextPasswords=true&tls=true":     "u:p@tcp(h:3306)/db?allowCleartextPasswords=true&" + strings.Replace(defaults, "&writeT", "&tls=true&writeT", 1),
		"//u:p@/db?allowCleartextPasswords=true&socket=/s":     "u:p@unix(/s)/db?allowCleartextPasswords=true&" + defaults,
		"//u:p@h/db?allowCleartextPasswords=false":             "u:p@tcp(h:3306)/db?" + defaults,
		"//u:p@h/db?serverPubKey=key":                          "u:p@tcp(h:3306)/db?" + strings.Replace(defaults, "&timeout", "&serverPubKey=key&timeout", 1),
		"//u:p@h/db?name=shop&table=ops.recess&timeout=4000ms": "u:p@tcp(h:3306)/db?" + defaults,
	} {
		dsn, _, err := sqlstate.ParseMySQL(rest)
		if err != nil || dsn != want {
			t.Errorf("%s\ngot  %s\nwant %s\n%v", rest, dsn, want, err)
		}
	}
}

func TestAURLSaysWhereTheDocumentIs(t *testing.T) {
	_, config, err := sqlstate.ParseMySQL("//u:p@h/db?name=shop&table=ops.recess&timeout=9s")
	if err != nil || config.Name != "shop" || config.Table != "ops.recess" || config.Timeout != 9*time.Second || config.Dialect.Name != "MySQL" {
		t.Errorf("mysql: %+v, %v", config, err)
	}
	path, config, err := sqlstate.ParseSQLite("/var/lib/app.db?name=shop&table=recess_2&timeout=9s")
	if err != nil || config.Name != "shop" || config.Table != "recess_2" || config.Timeout != 9*time.Second || config.Dialect.Name != "SQLite" {
		t.Errorf("sqlite: %+v, %v", config, err)
	}
	if path != filepath.FromSlash("/var/lib/app.db") {
		t.Errorf("sqlite: the path is %q", path)
	}
	_, config, err = sqlstate.ParseSQLite("recess.db")
	if err != nil || config.Name != "recess" || config.Table != "recess" || config.Timeout != 0 {
		t.Errorf("sqlite: %+v, %v", config, err)
	}
}

// TestAURLThatIsWrongSaysWhereAndTellsNoSecret: the words name the part, and never show the user, the password or
// anything that might be one because a character was not escaped.
func TestAURLThatIsWrongSaysWhereAndTellsNoSecret(t *testing.T) {
	const form, encode = "mysql://USER:PASSWORD@HOST:3306/DATABASE", "%2F"
	for stateURL, says := range map[string]string{
		"mysql:":                                                           form,
		"mysql:SECRET":                                                     form,
		"mysql:/SECRET@h/db":                                               form,
		"mysql://":                                                         "names no user",
		"mysql://SECRET":                                                   "names no user",
		"mysql://h/db":                                                     "names no user",
		"mysql://@h/db":                                                    "names no user",
		"mysql://:SECRET@h/db":                                             "names no user",
		"mysql://SECRET:SECRET@/db":                                        "names no host",
		"mysql://SECRET:SECRET@h":                                          "names no database",
		"mysql://SECRET:SECRET@h/":                                         "names no database",
		"mysql://SECRET:SECRET@h/?name=shop":                               "names no database",
		"mysql://SECRET:SEC/RET@h/db":                                      encode,
		"mysql://SECRET:SEC?RET@h/db":                                      encode,
		"mysql://SECRET:SEC#RET@h/db":                                      encode,
		"mysql://SECRET:SEC%RET@h/db":                                      encode,
		"mysql://SEC%zzRET:SECRET@h/db":                                    encode,
		"mysql://SECRET:SECRET@h/a/SECRET":                                 encode,
		"mysql://SECRET:SECRET@h/db%":                                      encode,
		"mysql://SECRET:SECRET@h/db?tls=a@SECRET":                          encode,
		"mysql://SEC%3ARET:SECRET@h/db":                                    "a ':'",
		"mysql://SECRET:SECRET@h1,h2/db":                                   "one only",
		"mysql://SECRET:SECRET@h:SECRET/db":                                "no host",
		"mysql://SECRET:SECRET@tcp(SECRET:3306)/db":                        "no host",
		"mysql://SECRET:SECRET@h:0/db":                                     "the port 0",
		"mysql://SECRET:SECRET@h:65536/db":                                 "the port 65536",
		"mysql://SECRET:SECRET@[::1/db":                                    "no host",
		"mysql://SECRET:SECRET@h/db?socket=/s":                             "socket: the URL names a host",
		"mysql://SECRET:SECRET@/db?socket=s":                               "socket: write an absolute path",
		"mysql://SECRET:SECRET@/db?socket=/a%40b":                          "socket: the MySQL driver",
		"mysql://SECRET:SECRET@h/db?parseTime=true":                        `"parseTime" is unknown: there are allowCleartextPasswords, name, serverPubKey, socket, table, timeout, tls, wsrep_sync_wait`,
		"mysql://SECRET:SECRET@h/db?password=SECRET":                       `"password" is unknown`,
		"mysql://SECRET:SECRET@h/db?name=a&name=b":                         "name is given twice",
		"mysql://SECRET:SECRET@h/db?name=":                                 "name is empty",
		"mysql://SECRET:SECRET@h/db?tls":                                   "tls is empty",
		"mysql://SECRET:SECRET@h/db?name=A":                                `name: "A"`,
		"mysql://SECRET:SECRET@h/db?name=it's":                             `name: "it's"`,
		"mysql://SECRET:SECRET@h/db?table=a-b":                             `table: "a-b"`,
		"mysql://SECRET:SECRET@h/db?table=a.b.c":                           `table: "a.b.c"`,
		"mysql://SECRET:SECRET@h/db?table=a;b":                             "%3B",
		"mysql://SECRET:SECRET@h/db?table=" + strings.Repeat("a", 55):      "54 letters",
		"mysql://SECRET:SECRET@h/db?timeout=4":                             `timeout: "4"`,
		"mysql://SECRET:SECRET@h/db?timeout=2900ms":                        `timeout: 2.9s is too short: MySQL waits for locks in whole seconds`,
		"mysql://SECRET:SECRET@h/db?timeout=0s":                            `timeout: "0s"`,
		"mysql://SECRET:SECRET@h/db?timeout=-1s":                           `timeout: "-1s"`,
		"mysql://SECRET:SECRET@h/db?tls=%SECRET":                           "%25",
		"mysql://SECRET:SECRET@h/db?wsrep_sync_wait=8":                     `wsrep_sync_wait: "8"`,
		"mysql://SECRET:SECRET@h/db?wsrep_sync_wait=10":                    `wsrep_sync_wait: "10"`,
		"mysql://SECRET:SECRET@h/db?allowCleartextPasswords=yes":           `allowCleartextPasswords: "yes"`,
		"mysql://SECRET:SECRET@h/db?allowCleartextPasswords=true":          "allowCleartextPasswords: the password would cross the network",
		"mysql://S:SECRET@h/db?allowCleartextPasswords=true&tls=preferred": "allowCleartextPasswords: the password would cross the network",

		"sqlite:":                          "which file?",
		"sqlite:?name=shop":                "which file?",
		"sqlite::memory:":                  "write memory:",
		"sqlite:file::memory:?cache=x":     "write memory:",
		"sqlite:file:recess.db":            "without file:",
		"sqlite://recess.db":               "after // comes a host",
		"sqlite://host/recess.db":          "after // comes a host",
		"sqlite:///":                       "separator",
		"sqlite:dir/":                      "separator",
		"sqlite:recess%00.db":              "NUL",
		"sqlite:50%.db":                    "%25",
		"sqlite:a#b.db":                    "%23",
		"sqlite:recess.db?mode=memory":     `"mode" is unknown: there are name, table, timeout`,
		"sqlite:recess.db?_pragma=a":       `"_pragma" is unknown`,
		"sqlite:recess.db?timeout=soon":    `timeout: "soon"`,
		"sqlite:recess.db?name=a%2Fb":      `name: "a/b"`,
		"sqlite:recess.db?table=1recess":   `table: "1recess"`,
		"sqlite:recess.db?name=a&name=b":   "name is given twice",
		"sqlite:recess.db?table=r;drop":    "%3B",
		"sqlite:recess.db?table=r%20where": `table: "r where"`,
	} {
		b, err := state.Open(t.Context(), stateURL)
		// The drivers are not linked into this program, which is said of URLs that are otherwise right.
		if err == nil || b != nil {
			t.Errorf("%s was opened", stateURL)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "sqlstate: ") || !strings.Contains(text, says) {
			t.Errorf("%s\nsays  %s\nnot   %s", stateURL, text, says)
		}
		for _, secret := range []string{"SECRET", "SEC", "RET"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s\ntells %s", stateURL, err)
			}
		}
	}
}

func TestADriverThatIsNotLinkedIsNamed(t *testing.T) {
	for stateURL, says := range map[string]string{
		"mysql://u:SECRET@h/db":   `import _ "github.com/go-sql-driver/mysql"`,
		"mariadb://u:SECRET@h/db": `import _ "github.com/go-sql-driver/mysql"`,
	} {
		_, err := state.Open(t.Context(), stateURL)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", stateURL, err)
		}
	}
}

// FuzzMySQLURL: what a URL says of the account is what the driver takes from the data source name, whose documentation
// says how it reads it; and no error tells of it.
func FuzzMySQLURL(f *testing.F) {
	f.Add("user", "p@ss:w/o?r#d%", "db")
	f.Add("a@b/c?d", "", "d/b?x=y")
	f.Add("ü", "\x00\n", "(tcp)")
	f.Fuzz(func(t *testing.T, user, password, database string) {
		u := url.URL{Scheme: "mysql", User: url.UserPassword(user, password), Host: "h"}
		dsn, _, err := sqlstate.ParseMySQL("//" + u.User.String() + "@h/" + strings.ReplaceAll(url.PathEscape(database), "@", "%40"))
		if user == "" || strings.Contains(user, ":") || database == "" {
			if err == nil {
				t.Errorf("user %q, database %q were accepted: %s", user, database, dsn)
			}
			return
		}
		if err != nil {
			t.Fatalf("user %q, password %q, database %q: %v", user, password, database, err)
		}
		left, right := dsn[:strings.LastIndex(dsn, "/")], dsn[strings.LastIndex(dsn, "/")+1:]
		account, address := left[:strings.LastIndex(left, "@")], left[strings.LastIndex(left, "@")+1:]
		gotUser, gotPassword, _ := strings.Cut(account, ":")
		name, params, _ := strings.Cut(right, "?")
		gotDatabase, err := url.PathUnescape(name)
		if gotUser != user || gotPassword != password || gotDatabase != database || err != nil || address != "tcp(h:3306)" || params != defaults {
			t.Errorf("user %q, password %q, database %q became %s", user, password, database, dsn)
		}
	})
}

// FuzzURL: no text makes a parser panic, or say more than one line.
func FuzzURL(f *testing.F) {
	f.Add("//u:p@h:1/db?tls=true")
	f.Add("recess.db?name=a")
	f.Fuzz(func(t *testing.T, rest string) {
		for _, scheme := range []string{"mysql:", "sqlite:"} {
			if _, err := state.Open(context.Background(), scheme+rest); err != nil && strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%q: %q", rest, err)
			}
		}
	})
}
