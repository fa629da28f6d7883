// Package rule compiles what an operator may write about a request, its path,
// its host and its client's address, into sets that answer in the same time
// with ten rules or ten thousand.
//
// The same path grammar is read with two temperaments. An [Allow] set lets a
// request in while maintenance runs, so it says yes only to a path that cannot
// be understood in two ways: the rule must match the path as it was sent and
// the path as it is decoded and cleaned, letter for letter. A [Cover] set says
// what maintenance covers, so it says yes as soon as any reading of the path
// does. Between them a disagreement between a router and this package always
// ends in a refusal, never in a leak (echo CVE-2026-55677, traefik
// CVE-2025-66490, caddy CVE-2026-27587, envoy CVE-2019-9901).
//
// # The grammar of paths
//
//	/a          exactly that path
//	/           the front page alone
//	/a/**       /a, /a/ and everything below
//	/a/**/z     any number of segments in between, none included: /a/z, /a/b/c/z
//	/a/*/z      exactly one segment in between, never an empty one
//	/img-*.png  * stays within its segment and may stand for nothing there
//	~re         an RE2 regular expression, anchored at the start and open at
//	            the end, as Python's re.match in IGNORE_URLS
//
// Everything else stands for itself. A pattern is written decoded: "/über uns",
// not "/%C3%BCber%20uns". What cannot mean anything is an error, and an error
// names every bad entry together with what to write instead.
//
// Compiled sets never change and may be used by any number of goroutines. No
// method keeps a string that was handed to it: frameworks reuse their buffers.
package rule
