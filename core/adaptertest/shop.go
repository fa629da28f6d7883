package adaptertest

import (
	"strings"

	"github.com/recess-go/recess/core"
)

var (
	forceOff = Mark{Force: recess.ForcedOff}
	forceOn  = Mark{Force: recess.ForcedOn}
	checkout = Mark{Scope: "checkout"}
)

// route is a plain route; methods are separated by commas, "" is all of them.
func route(methods, pattern, name string, marks ...Mark) Route {
	r := Route{Pattern: pattern, Name: name, Marks: marks}
	if methods != "" {
		r.Methods = strings.Split(methods, ",")
	}
	return r
}

// shop is the site that most tests drive.
func shop() Group {
	return Group{
		Routes: []Route{
			route("GET", "/", "front"),
			route("GET,POST,PUT,PATCH,DELETE,OPTIONS", "/orders", "orders"),
			route("GET", "/users/{id}", "user"),
			route("GET", "/deep/{rest...}", "deep"),
			route("", "/any", "any"),
			route("GET", "/healthz", "healthz"),
			route("GET", "/live", "live", forceOff),
			route("", "/live/any", "live-any", forceOff),
			route("GET,POST", "/closed", "closed", forceOn),
			route("GET", "/off-then-on", "off-then-on", forceOff, forceOn),
			route("GET", "/on-then-off", "on-then-off", forceOn, forceOff),
			route("GET,POST", "/checkout/cart", "cart", checkout),
			route("GET,POST", "/api/orders", "api"),
			route("GET", "/apix/orders", "apix"),
			route("GET", "/admin", "admin"),
			route("GET", "/admin/", "admin"),
			route("GET", "/admin/users", "admin-users"),
			route("GET", "/administrator", "administrator"),
			route("GET", "/maintenance", "panel"),
			route("POST", "/maintenance/off", "panel-off"),
			{Methods: []string{"GET"}, Pattern: "/maintenance/status", Kind: Status},
			{Methods: []string{"GET"}, Pattern: "/maintenance/live", Kind: Live},
			{Methods: []string{"GET"}, Pattern: "/maintenance/ready", Kind: Ready},
			{Methods: []string{"GET", "POST"}, Pattern: "/maintenance/pass", Kind: PassLink},
			{Methods: []string{"GET"}, Pattern: "/panics", Name: "panics", Kind: Panics},
			{Methods: []string{"GET"}, Pattern: "/holds", Name: "holds", Kind: Holds},
			{Methods: []string{"POST"}, Pattern: "/echo", Name: "echo", Kind: Echoes},
			{Methods: []string{"GET"}, Pattern: "/cached", Name: "cached", Sets: map[string]string{"Cache-Control": "public, max-age=60"}},
		},
		Groups: []Group{
			{Prefix: "/free", Marks: []Mark{forceOff}, Routes: []Route{
				route("GET", "/page", "free-page"),
				route("GET", "/shut", "free-shut", forceOn),
			}, Groups: []Group{
				{Prefix: "/deep", Routes: []Route{route("GET", "/er", "free-deeper")}},
				{Prefix: "/shut", Marks: []Mark{forceOn}, Routes: []Route{
					route("GET", "/page", "free-shut-page"),
					route("GET", "/help", "free-shut-help", forceOff),
				}},
			}},
			{Prefix: "/pay", Marks: []Mark{forceOn}, Routes: []Route{
				route("GET,POST", "/now", "pay-now"),
				route("GET", "/help", "pay-help", forceOff),
			}},
			{Prefix: "/shop", Marks: []Mark{checkout}, Routes: []Route{
				route("GET,POST", "/list", "shop-list"),
				route("GET", "/news", "shop-news", forceOff),
			}, Groups: []Group{
				{Prefix: "/eu", Marks: []Mark{{Scope: "eu"}}, Routes: []Route{route("GET", "/list", "shop-eu")}},
			}},
			{Prefix: "/mounted", Mount: true, Routes: []Route{
				route("GET", "/page", "mounted-page"),
				route("GET", "/live", "mounted-live", forceOff),
				route("GET", "/closed", "mounted-closed", forceOn),
				route("GET", "/cart", "mounted-cart", checkout),
			}},
			{Prefix: "/private", Mount: true, Marks: []Mark{forceOn}, Routes: []Route{
				route("GET", "/page", "private-page"),
				route("GET", "/help", "private-help", forceOff),
			}},
		},
	}
}
