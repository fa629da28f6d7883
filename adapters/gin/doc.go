// Package recessgin puts Recess before the routes of a [gin.Engine].
//
//	r := gin.New()
//	r.Use(gin.Logger(), gin.Recovery())
//	gate, err := recessgin.Install(r, engine, recessgin.Hooks{})
//	r.GET("/healthz", gate.ForceOff, healthz)
//	checkout := r.Group("/checkout", gate.Scope("checkout"))
//
// # Markers
//
// ForceOff, ForceOn and what Scope returns are handlers to be put before a route's own, on the route or on a group
// around it. The innermost force counts; scopes add up. gin tells a middleware no more of a route's handlers than
// their names, so a marker must stand in the chain as it is: a function that calls gate.ForceOff marks nothing.
//
// # What gin does of its own
//
//   - Its redirects (RedirectTrailingSlash, on by default, and RedirectFixedPath) are sent before any middleware runs:
//     while the site is closed, /cart/ is still answered with 301 to /cart, which is refused. Browsers keep a 301.
//     Set r.RedirectTrailingSlash to false, and such a path is refused like any other.
//   - A GET route does not serve HEAD. HEAD of a route that is forced off is refused while the site is closed, as gin
//     cannot be asked what GET would have matched. For probes that send HEAD, mark both:
//     r.Match([]string{"GET", "HEAD"}, "/healthz", gate.ForceOff, healthz).
//   - Engine.HandleContext runs the middleware again, for the route that it leads to. Each run decides on its own
//     route, and both must pass.
//   - The route is matched on the decoded path unless UseRawPath or UseEscapedPath is set. Markers follow the route
//     that matched, whatever its spelling.
//   - A middleware before the gate must not change the method of a request that is routed already, but by
//     HandleContext: routes are known to the gate by method and pattern.
package recessgin
