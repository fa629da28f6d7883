package etcdstate

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/recess-go/recess/core/state"
)

func init() {
	for scheme, secure := range map[string]bool{"etcd": false, "etcds": true} {
		state.Register(scheme, func(_ context.Context, rest string) (state.Backend, error) {
			b, err := open(rest, secure)
			if err != nil {
				return nil, fmt.Errorf("etcdstate: open: %w", err)
			}
			return b, nil
		})
	}
}

// ClientConfig returns the configuration of a client with what this package's own clients have, where it says nothing
// else: a connection on which nothing comes back for 10 seconds is tested, and given up 3 seconds later; attempts to
// connect are at most 2 seconds apart on average, at random, as is the first after a connection was lost; a write that
// something on the way has cancelled is not sent again; nothing is logged.
func ClientConfig(config clientv3.Config) clientv3.Config {
	config.DialKeepAliveTime = cmp.Or(config.DialKeepAliveTime, 10*time.Second) // gRPC takes no less
	config.DialKeepAliveTimeout = cmp.Or(config.DialKeepAliveTimeout, 3*time.Second)
	if config.Logger == nil && config.LogConfig == nil {
		config.Logger = zap.NewNop()
	}
	// gRPC's own attempts grow up to two minutes apart: that long a server would be back without being noticed.
	connect := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 1, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 4 * time.Second,
	}
	options := []grpc.DialOption{grpc.WithConnectParams(connect), grpc.WithChainUnaryInterceptor(noRepeats)}
	if !proxied(config) {
		options = append(options, grpc.WithContextDialer((&spreader{had: make(map[string]bool)}).dial))
	}
	config.DialOptions = append(options, config.DialOptions...)
	return config
}

// An address is what a state URL says.
type address struct {
	user, password string
	endpoints      []string
	tls            *tls.Config // nil: no TLS
	serverName     string      // in the servers' certificates; "": each one's host
	config         Config
}

// unauthenticated stands in for the token that a new client has not been given yet.
const unauthenticated = "recess-has-yet-to-authenticate"

func open(rest string, secure bool) (*Backend, error) {
	a, err := parse(rest, secure)
	if err != nil {
		return nil, err
	}
	config := ClientConfig(clientv3.Config{Endpoints: a.endpoints, TLS: a.tls})
	if a.user != "" {
		config.Token = unauthenticated // given a user, New would wait for a server
	}
	if a.serverName != "" {
		config.DialOptions = append(config.DialOptions, grpc.WithAuthority(a.serverName)) // tls.Config's is overwritten
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, fmt.Errorf("making the client: %w", err)
	}
	// The first call is refused for its token, has the client authenticate, and is repeated: so it is with every token
	// that has expired.
	client.Token, client.Username, client.Password = "", a.user, a.password
	client.Auth = &shared{Auth: clientv3.NewAuthFromAuthClient(pb.NewAuthClient(prompt{client.ActiveConnection()}), client)}
	return over(client, a.config, true), nil
}

// parse reads what follows the scheme. No error shows any of what stands before the query: a password may.
func parse(rest string, secure bool) (a address, err error) {
	scheme := "etcd"
	if secure {
		scheme = "etcds"
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return address{}, fmt.Errorf("write the state URL as %s://HOST:2379/?key=recess", scheme)
	}
	if strings.Contains(rest, "#") {
		return address{}, errors.New("a '#' in a state URL must be written %23")
	}
	authority, after := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, after = rest[:i], rest[i:]
	}
	if strings.Contains(after, "@") {
		return address{}, errors.New("in a user's name or password write '/' as %2F and '?' as %3F, and anywhere after the hosts '@' as %40")
	}
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		if a.user, a.password, err = parseUser(authority[:i]); err != nil {
			return address{}, err
		}
	}
	if a.endpoints, err = parseHosts(hosts, secure); err != nil {
		return address{}, err
	}
	path, query, _ := strings.Cut(after, "?")
	if path != "" && path != "/" {
		return address{}, errors.New("the state URL has a path: the document's key is written as ?key=…")
	}
	err = a.parseQuery(query, secure)
	return a, err
}

func parseUser(text string) (user, password string, err error) {
	user, password, _ = strings.Cut(text, ":")
	user, errUser := url.PathUnescape(user)
	password, errPassword := url.PathUnescape(password)
	switch {
	case errUser != nil || errPassword != nil:
		return "", "", errors.New("in a user's name or password write '%' as %25")
	case user == "" || password == "":
		return "", "", errors.New("a user needs a name and a password, as in etcd://USER:PASSWORD@HOST")
	}
	return user, password, nil
}

// parseHosts returns the endpoints of a list of hosts, as clientv3 wants them.
func parseHosts(text string, secure bool) (endpoints []string, err error) {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	for i, text := range strings.Split(text, ",") {
		u, err := url.Parse(scheme + text)
		if err != nil || u.Hostname() == "" || u.Host != text || strings.HasSuffix(text, ":") {
			return nil, fmt.Errorf("host %d makes no sense: write HOST, HOST:PORT or [IPv6]:PORT, and ',' between hosts", i+1)
		}
		port := cmp.Or(u.Port(), "2379")
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("the port of host %d is not a number from 1 to 65535", i+1)
		}
		endpoints = append(endpoints, scheme+net.JoinHostPort(u.Hostname(), port))
	}
	return endpoints, nil
}

func (a *address) parseQuery(query string, secure bool) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("the query: %w", err)
	}
	for name, given := range values {
		switch {
		case !slices.Contains(parameters, name):
			return fmt.Errorf("the query parameter %.40q is unknown: there are %s", name, strings.Join(parameters, ", "))
		case len(given) > 1:
			return fmt.Errorf("%s is given %d times", name, len(given))
		case given[0] == "":
			return fmt.Errorf("%s is empty", name)
		case !secure && strings.HasPrefix(name, "tls_"):
			return fmt.Errorf("%s is for TLS: write etcds: in place of etcd", name)
		}
	}
	a.config.Key = values.Get("key")
	if err := checkKey(a.config.Key); err != nil {
		return err
	}
	if a.config.Timeout, err = parseDuration(values, "timeout"); err != nil {
		return err
	}
	if a.config.Probe, err = parseDuration(values, "probe"); err != nil {
		return err
	}
	if secure {
		a.serverName = values.Get("tls_server_name")
		a.tls, err = parseTLS(values)
	}
	return err
}

var parameters = []string{"key", "timeout", "probe", "tls_ca", "tls_cert", "tls_key", "tls_server_name", "tls_skip_verify"}

func parseDuration(values url.Values, name string) (time.Duration, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s: %.40q is no duration above 0, such as 4s", name, text)
	}
	return d, nil
}

func parseTLS(values url.Values) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if text := values.Get("tls_skip_verify"); text != "" {
		skip, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("tls_skip_verify: %.40q is neither true nor false", text)
		}
		config.InsecureSkipVerify = skip
	}
	if path := values.Get("tls_ca"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca: %s holds no certificate in PEM form", path)
		}
	}
	cert, key := values.Get("tls_cert"), values.Get("tls_key")
	switch {
	case cert == "" && key == "":
		return config, nil
	case cert == "" || key == "":
		return nil, errors.New("tls_cert and tls_key belong together: give both")
	}
	// It is read for each connection, so that a new certificate takes the place of one that expires.
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls_cert and tls_key: %w", err)
		}
		return &pair, nil
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	_, err := load()
	return config, err
}
