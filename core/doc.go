// Package recess is the decision engine of Recess: maintenance mode for Go web services.
//
// An [Engine] follows the state, one small document that says which windows of maintenance run and which are planned,
// and decides each request on it and on the application's [Policy]. A [Controller] changes the state; it is all that
// the command line is. Neither knows a web framework: an adapter translates one framework's request context into an
// [Exchange], and asks.
//
//	backend, err := filestate.New("recess.json", filestate.Config{})
//	engine, err := recess.New(ctx, recess.Config{
//		Backend: backend,
//		Policy:  recess.Policy{AllowPaths: []string{"/static/**"}, AllowNetworks: []string{"10.0.0.0/8"}},
//	})
//	defer engine.Close()
//
//	gate, err := recessgin.Install(router, engine, recessgin.Hooks{})
//	router.GET("/healthz", gate.ForceOff, healthz)
//
//	_, err = engine.Control(state.Actor{Name: "deploy"}).On(ctx, recess.Opening{End: time.Now().Add(time.Hour)})
//
// # One request
//
// [Engine.Begin] counts the request and takes the snapshot, in that order. While nothing runs and nothing is planned the
// snapshot is nil, and that is all: one atomic load and one striped count, no clock, no lock, no I/O, no allocation.
// Otherwise [Ticket.Admit] asks the rules in their order, and either hands the request on or answers it with a page
// that was prepared when the state changed.
//
// # One change
//
// [Controller.On] and its kin load the document, edit it, and save it only if nobody was faster. Every engine that
// follows the backend sees the new revision by its watch, or by polling at the latest; it compiles a snapshot, and
// stores it. A timer does the same when a window begins or ends.
//
// # When the backend fails
//
// The last known state is kept, and [Engine.Situation] says so: initializing, valid, stale or failed, since when, and
// why. A document that makes no sense, is older than one seen before, or has vanished, never opens a site and never
// closes one.
package recess
