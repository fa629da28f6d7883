// Package clientip says who the client of a request is: the peer of the socket,
// or, when the peer is a trusted proxy, the address that the proxy vouches for.
//
// A forwarding header is a claim that anyone can make. It is worth something
// only as far as it was written by proxies one knows, and those write at its
// right end. So nothing is read unless the peer is trusted, the header is read
// from the right, and reading stops at the first address that is not trusted:
// that is the client. What stands further left came from the client itself.
//
// Where the chain cannot be followed there is no address, and without an
// address there is no allowance by network: an entry that does not parse, an
// empty one, one with a port, a chain of trusted proxies alone, a chain that is
// too long. The helpers of the frameworks guess in these cases, each in its own
// way, and have been spoofed for it (gin CVE-2020-28483, fiber CVE-2026-45045,
// authentik CVE-2024-47070, chi GHSA-3fxj-6jh8-hvhx, echo GHSA-246p-cpwv-v3jq).
//
// The package takes the place of django-maintenance-mode's setting
// MAINTENANCE_MODE_GET_CLIENT_IP_ADDRESS.
package clientip
