package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/recess-go/recess/core/internal/schema"
)

func (c *explainCommand) run(ctx context.Context, s *session) error {
	q, err := c.question()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	var verdict schema.Verdict
	switch {
	case c.Service != nil:
		verdict, err = c.askService(ctx, s, q)
	case c.TokenFile != nil:
		return usage("--token-file goes with --service")
	default:
		verdict, err = s.rehearse(ctx, q)
	}
	if err != nil {
		return err
	}
	if s.globals.JSON {
		err = schema.WriteJSON(s.Out, verdict, true)
	} else {
		s.printer.Verdict(&verdict)
		if c.Service == nil {
			fmt.Fprintf(s.Out, "\nThis is by the RECESS_* variables that are set here. What the application sets in code, and its routes' markers, only\n"+
				"the running service knows: --service asks it.\n")
		}
	}
	if err == nil && c.ExitCode && verdict.Refused {
		return errActive
	}
	return err
}

func (c *explainCommand) question() (*schema.Question, error) {
	q := &schema.Question{Method: c.Method, Host: c.Host, Path: c.Path, Address: c.IP, Scopes: c.RouteScope, Marker: strings.ReplaceAll(c.Marker, "-", "_")}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usage(`--header: write it as in --header "X-Forwarded-For: 192.0.2.1"`) // what it holds may be secret
		}
		if q.Headers == nil {
			q.Headers = make(map[string]string)
		}
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if _, twice := q.Headers[name]; twice {
			q.Headers[name] += ", " // RFC 9110, section 5.3
		}
		q.Headers[name] += strings.TrimSpace(value)
	}
	if c.User != "" || c.Staff || c.Superuser || len(c.Role) > 0 {
		q.User = &schema.Asker{Name: c.User, Staff: c.Staff, Superuser: c.Superuser, Roles: c.Role}
	}
	return q, nil
}

// maxAnswer bounds what a service may say.
const maxAnswer = 1 << 20

// askService asks a running service by its admin API.
func (c *explainCommand) askService(ctx context.Context, s *session, q *schema.Question) (v schema.Verdict, err error) {
	base, err := serviceURL(*c.Service)
	if err != nil {
		return v, err
	}
	token, err := c.token(s)
	if err != nil {
		return v, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return v, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath("api", "explain").String(), bytes.NewReader(body))
	if err != nil {
		return v, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the token is for this service
	answer, err := client.Do(r)
	if err != nil {
		return v, fmt.Errorf("%w: %w", errService, errors.Unwrap(err)) // without the URL, which may hold a password
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return v, fmt.Errorf("%w: %w", errService, err)
	}
	var problem struct{ Detail string }
	switch {
	case answer.StatusCode == http.StatusOK && json.Unmarshal(data, &v) == nil:
		return v, nil
	case answer.StatusCode == http.StatusUnprocessableEntity && json.Unmarshal(data, &problem) == nil:
		return v, usage("%s", schema.Clean(problem.Detail))
	case json.Unmarshal(data, &problem) == nil && problem.Detail != "":
		return v, fmt.Errorf("%w: it answers %d: %s", errService, answer.StatusCode, schema.Clean(problem.Detail))
	}
	return v, fmt.Errorf("%w: it answers %d, and not as the admin panel does: is it mounted there?", errService, answer.StatusCode)
}

// errService is a service that could not be asked.
var errService = errors.New("the service cannot be asked")

// serviceURL reads the address of a panel. A token goes there, so it has to be a safe one.
func serviceURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, usage("--service: write the address of the service's panel, as in https://shop.example/maintenance")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, usage("--service: the token would cross the network for everybody to read: use https")
	}
	return u, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// token reads the token, which is not to stand on the command line, where everybody on the machine sees it.
func (c *explainCommand) token(s *session) (string, error) {
	if c.TokenFile == nil {
		return "", usage("--service needs a token with the right to read, in a file: --token-file PATH, or - for standard input")
	}
	const maxToken = 4096
	in := s.In
	if *c.TokenFile != "-" {
		file, err := os.Open(*c.TokenFile)
		if err != nil {
			return "", usage("--token-file: %s", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxToken))
	token := strings.TrimSpace(string(data))
	if err != nil || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", usage("--token-file: it holds no token")
	}
	return token, nil
}
