package httpstate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

func init() {
	for _, scheme := range []string{"http", "https"} {
		state.Register(scheme, func(_ context.Context, rest string) (state.Backend, error) {
			documentURL, fragment, _ := strings.Cut(scheme+":"+rest, "#")
			config, err := parseFragment(scheme, fragment)
			if err != nil {
				return nil, fmt.Errorf("httpstate: open: %w", err)
			}
			b, err := New(documentURL, config)
			if err != nil {
				return nil, err
			}
			return b, nil
		})
	}
}

// parseURL reads a document's URL. Its errors say nothing of what stands there: a password that was not escaped can be
// taken for any part of a URL.
func parseURL(text string) (*url.URL, error) {
	if strings.Contains(text, "#") {
		return nil, errors.New("a '#' in the URL must be written %23")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be parsed: write it as in https://host/recess.json, with what is special in user, password, path and query percent-encoded")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL must begin with http:// or https://")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("the URL names no host: write it as in https://host/recess.json")
	case strings.Contains(u.EscapedPath()+u.RawQuery, "@"):
		return nil, errors.New("an '@' after the host must be written %40: what stands before one is taken for a password")
	}
	return u, nil
}

// A parameter is one of those that stand in the fragment of a state URL.
type parameter struct {
	name string
	set  func(c *files, value string) error
}

// files is a Config in the making.
type files struct {
	Config
	ca, cert, key string
}

var parameters = []parameter{
	{"timeout", func(c *files, value string) (err error) {
		if c.Timeout, err = time.ParseDuration(value); err != nil || c.Timeout <= 0 {
			return errors.New("write a duration above 0, as in 2s")
		}
		return nil
	}},
	{"token_env", func(c *files, value string) error { return c.use(tokenIn(value)) }},
	{"token_file", func(c *files, value string) error { return c.use(tokenFrom(value)) }},
	{"ca", func(c *files, value string) error { c.ca = value; return nil }},
	{"cert", func(c *files, value string) error { c.cert = value; return nil }},
	{"key", func(c *files, value string) error { c.key = value; return nil }},
}

// parameterShape is what a parameter's name looks like. What does not may be part of a password, and is not shown.
var parameterShape = regexp.MustCompile(`^[a-z_]{1,20}$`)

// parseFragment reads what follows the '#' of a state URL: name=value, separated by '&', values percent-encoded.
func parseFragment(scheme, fragment string) (Config, error) {
	var c files
	if strings.Contains(fragment, "@") {
		return Config{}, errors.New("there is an '@' after a '#': in a password write %23 for '#', in a parameter %40 for '@'")
	}
	seen := make(map[string]bool)
	for word := range strings.SplitSeq(fragment, "&") {
		if word == "" {
			continue
		}
		name, escaped, _ := strings.Cut(word, "=")
		value, err := url.PathUnescape(escaped)
		switch {
		case !parameterShape.MatchString(name):
			return Config{}, fmt.Errorf("after '#' come parameters of this package, as in #timeout=2s: there are %s", known())
		case err != nil:
			return Config{}, fmt.Errorf("the parameter %s: a '%%' must be written %%25", name)
		case seen[name]:
			return Config{}, fmt.Errorf("the parameter %s is given twice", name)
		case value == "":
			return Config{}, fmt.Errorf("the parameter %s has no value", name)
		}
		seen[name] = true
		if err := c.take(name, value); err != nil {
			return Config{}, fmt.Errorf("the parameter %s: %w", name, err)
		}
	}
	err := c.loadTLS(scheme)
	return c.Config, err
}

func (c *files) take(name, value string) error {
	for _, p := range parameters {
		if p.name == name {
			return p.set(c, value)
		}
	}
	return fmt.Errorf("it is unknown: there are %s", known())
}

func known() string {
	names := make([]string, len(parameters))
	for i, p := range parameters {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}

// use takes a source of tokens, if it has one now.
func (c *files) use(token func() (string, error)) error {
	if c.Token != nil {
		return errors.New("there is another token already: choose one")
	}
	c.Token = token
	_, err := token()
	return err
}

// variableShape is what the name of a variable looks like. What does not may be a token that somebody put in its place.
var variableShape = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,60}$`)

func tokenIn(variable string) func() (string, error) {
	return func() (string, error) {
		token := strings.TrimSpace(os.Getenv(variable))
		switch {
		case token != "":
			return token, checkToken(token)
		case variableShape.MatchString(variable):
			return "", fmt.Errorf("the environment variable %s is not set", variable)
		}
		return "", errors.New("the environment variable that it names is not set: it takes a name, as in token_env=OPS_TOKEN, not the token")
	}
}

// tokenFrom names no path in its errors: that, too, may be a token that somebody put in its place.
func tokenFrom(path string) func() (string, error) {
	return func() (string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			if failed := new(fs.PathError); errors.As(err, &failed) {
				err = failed.Err
			}
			return "", fmt.Errorf("the file that should hold the token cannot be read: %w", err)
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", errors.New("the file that should hold the token is empty")
		}
		return token, checkToken(token)
	}
}

// checkToken refuses what no header can carry (RFC 6750 2.1 allows less still), without showing it.
func checkToken(token string) error {
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the token holds white space, or a character that is not ASCII: it must be one word")
		}
	}
	return nil
}

// bearer makes the Authorization header of a token (RFC 6750).
func bearer(token func() (string, error)) func() (string, error) {
	if token == nil {
		return nil
	}
	return func() (string, error) {
		text, err := token()
		if err == nil {
			err = checkToken(text)
		}
		if err != nil {
			return "", err
		}
		return "Bearer " + text, nil
	}
}

// basic makes the Authorization header of a user and a password (RFC 7617).
func basic(user *url.Userinfo) func() (string, error) {
	password, _ := user.Password()
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
	return func() (string, error) { return header, nil }
}

// loadTLS reads what ca, cert and key name. A certificate is read again for each connection: it may have been renewed.
func (c *files) loadTLS(scheme string) error {
	switch {
	case c.ca == "" && c.cert == "" && c.key == "":
		return nil
	case scheme != "https":
		return errors.New("ca, cert and key are for https")
	case (c.cert == "") != (c.key == ""):
		return errors.New("cert and key go together")
	}
	c.TLS = new(tls.Config)
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return fmt.Errorf("the parameter ca: %w", err)
		}
		c.TLS.RootCAs = x509.NewCertPool()
		if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("the parameter ca: %s holds no certificate in PEM", c.ca)
		}
	}
	if c.cert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.cert, c.key); err != nil {
		return fmt.Errorf("the parameters cert and key: %w", err)
	}
	c.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate: %w", err)
		}
		return &certificate, nil
	}
	return nil
}
