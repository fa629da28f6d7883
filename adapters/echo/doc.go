// Package recessecho puts Recess before the routes of an [echo.Echo].
//
//	e := echo.New()
//	gate, err := recessecho.Install(e, engine, recessecho.Hooks{})
//	e.GET("/healthz", healthz, gate.ForceOff)
//	checkout := e.Group("/checkout", gate.Scope("checkout"))
//
// # Markers
//
// ForceOff, ForceOn and what Scope returns are middlewares to be put on a route or on a group around it. The innermost
// force counts; scopes add up. The gate learns them as routes are added, so it must be made before. A function of the
// application's own that calls gate.ForceOff marks nothing; ForceOn and scopes in one refuse what reaches them. HEAD has
// GET's marker where it has no route of its own.
//
// # What echo does of its own
//
//   - A group with middlewares answers every path below it that has no route, with 404. The group's ForceOff
//     does not open such a path; its ForceOn and its scopes refuse what reaches them. A marker that stands on
//     [echo.Echo.RouteNotFound] itself counts.
//   - Host routers are told apart by the Host header as it was sent: "H.example" and "h.example:80" are served by the
//     default router, and have its markers.
//   - Mount the gate with Use, not with Pre: before the routing there are no markers. What Pre changes, the method or
//     the path, has changed before the gate looks. After the routing nothing may change the method of a request:
//     routes are known to the gate by host, method and pattern.
//   - Errors that handlers return are answered by echo's error handler after all middlewares, and so after the request
//     was counted as ended.
package recessecho
