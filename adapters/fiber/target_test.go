package recessfiber_test

import (
	"io"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
)

// fasthttp leaves path and host empty if a control byte is anywhere in them; fiber routes what it cannot read.
func TestATargetThatIsNoURIIsStillJudgedByWhatWasSent(t *testing.T) {
	scopes := map[string][]string{"api": {"/api/**"}, "eu": {"host:eu.example.com"}}
	engine, app := newEngine(t, recess.Policy{Scopes: scopes, AllowPaths: []string{"/api/free"}}), fiber.New()
	gate := install(t, app, engine, recessfiber.Hooks{})
	app.Get("/", gate.ForceOff, says("front"))
	app.Use("/", gate.Scope("use"))
	app.Get("/*", says("ran"))
	deliver := served(t, app)
	send := func(target, host string) string {
		t.Helper()
		got := deliver("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != fiber.StatusOK {
			return got.Status
		}
		return string(text)
	}
	bad := map[[2]string]string{ // target and host, and what closes them
		{"/api/orders\x00", "a.example"}:                     "api",
		{"/api/orders?a=\x01b", "a.example"}:                 "api",
		{"/api/free\x7f", "a.example"}:                       "api",
		{"/api/orders?a#\x01", "a.example"}:                  "api",
		{"http://b.example/api/orders\x00", "a.example"}:     "api",
		{"/\x7f", "eu.example.com"}:                          "eu",
		{"/x?\x01", "EU.example.com:80"}:                     "eu",
		{"http://eu.example.com/\x7f", "a.example"}:          "eu",
		{"http://me@eu.example.com?\x7f", "a.example"}:       "eu",
		{"/api/orders", "a\x01"}:                             "api",
		{"/other\x01?x=/api/orders", "a.example"}:            "",
		{"/other?x=http://eu.example.com/\x01", "a.example"}: "",
	}
	for request := range bad {
		if got := send(request[0], request[1]); got != "ran" {
			t.Errorf("nothing running: %q is answered by %q", request, got)
		}
	}
	open(t, engine, recess.Opening{Scope: "api"})
	open(t, engine, recess.Opening{Scope: "eu"})
	for request, scope := range bad {
		if got := send(request[0], request[1]); (got == "ran") != (scope == "") {
			t.Errorf("scopes closed: %q is answered by %q, closed by %q", request, got, scope)
		}
	}
	open(t, engine, recess.Opening{Scope: "use"})
	for request := range bad {
		if got := send(request[0], request[1]); got == "ran" {
			t.Errorf("the scope of all routes closed: the handler of %q ran", request)
		}
	}
	open(t, engine, recess.Opening{})
	for request := range bad {
		if got := send(request[0], request[1]); got == "ran" {
			t.Errorf("everything closed: the handler of %q ran", request)
		}
	}
}
