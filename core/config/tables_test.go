package config_test

import (
	"crypto/sha256"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

const (
	passKey      = "k2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	olderPassKey = "k1:_-7dzLuqmYh3ZlVEMyIRAA8eLTxLWml4h5altMPS4fA"
)

// usable are values that can be used, and what they say in Go.
var usable = []struct {
	name, variable, value string
	want                  func(*recess.Config)
}{
	{"on forces it", "RECESS_MODE", "on", func(c *recess.Config) { c.Policy.Force = recess.ForcedOn }},
	{"Django's True does too", "RECESS_MODE", "True", func(c *recess.Config) { c.Policy.Force = recess.ForcedOn }},
	{"off forces it", "RECESS_MODE", " OFF\n", func(c *recess.Config) { c.Policy.Force = recess.ForcedOff }},
	{"closed", "RECESS_FALLBACK", "closed", func(c *recess.Config) { c.Policy.Fallback = recess.FallbackClosed }},
	{"open", "RECESS_FALLBACK", "Open", func(c *recess.Config) { c.Policy.Fallback = recess.FallbackOpen }},
	{"ready while open", "RECESS_READINESS", "OPEN", func(c *recess.Config) { c.Policy.Readiness = recess.ReadyWhileOpen }},
	{"ready always", "RECESS_READINESS", "always", func(*recess.Config) {}},
	{"yes", "RECESS_REPORT_ONLY", "yes", func(c *recess.Config) { c.Policy.ReportOnly = true }},
	{"no", "RECESS_REPORT_ONLY", "No", func(*recess.Config) {}},
	{"a path", "RECESS_ALLOW_ADMIN_SITE", "/admin/", func(c *recess.Config) { c.Policy.AllowAdminSite = "/admin/" }},
	{"1", "RECESS_ALLOW_ANONYMOUS", "1", func(c *recess.Config) { c.Policy.AllowAnonymous = true }},
	{"on", "RECESS_ALLOW_AUTHENTICATED", "on", func(c *recess.Config) { c.Policy.AllowAuthenticated = true }},
	{"TRUE", "RECESS_ALLOW_STAFF", "TRUE", func(c *recess.Config) { c.Policy.AllowStaff = true }},
	{"true", "RECESS_ALLOW_SUPERUSER", "true", func(c *recess.Config) { c.Policy.AllowSuperuser = true }},
	{"a token that reads and one that writes", "RECESS_ADMIN_TOKENS", "ci:read:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb, deploy:write:3E23E8160039594A33894F6564E1B1348BBD7A0088D42C4ACB73EEAED59C009D", func(c *recess.Config) {
		c.Policy.AdminTokens = []recess.AdminToken{{Name: "ci", Hash: sha256.Sum256([]byte("a"))}, {Name: "deploy", Write: true, Hash: sha256.Sum256([]byte("b"))}}
	}},
	{"commas, blanks and a last comma", "RECESS_ALLOW_ROLES", " ops, admin,", func(c *recess.Config) { c.Policy.AllowRoles = []string{"ops", "admin"} }},
	{"line breaks", "RECESS_ALLOW_ROLES", "ops\n a, b \r\n\n", func(c *recess.Config) { c.Policy.AllowRoles = []string{"ops", "a, b"} }},
	{"addresses", "RECESS_ALLOW_NETWORKS", "192.0.2.7,2001:db8::/32,~192\\.0\\.2\\.1$", func(c *recess.Config) {
		c.Policy.AllowNetworks = []string{"192.0.2.7", "2001:db8::/32", `~192\.0\.2\.1$`}
	}},
	{"proxies", "RECESS_TRUSTED_PROXIES", "10.0.0.0/8,unix", func(c *recess.Config) { c.Policy.TrustedProxies = []string{"10.0.0.0/8", "unix"} }},
	{"a header", "RECESS_CLIENT_IP_HEADER", "X-Real-IP", func(c *recess.Config) { c.Policy.ClientIPHeader = "X-Real-IP" }},
	{"paths", "RECESS_ALLOW_PATHS", "/ignored/**,/robots.txt", func(c *recess.Config) { c.Policy.AllowPaths = []string{"/ignored/**", "/robots.txt"} }},
	{"one expression with a comma ends with a line break", "RECESS_ALLOW_PATHS", "~^/v[0-9]{1,2}/\n", func(c *recess.Config) { c.Policy.AllowPaths = []string{"~^/v[0-9]{1,2}/"} }},
	{"hosts", "RECESS_ALLOW_HOSTS", "beta.example.com,*.dev.example.com", func(c *recess.Config) {
		c.Policy.AllowHosts = []string{"beta.example.com", "*.dev.example.com"}
	}},
	{"secrets with commas and equals signs", "RECESS_ALLOW_HEADERS", "x-preview=0123456789,abcdef=\nX-CI = 0123456789abcdefg ", func(c *recess.Config) {
		c.Policy.AllowHeaders = map[string]string{"X-Preview": "0123456789,abcdef=", "X-Ci": "0123456789abcdefg"}
	}},
	{"true", "RECESS_ALLOW_TESTS", "true", func(c *recess.Config) { c.Policy.AllowTests = true }},
	{"keys", "RECESS_PASS_KEYS", passKey + ", " + olderPassKey, func(c *recess.Config) { c.Policy.PassKeys = []string{passKey, olderPassKey} }},
	{"a site", "RECESS_PASS_AUDIENCE", " shop.example ", func(c *recess.Config) { c.Policy.PassAudience = "shop.example" }},
	{"true", "RECESS_LOGOUT_AUTHENTICATED", "true", func(c *recess.Config) { c.Policy.Logout.Authenticated = true }},
	{"false is not inherited", "RECESS_LOGOUT_STAFF", "false", func(c *recess.Config) { c.Policy.Logout.Staff = recess.No }},
	{"true is not inherited", "RECESS_LOGOUT_SUPERUSER", "true", func(c *recess.Config) { c.Policy.Logout.Superuser = recess.Yes }},
	{"a path of this site", "RECESS_REDIRECT_URL", "/down.html", func(c *recess.Config) { c.Policy.Redirect = "/down.html" }},
	{"another site", "RECESS_REDIRECT_URL", "https://status.example.com/", func(c *recess.Config) { c.Policy.Redirect = "https://status.example.com/" }},
	{"a directory", "RECESS_TEMPLATE", "testdata/pages", func(c *recess.Config) { c.Policy.Template = "testdata/pages" }},
	{"json", "RECESS_RESPONSE_TYPE", "JSON", func(c *recess.Config) { c.Policy.ResponseType = page.JSON }},
	{"another status", "RECESS_STATUS_CODE", "429", func(c *recess.Config) { c.Policy.Status = 429 }},
	{"a number", "RECESS_HOLD_REQUESTS", "500", func(c *recess.Config) { c.Policy.HoldRequests = 500 }},
	{"0 is none at all", "RECESS_HOLD_REQUESTS", "0", func(c *recess.Config) { c.Policy.HoldRequests = -1 }},
	{"more than there can be", "RECESS_HOLD_REQUESTS", "9000000000", func(c *recess.Config) { c.Policy.HoldRequests = 1<<31 - 1 }},
	{"a number", "RECESS_HOLD_BYTES", " 1048576 ", func(c *recess.Config) { c.Policy.HoldBytes = 1 << 20 }},
	{"0 is none at all", "RECESS_HOLD_BYTES", "0", func(c *recess.Config) { c.Policy.HoldBytes = -1 }},
	{"seconds", "RECESS_RETRY_AFTER", "120", func(c *recess.Config) { c.Policy.RetryAfter = 2 * time.Minute }},
	{"a duration", "RECESS_RETRY_AFTER", "1h30m", func(c *recess.Config) { c.Policy.RetryAfter = 90 * time.Minute }},
	{"0 is none at all", "RECESS_RETRY_AFTER", "0", func(c *recess.Config) { c.Policy.RetryAfter = recess.NoRetryAfter }},
	{"0s is none at all", "RECESS_RETRY_AFTER", "0s", func(c *recess.Config) { c.Policy.RetryAfter = recess.NoRetryAfter }},
	{"half a minute", "RECESS_GRACE", "30s", func(c *recess.Config) { c.Policy.Grace = 30 * time.Second }},
	{"0 is no grace at all", "RECESS_GRACE", "0", func(c *recess.Config) { c.Policy.Grace = recess.NoGrace }},
	{"true", "RECESS_NAME_REQUESTS", "true", func(c *recess.Config) { c.Policy.NameRequests = true }},
	{"a name", "RECESS_INSTANCE", "web-1 ", func(c *recess.Config) { c.Instance = "web-1" }},
	{"half a second", "RECESS_POLL", "500ms", func(c *recess.Config) { c.Poll = 500 * time.Millisecond }},
	{"five seconds", "RECESS_START_WAIT", "5", func(c *recess.Config) { c.StartWait = 5 * time.Second }},
	{"no wait is not the default", "RECESS_START_WAIT", "0", func(c *recess.Config) { c.StartWait = time.Nanosecond }},
	{"a file", "RECESS_SNAPSHOT", "testdata/snapshot.json", func(c *recess.Config) { c.SnapshotFile = "testdata/snapshot.json" }},
	{"scopes, one a line", "RECESS_SCOPES", "eu = /eu/** ; host:eu.example.com\nv=~^/v{1,2}/\n", func(c *recess.Config) {
		c.Policy.Scopes = map[string][]string{"eu": {"/eu/**", "host:eu.example.com"}, "v": {"~^/v{1,2}/"}}
	}},
	{"a rule that would disarm and is meant", "RECESS_UNSAFE", "/**", func(c *recess.Config) { c.Policy.Unsafe = []string{"/**"} }},
	{"a variable that would disarm and is meant", "RECESS_UNSAFE", "RECESS_ALLOW_ANONYMOUS,RECESS_ALLOW_ADMIN_SITE", func(c *recess.Config) {
		c.Policy.Unsafe = []string{"AllowAnonymous", "AllowAdminSite"}
	}},
}

// unusable are lines that cannot be used, what the error must say and what it must not.
var unusable = []struct{ name, lines, says, hides string }{
	{"a word that is no mode", "RECESS_MODE=maybe", `RECESS_MODE="maybe": write on or off`, ""},
	{"a word that is no fallback", "RECESS_FALLBACK=shut", `RECESS_FALLBACK="shut": write open or closed`, ""},
	{"a word that is no readiness", "RECESS_READINESS=never", `RECESS_READINESS="never": write always or open`, ""},
	{"a word that is no switch", "RECESS_REPORT_ONLY=ja", `RECESS_REPORT_ONLY="ja": write true or false`, ""},
	{"2 is no switch", "RECESS_ALLOW_ANONYMOUS=2", `RECESS_ALLOW_ANONYMOUS="2": write true or false`, ""},
	{"t is no switch", "RECESS_ALLOW_AUTHENTICATED=t", `write true or false`, ""},
	{"enabled is no switch", "RECESS_ALLOW_STAFF=enabled", `write true or false`, ""},
	{"a list is no switch", "RECESS_ALLOW_SUPERUSER=true,false", `write true or false`, ""},
	{"a word for tests", "RECESS_ALLOW_TESTS=test", `write true or false`, ""},
	{"a word for logout", "RECESS_LOGOUT_AUTHENTICATED=all", `write true or false`, ""},
	{"inherit is said by leaving it out", "RECESS_LOGOUT_STAFF=inherit", `unset it to inherit RECESS_LOGOUT_AUTHENTICATED`, ""},
	{"the superuser's too", "RECESS_LOGOUT_SUPERUSER=-", `unset it to inherit`, ""},
	{"an admin site that is no path", "RECESS_ALLOW_ADMIN_SITE=admin", `RECESS_ALLOW_ADMIN_SITE="admin": "admin" is no plain path`, ""},
	{"the whole site as admin site", "RECESS_ALLOW_ADMIN_SITE=/", `name "RECESS_ALLOW_ADMIN_SITE" in RECESS_UNSAFE`, "AllowAdminSite"},
	{"nothing but commas", "RECESS_ALLOW_ROLES=, ,", `it holds separators but no entry`, ""},
	{"a network that is none", "RECESS_ALLOW_NETWORKS=10.0.0.0/8,10.0.0.256", `"10.0.0.256"`, ""},
	{"every network", "RECESS_ALLOW_NETWORKS=0.0.0.0/0", `name "0.0.0.0/0" in RECESS_UNSAFE`, "Policy."},
	{"a proxy that is none", "RECESS_TRUSTED_PROXIES=loadbalancer", `RECESS_TRUSTED_PROXIES="loadbalancer": `, "TrustedProxies"},
	{"every peer a proxy", "RECESS_TRUSTED_PROXIES=::/0", `name "::/0" in RECESS_UNSAFE`, ""},
	{"a header that is none", "RECESS_CLIENT_IP_HEADER=X Real IP", `RECESS_CLIENT_IP_HEADER="X Real IP": `, "TrustedProxies"},
	{"a path without its slash", "RECESS_ALLOW_PATHS=ignored", `RECESS_ALLOW_PATHS="ignored": `, "AllowPaths"},
	{"an expression cut at its comma", "RECESS_ALLOW_PATHS=~^/v{1,2}/", `the value ends with a line break`, ""},
	{"every path", "RECESS_ALLOW_PATHS=/**", `name "/**" in RECESS_UNSAFE`, "Policy."},
	{"a host that is none", "RECESS_ALLOW_HOSTS=https://example.com/", `RECESS_ALLOW_HOSTS="https://example.com/": `, ""},
	{"every host", "RECESS_ALLOW_HOSTS=*", `RECESS_ALLOW_HOSTS="*": `, ""},
	{"a secret without a name", "RECESS_ALLOW_HEADERS=X-A=0123456789abcdef0\nhunter2hunter2hunter2", `RECESS_ALLOW_HEADERS: line 2: write it as in X-Preview=secret`, "hunter2"},
	{"a secret that is short", "RECESS_ALLOW_HEADERS=X-A=hunter2", `it needs at least 16`, "hunter2"},
	{"a header twice", "RECESS_ALLOW_HEADERS=X-A=hunter2hunter2hunter2\nx-a=hunter3hunter3hunter3", `line 2: the header stands twice`, "hunter"},
	{"no header's name", "RECESS_ALLOW_HEADERS=X A=hunter2hunter2hunter2", `RECESS_ALLOW_HEADERS: `, "hunter2"},
	{"a key that is short", "RECESS_PASS_KEYS=" + passKey + ",k2:hunter2w", `RECESS_PASS_KEYS: key 2: it has 6 bytes, 32 to 1024 are needed`, "hunter2"},
	{"a key without an id", "RECESS_PASS_KEYS=hunter2hunter2hunter2hunter2hunter2hunter2hu", `RECESS_PASS_KEYS: key 1: write it as in id:base64url`, "hunter2"},
	{"a key of words", "RECESS_PASS_KEYS=k1:aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi1h", `key 1: it is no random bytes`, "aHVudGVy"},
	{"keys that are none", "RECESS_PASS_KEYS=,", `no entry`, ""},
	{"a site that moves the cursor", "RECESS_PASS_AUDIENCE=\x1b[2J", `control character U+001B`, "\x1b"},
	{"a redirect to another scheme", "RECESS_REDIRECT_URL=javascript:alert(1)", `RECESS_REDIRECT_URL="javascript:alert(1)": `, ""},
	{"a redirect with a password", "RECESS_REDIRECT_URL=https://alice:hunter2@example.com/", `carries a user name`, ""},
	{"a template that is not there", "RECESS_TEMPLATE=testdata/none.html", `RECESS_TEMPLATE="testdata/none.html": `, "the answer"},
	{"a content security policy without a template", "RECESS_CONTENT_SECURITY_POLICY=default-src 'self'", `there is no template`, ""},
	{"a type that is none", "RECESS_RESPONSE_TYPE=xml", `write auto, html, json, problem or text`, ""},
	{"a status with words", "RECESS_STATUS_CODE=503 Service Unavailable", `write a status from 400 to 599`, ""},
	{"a status that is a success", "RECESS_STATUS_CODE=200", `write a status from 400 to 599`, ""},
	{"a number in words", "RECESS_HOLD_REQUESTS=many", "write a whole number, or 0 for none at all", ""},
	{"a negative number", "RECESS_HOLD_REQUESTS=-1", "write a whole number", ""},
	{"a unit", "RECESS_HOLD_BYTES=64MB", "write a whole number", ""},
	{"a time in words", "RECESS_RETRY_AFTER=1 hour", `write seconds, as in 90, or a duration`, ""},
	{"a negative time", "RECESS_RETRY_AFTER=-1", `write seconds`, ""},
	{"a negative duration", "RECESS_RETRY_AFTER=-1s", `write seconds`, ""},
	{"more seconds than a duration holds", "RECESS_RETRY_AFTER=9223372037", `write seconds`, ""},
	{"a name of two lines", "RECESS_INSTANCE=web\n1", `holds '\n': letters, digits`, ""},
	{"a name that moves the cursor", "RECESS_INSTANCE=web\x1b[2J", `letters, digits`, "\x1b"},
	{"no poll", "RECESS_POLL=0", `write at least 100ms`, ""},
	{"too fast a poll", "RECESS_POLL=1ms", `RECESS_POLL="1ms": RECESS_POLL is 1ms, at least 100ms is needed`, "Config."},
	{"a negative wait", "RECESS_START_WAIT=-5", `write seconds`, ""},
	{"a snapshot in no directory", "RECESS_SNAPSHOT=testdata/none/snapshot.json", `RECESS_SNAPSHOT="testdata/none/snapshot.json": there is no directory "testdata/none"`, ""},
	{"a snapshot below a file", "RECESS_SNAPSHOT=load_test.go/snapshot.json", `there is no directory "load_test.go"`, ""},
	{"a snapshot that is a directory", "RECESS_SNAPSHOT=testdata", `it is a directory: name a file in it, as in "testdata`, ""},
	{"a scope without rules", "RECESS_SCOPES=eu", `"eu": write it as in eu=/eu/**`, ""},
	{"a scope with nothing behind the equals sign", "RECESS_SCOPES=eu= ;", `write it as in eu=/eu/**`, ""},
	{"a scope twice", "RECESS_SCOPES=eu=/eu/**\neu=/europe/**", `"eu" stands twice`, ""},
	{"a scope's name in capitals", "RECESS_SCOPES=EU=/eu/**", `RECESS_SCOPES="EU=/eu/**": `, ""},
	{"a scope's rule without its slash", "RECESS_SCOPES=eu=eu", `"eu"`, ""},
	{"an unsafe list of nothing", "RECESS_UNSAFE=,", `no entry`, ""},
	{"everybody by two variables", "RECESS_ALLOW_ANONYMOUS=on\x00RECESS_ALLOW_AUTHENTICATED=on", `together with RECESS_ALLOW_AUTHENTICATED it lets every visitor in; name "RECESS_ALLOW_ANONYMOUS" in RECESS_UNSAFE`, "AllowA"},

	{"a state without a scheme", "RECESS_STATE=hunter2", `RECESS_STATE="…": state: open: the state URL has no scheme`, "hunter2"},
	{"a state nobody knows", "RECESS_STATE=gopher://alice:hunter2@example.com/x", `no backend has the scheme "gopher"`, "hunter2"},
	{"a state of a module that is not linked", "RECESS_STATE=redis://:hunter2@example.com", `import _ "github.com/recess-go/recess/core/state/redisstate"`, "hunter2"},
	{"a token in place of its hash", "RECESS_ADMIN_TOKENS=a:read:hunter2", `RECESS_ADMIN_TOKENS: entry 1: the hash is none: write SHA-256`, "hunter2"},
	{"a token without a right", "RECESS_ADMIN_TOKENS=a:read:96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a,hunter2", `entry 2: write it as in deploy:write:HASH`, "hunter2"},
	{"a token with another right", "RECESS_ADMIN_TOKENS=a:admin:96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a", `entry 1: the right is read or write`, "96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a"},
	{"a token's name in capitals", "RECESS_ADMIN_TOKENS=A:read:96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a", `RECESS_ADMIN_TOKENS: name: "A": use 1 to 64 lower-case letters`, "96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a"},
	{"the hash of nothing", "RECESS_ADMIN_TOKENS=a:read:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", `the hash of an empty token`, "e3b0"},
	{"a hash twice", "RECESS_ADMIN_TOKENS=a:read:96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a,b:write:96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a", `"b" has the hash of another one`, "96ea06923132f68e895cb89b2e9e7ae379fd125558176fc10ab4b55fa593c60a"},
	{"origins come later", "RECESS_CORS_ORIGINS=*", `(CORS) yet`, ""},

	{"a letter is missing", "RECESS_ALOW_PATHS=/hunter2", `RECESS_ALOW_PATHS: there is no such variable: did you mean RECESS_ALLOW_PATHS?`, "hunter2"},
	{"two letters are swapped", "RECESS_MDOE=on", `did you mean RECESS_MODE?`, ""},
	{"the name is in small letters", "recess_mode=on", `recess_mode: there is no such variable: did you mean RECESS_MODE?`, ""},
	{"the name is Django's", "RECESS_IGNORE_URLS=/x", `did you mean RECESS_ALLOW_PATHS?`, ""},
	{"the name is like nothing", "RECESS_COFFEE=black", `there is no such variable: docs/configuration.md lists them all`, ""},
	{"the name is unknown and the value empty", "RECESS_ALLOW_PATH=", `did you mean RECESS_ALLOW_PATHS?`, ""},
	{"a Service of Kubernetes", "RECESS_SHOP_PORT_80_TCP_ADDR=10.0.0.1", `enableServiceLinks: false`, ""},
	{"the name is nothing but the prefix", "RECESS_=x", `RECESS_: there is no such variable`, ""},
}

// alwaysBad are values that cannot be used whatever the others are. Some are found by the form, some by the engine.
var alwaysBad = map[string]string{
	"RECESS_UNSAFE": ",", "RECESS_STATE": "gopher:", "RECESS_MODE": "x", "RECESS_FALLBACK": "x", "RECESS_READINESS": "x", "RECESS_REPORT_ONLY": "x",
	"RECESS_ALLOW_ADMIN_SITE": "admin", "RECESS_ALLOW_ANONYMOUS": "x", "RECESS_ALLOW_AUTHENTICATED": "x", "RECESS_ALLOW_STAFF": "x",
	"RECESS_ALLOW_SUPERUSER": "x", "RECESS_ALLOW_ROLES": ",", "RECESS_ALLOW_NETWORKS": "0.0.0.0/0", "RECESS_TRUSTED_PROXIES": "x",
	"RECESS_ADMIN_TOKENS": "a", "RECESS_CLIENT_IP_HEADER": "a b", "RECESS_ALLOW_PATHS": "x,~(", "RECESS_ALLOW_HOSTS": "a b", "RECESS_ALLOW_HEADERS": "X-A=short",
	"RECESS_ALLOW_TESTS": "x", "RECESS_LOGOUT_AUTHENTICATED": "x", "RECESS_LOGOUT_STAFF": "x", "RECESS_LOGOUT_SUPERUSER": "x",
	"RECESS_PASS_KEYS": "k", "RECESS_PASS_AUDIENCE": "\x01",
	"RECESS_REDIRECT_URL": "//example.com", "RECESS_TEMPLATE": "testdata/none", "RECESS_CONTENT_SECURITY_POLICY": "default-src",
	"RECESS_RESPONSE_TYPE": "x", "RECESS_STATUS_CODE": "x", "RECESS_RETRY_AFTER": "x", "RECESS_GRACE": "x", "RECESS_NAME_REQUESTS": "x", "RECESS_HOLD_REQUESTS": "x", "RECESS_HOLD_BYTES": "x",
	"RECESS_INSTANCE": "\x01", "RECESS_POLL": "1ms",
	"RECESS_START_WAIT": "x", "RECESS_SCOPES": "api=x", "RECESS_SNAPSHOT": "testdata",
}
