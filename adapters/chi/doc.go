// Package recesschi puts Recess before the routes of a chi router.
//
//	r := chi.NewRouter()
//	r.Use(middleware.Recoverer, middleware.StripSlashes)
//	gate, err := recesschi.Install(r, engine, recesschi.Hooks{})
//	r.With(gate.ForceOff).Get("/healthz", healthz)
//	r.Route("/checkout", func(r chi.Router) {
//		r.Use(gate.Scope("checkout"))
//		…
//	})
//
// # Where the gate belongs
//
// Behind what changes the path or the method that chi routes: StripSlashes, CleanPath, GetHead. Otherwise the gate looks
// up another route than the router, and misses its markers. Behind the loggers, which can ask [Gate.Blocked]. Before
// middleware.RealIP, or with [nethttp.ConnContext], since RealIP overwrites the address of the peer.
//
// On a group or a mounted router it works as well. Path rules are then about the path as it was sent: how it was
// rewritten on the way there, chi does not tell.
//
// # Markers
//
// ForceOff, ForceOn and what Scope returns are middlewares, for With, Group, Route and Use. The innermost force counts;
// scopes add up. HEAD has GET's marker where it has no route of its own.
//
// The gate looks markers up in chi's routes, as they stand when the first request is looked up. It does not find those
// of a route that is added later, of a mounted handler that is no chi router, of a NotFound handler, and those that
// stand around a handler or in a function of the application's own. There ForceOff opens nothing; ForceOn and scopes
// refuse what reaches them.
package recesschi
