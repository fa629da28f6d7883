// Package pass signs and checks bypass passes: what lets one person in while a window runs.
//
// A pass is a text of fixed length,
//
//	rp1_ ID SECRET SIGNATURE
//
// in which SECRET is 130 random bits, ID names the pass in the state document and is a hash of SECRET, and SIGNATURE is an
// HMAC-SHA-256 (RFC 2104) by a key of the [Ring] over SECRET and all that the document says the pass is good for: its id,
// for whom, the audience, the scope, the window and its occurrence, the expiry. So
//
//   - nothing that the document holds lets its reader in, and neither does a stolen key without a pass;
//   - who can write the document cannot make a pass, nor make one good for more than it was made for;
//   - a pass has exactly one spelling, which is compared and never parsed.
//
// A link, "rl1_…", is made of the same parts under a signature of its own. It opens nothing, but can be exchanged for the
// pass as often as the document says.
//
// The package does no I/O and reads no clock.
package pass
