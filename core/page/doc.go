// Package page is the answer that a refused client gets: what it says, in which form, with which headers.
//
// A [Renderer] holds how answers look and is checked once, at the start. [Renderer.Prepare] turns what is to be
// told, a [Notice], into a [Set]: every answer that any client may get, ready as bytes. [Set.Choose] then picks one
// for a request by reading two headers; it renders nothing, allocates nothing and cannot fail.
//
//	renderer, err := page.New(page.Config{})
//	…
//	set, err := renderer.Prepare(page.Notice{Mode: "full", Ends: ends, RetryAfter: time.Until(ends)})
//	…
//	answer := set.Choose(page.Auto, request.Header.Get("Accept"), request.Header.Get("Accept-Language"))
//	for _, field := range answer.Header {
//		w.Header()[field.Name] = field.Value
//	}
//	w.WriteHeader(answer.Status)
//	w.Write(answer.Body)
//
// What every answer keeps to:
//
//   - it may not be stored by anyone (no-store, no validators, never 301 or 308), because the answer outliving the
//     maintenance is the complaint that users of every such system have filed;
//   - its media type is one of ours, fixed, with nosniff and a Content-Security-Policy under which nothing runs;
//     what the client sends only picks among prepared answers and is never echoed;
//   - it says that it is maintenance and not a failure, in the field [HeaderName].
//
// Each media type speaks as its readers expect: a self-contained HTML page, problem details (RFC 9457) for clients
// that ask for them, the same members as plain JSON, a few lines of text.
package page
