package clientip

import (
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/recess-go/recess/core/internal/rule"
)

// ErrConfig is what every error of [New] wraps.
var ErrConfig = errors.New("clientip: unusable configuration")

// DefaultHeader is the header believed when [Config] names none.
const DefaultHeader = "X-Forwarded-For"

// unixPeers is the word for peers on a unix socket in [Config.Trusted].
const unixPeers = "unix"

// Config says which proxies are believed. The zero value believes none: the
// peer of the socket is the client.
type Config struct {
	// Trusted lists the proxies whose word is taken: addresses, CIDR prefixes,
	// and the word "unix" for peers on a unix socket, which have no address.
	// Peers that call themselves 0.0.0.0 or :: are never trusted. It is
	// RECESS_TRUSTED_PROXIES. Default: none.
	//
	// Refused are IPv4-mapped prefixes (CVE-2026-90711), prefixes with bits set
	// behind their length, and zones.
	Trusted []string

	// Header is the one header that is believed, a list of addresses with the
	// nearest at the right; a header with a single address is a list of one. It
	// is RECESS_CLIENT_IP_HEADER. Default: X-Forwarded-For.
	//
	// Name the one that every trusted proxy overwrites or appends to: one that
	// a proxy passes on untouched says what the client likes. Forwarded
	// (RFC 7239) is not supported and refused.
	Header string
}

// New returns a resolver for the configuration. The error wraps [ErrConfig] and
// names everything that cannot be used, each with what to write instead.
//
// New accepts 0.0.0.0/0 and ::/0; see [Resolver.TrustsEveryone].
func New(config Config) (*Resolver, error) {
	r := &Resolver{}
	var errs []error
	name, err := headerName(config.Header)
	if err != nil {
		errs = append(errs, fmt.Errorf("%w: header %q: %w", ErrConfig, config.Header, err))
	}
	r.header = name
	var prefixes []netip.Prefix
	var entries []string
	for _, entry := range config.Trusted {
		if entry == unixPeers {
			r.unix = true
			continue
		}
		prefix, err := rule.ParsePrefix(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: trusted proxy %w", ErrConfig, err))
			continue
		}
		r.proxies.Insert(prefix)
		prefixes, entries = append(prefixes, prefix), append(entries, entry)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, i := range rule.Everyone(prefixes) {
		r.everyone = append(r.everyone, entries[i])
	}
	return r, nil
}

// headerName checks the name against RFC 9110, 5.1 and returns it as net/http
// spells it, so that looking it up allocates nothing.
func headerName(name string) (string, error) {
	if name == "" {
		return DefaultHeader, nil
	}
	for _, c := range name {
		if !isToken(c) {
			return "", fmt.Errorf("%q does not belong in a header's name: write one such as %s", c, DefaultHeader)
		}
	}
	if strings.EqualFold(name, "Forwarded") {
		return "", fmt.Errorf("the header of RFC 7239 is not supported: let the proxy send %s and name that", DefaultHeader)
	}
	return textproto.CanonicalMIMEHeaderKey(name), nil
}

func isToken(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// Resolver finds the clients of requests. It never changes and may be used by
// any number of goroutines. The zero value and a nil *Resolver trust no proxy.
type Resolver struct {
	proxies  bart.Lite
	unix     bool
	header   string
	everyone []string
}

// TrustsEveryone names those entries of [Config.Trusted] that trust a whole
// family of addresses, such as 0.0.0.0/0, alone or together (0.0.0.0/1 and
// 128.0.0.0/1), and so let every client choose its address. The engine refuses
// them unless Policy.Unsafe names them.
func (r *Resolver) TrustsEveryone() []string {
	if r == nil {
		return nil
	}
	return append([]string(nil), r.everyone...)
}
