// Package httpstate follows a state that is published by HTTP: by an object store's public URL, a static site, a gateway
// that many services follow, an operator's own small server. It only reads; the switch is where the document is
// published. Its state URLs are the documents' own,
//
//	https://ops.example.com/recess.json
//	https://user:password@ops.example.com/state?site=eu#timeout=2s
//	https://ops.example.com/recess.json#token_env=OPS_TOKEN
//
// with what concerns this package alone behind the '#', which is never sent: the query stays the site's own. There are
//
//	timeout=2s       how long a look may take, 4 s by default
//	token_env=NAME   the environment variable, and
//	token_file=PATH  the file, read before each look, with a bearer token (RFC 6750)
//	ca=PATH          the certificates in PEM that are trusted in place of the system's
//	cert=PATH        the certificate in PEM, and
//	key=PATH         its key, with which the client shows who it is
//
// separated by '&', with percent-encoded values. User and password in the URL are sent as Basic authentication.
//
// What is published is a document ([state.Decode]) or a word that switches the whole site ([state.ParseWord]: on, off,
// …). 404 and 410 mean that there is no document, which is off. A page of another kind (a captive portal's, a login
// form) is returned as it is, for Decode to refuse. Everything else but 200 is a failure; it and what Decode refuses
// keep the last known state.
//
// The server is asked only for what has changed (ETag, or Last-Modified). Neither is trusted far: a revision is made of
// the content; while a document is younger than a minute, when there can be another one of the same time, it is
// fetched in full; and after five minutes any document is. Redirects are followed, at most 5, never from https to http,
// and credentials never leave the host that they were given for. Nothing compressed is asked for, and nothing is read
// beyond the largest document ([state.MaxSize]).
package httpstate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// Config says how the document is asked for. The zero Config asks anonymously.
type Config struct {
	// Transport is whom to ask through, which the caller keeps: a client's Transport, one that signs requests. Nil: one of
	// the backend's own, for HTTP/1.1, with the proxy of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). Where a
	// connection of one that was given seems dead, its CloseIdleConnections is called before the next look: HTTP/2
	// would go on with it. What it shows of itself to the target of a redirect is its own business.
	Transport http.RoundTripper
	// Timeout bounds every look, redirects and the body included: driver.DefaultTimeout if 0.
	Timeout time.Duration
	// Header is sent with each question, to the URL's own host alone: credentials of any kind may stand there.
	Header http.Header
	// Token is asked for the bearer token before each question, so that one that is renewed from outside can be used.
	// Nil: none is sent, unless the URL holds user and password, which are sent as Basic authentication (RFC 7617).
	Token func() (string, error)
	// TLS is how a transport of the backend's own trusts servers, and shows the URL's own who it is. Nil: the system's roots.
	TLS *tls.Config
}

// A Backend is a [state.Backend] that follows a document by HTTP. It can only be polled, and never be saved to.
type Backend struct {
	*driver.Backend
	source *source
}

// New returns a backend on the document at an http: or https: URL without a fragment.
func New(documentURL string, config Config) (*Backend, error) {
	s, err := newSource(documentURL, config)
	if err != nil {
		return nil, fmt.Errorf("httpstate: %w", err)
	}
	return &Backend{driver.New(s, driver.Config{Name: "httpstate", Timeout: config.Timeout}), s}, nil
}

// Next implements [state.Backend]. The duration is what the server asks for: with [state.ErrUnchanged] the time for
// which its answer is fresh (Cache-Control: max-age, less Age; at least a second), with another error what is left of
// its Retry-After. Until that has passed, at most a minute, it is not asked again, whoever calls.
func (b *Backend) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	doc, _, err := b.Backend.Next(ctx, since)
	switch {
	case err == nil:
		return doc, 0, nil
	case errors.Is(err, state.ErrUnchanged):
		return state.Doc{}, b.source.freshFor(), err
	}
	return state.Doc{}, b.source.quietFor(), err
}

// newSource checks everything that can be checked without asking the server.
func newSource(documentURL string, config Config) (*source, error) {
	u, err := parseURL(documentURL)
	if err != nil {
		return nil, err
	}
	s := &source{url: u, shown: state.Redact(documentURL), header: make(http.Header), authorize: bearer(config.Token)}
	if config.Timeout < 0 {
		return nil, fmt.Errorf("the time limit is %s: it must be above 0", config.Timeout)
	}
	if user := u.User; user != nil && user.String() != "" {
		if s.authorize != nil {
			return nil, errors.New("there are user and password in the URL, and a token too: choose one")
		}
		s.authorize = basic(user)
	}
	u.User = nil
	for name, values := range config.Header {
		if name = http.CanonicalHeaderKey(name); slices.Contains(ownHeaders, name) {
			return nil, fmt.Errorf("the header %s cannot be given: the backend sets it itself", name)
		}
		s.header[name] = slices.Clone(values)
	}
	if s.authorize != nil && s.header.Get("Authorization") != "" {
		return nil, errors.New("there are credentials in the URL or a token, and in the header Authorization too: choose one")
	}
	switch {
	case config.Transport == nil:
		own, strangers := newTransport(config.TLS), newTransport(anonymous(config.TLS))
		s.transport, s.strangers = own, strangers
		s.close = func() { own.CloseIdleConnections(); strangers.CloseIdleConnections() }
	case config.TLS != nil:
		return nil, errors.New("there are a transport and a TLS configuration: the transport has one of its own")
	default:
		s.transport, s.strangers = config.Transport, config.Transport
	}
	return s, nil
}

// ownHeaders are those that must say what this package says.
var ownHeaders = []string{"Host", "Accept-Encoding", "Cache-Control", "If-None-Match", "If-Modified-Since", "Range", "Connection"}

// anonymous is a TLS configuration without the certificate of the client, which any server may ask for.
func anonymous(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	config.Certificates, config.GetClientCertificate = nil, nil
	config.ClientSessionCache = nil // who was known is known again by a session
	return config
}

// newTransport returns a transport for one document: few connections, small headers. HTTP/1.1 ends the connection of a
// request that was not answered, and shares none among requests; HTTP/2 does neither, and has nothing to offer for one
// small document.
func newTransport(config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if config = config.Clone(); config == nil {
		config = new(tls.Config)
	}
	if config.ClientSessionCache == nil && config.GetClientCertificate == nil {
		// Many servers end a connection before the next look. Where the client shows a certificate, it is to be the one of
		// today, and not that of the session's beginning.
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        config,
		Protocols:              protocols,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
