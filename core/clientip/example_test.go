package clientip_test

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/recess-go/recess/core/clientip"
)

func Example() {
	resolver, err := clientip.New(clientip.Config{Trusted: []string{"10.0.0.0/8", "192.0.2.1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The client wrote the first address itself; the others were added by the
	// proxies that the request came through.
	header := http.Header{"X-Forwarded-For": {"127.0.0.1, 203.0.113.9, 192.0.2.1"}}

	fmt.Println(resolver.Client(netip.MustParseAddrPort("10.1.2.3:4711"), header.Get))
	fmt.Println(resolver.Client(netip.MustParseAddrPort("198.51.100.5:4711"), header.Get))
	// Output:
	// 203.0.113.9
	// 198.51.100.5
}

func ExampleResolver_Explain() {
	resolver, err := clientip.New(clientip.Config{Trusted: []string{"10.0.0.0/8"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	header := http.Header{"X-Forwarded-For": {"127.0.0.1, unknown, 10.0.0.7"}}
	fmt.Println(resolver.Explain(netip.MustParseAddrPort("10.1.2.3:4711"), header.Get))
	// Output:
	// peer 10.1.2.3: trusted
	// X-Forwarded-For "10.0.0.7": a trusted proxy, skipped
	// X-Forwarded-For "unknown": not an address
	// no client address: an entry is not an address, so nothing left of it can be believed
}

func ExampleNew_unusable() {
	_, err := clientip.New(clientip.Config{Trusted: []string{"10.0.0.1/8", "::ffff:10.0.0.0/8"}, Header: "Forwarded"})
	fmt.Println(err)
	// Output:
	// clientip: unusable configuration: header "Forwarded": the header of RFC 7239 is not supported: let the proxy send X-Forwarded-For and name that
	// clientip: unusable configuration: trusted proxy "10.0.0.1/8": bits are set behind the length: write 10.0.0.0/8 for the network or 10.0.0.1 for the one address
	// clientip: unusable configuration: trusted proxy "::ffff:10.0.0.0/8": an IPv4-mapped prefix is refused: write the IPv4 prefix 10.0.0.0/8
}
