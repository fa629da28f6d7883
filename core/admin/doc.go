// Package admin is the panel from which people take a site into maintenance and back, and its JSON API: one net/http handler
// over an engine, which every adapter mounts in one line (Gate.Panel).
//
//	panel, err := admin.New(admin.Config{Engine: engine, Authorize: admin.Superusers})
//	…
//	router.Any("/maintenance/*path", gate.Panel(panel)) // gin
//
// The panel is rendered here, works without JavaScript and is better with it, and asks nothing of other servers. All paths
// are below Policy.ControlPath, so it can be reached while the site is closed; it answers these:
//
//	/                   the panel
//	/on /off /schedule /cancel /preview /explain /passes/…    its forms: POST
//	/api/               the JSON API, described by /api/openapi.json
//	/pass               the page behind links to bypass passes, for anybody who has one
//	/status /live /ready    what [recess.Engine.StatusAnswer] and its like say, to anybody
//
// Who may look and who may change is for [Config].Authorize to say, and for the tokens of Policy.AdminTokens
// (RECESS_ADMIN_TOKENS). There is no default that lets anybody in. GET changes nothing; what changes something needs proof that
// it was meant (docs/admin.md).
package admin
