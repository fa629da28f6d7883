// Package recessfiber puts Recess before the routes of a fiber application.
//
//	app := fiber.New()
//	app.Use(recover.New())
//	gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
//	app.Get("/healthz", gate.ForceOff, healthz)
//	checkout := app.Group("/checkout", gate.Scope("checkout"))
//
// # Where the gate belongs
//
// Before every route, Static, Mount and filesystem: fiber runs what was added first, and what stands before the gate
// is not covered. Behind what changes the path or the method. fiber's logger asks its Next before the handlers run:
// install it behind the gate to leave refusals out, or ask [Gate.Blocked] in a logger of your own.
//
// # Markers
//
// ForceOff, ForceOn and what Scope returns are handlers to be put before a route's own, or on a group. The innermost
// force counts; scopes add up. A function of the application's own that calls gate.ForceOff marks nothing;
// ForceOn and scopes in one refuse what reaches them. HEAD has GET's marker where it has no route of its own.
//
// fiber compares a group's prefix as a string, so that a group "/api" runs for "/apix" too. Its markers do not: they
// hold for "/api" and what lies below. As its handlers do, they hold for routes below the prefix that were added after
// the group, by whomever.
//
// The marker of a request is that of the first route that matches: one whose handler goes on to the next route, like
// app.All("*", …) with c.Next, hides the ForceOff of those behind it and had better be a Use. Where no
// route matches, a group is still closed by ForceOn and belongs to its scopes, but is not opened by ForceOff: Static
// and other middlewares that answer by themselves look like that. Let them in by path rules.
//
// Two registrations of one method and path are one route to fiber: the markers of the later count for both.
//
// Routes are known as they stand when the first request is looked up. Of the markers of one that is added later,
// ForceOff opens nothing; ForceOn and scopes refuse what reaches them, which for a late group are its neighbours too.
//
// A target or a Host with a control byte is no URI to fasthttp. fiber routes it all the same, as an empty path; rules
// are then asked about what was sent.
package recessfiber
