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
// scopes add up. A function of the application's own that calls gate.ForceOff marks nothing. HEAD has GET's marker
// where it has no route of its own.
//
// Routes are known as they stand when the first request is looked up. One that is added later has no marker: it is
// closed with the whole site but with no scope, and of its markers ForceOn alone works. The same holds for what chi
// cannot list: the routes of a mounted handler that is no chi router, and NotFound handlers, which answer where no
// route matched. Path rules reach them.
package recesschi
