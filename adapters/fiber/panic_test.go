package recessfiber_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// A panic that leaves a middleware of fiber ends the process: nothing below recovers. What the application gives to
// the gate is called in a process of its own, which must survive and refuse.
func TestCallbacksThatPanicDoNotEndTheProcess(t *testing.T) {
	if name := os.Getenv("RECESSFIBER_PANICS"); name != "" {
		callAndPanic(t, name)
		return
	}
	for _, name := range []string{"User", "Logout", "Respond", "Allow", "ClientAddress", "ResponseTypeFunc", "Context"} {
		t.Run(name, func(t *testing.T) {
			self := exec.Command(os.Args[0], "-test.run=^TestCallbacksThatPanicDoNotEndTheProcess$", "-test.v")
			self.Env = append(os.Environ(), "RECESSFIBER_PANICS="+name)
			if out, err := self.CombinedOutput(); err != nil {
				t.Errorf("the process ended: %v\n%.2000s", err, out)
			}
		})
	}
	t.Run("a handler does end it", func(t *testing.T) {
		self := exec.Command(os.Args[0], "-test.run=^TestCallbacksThatPanicDoNotEndTheProcess$")
		self.Env = append(os.Environ(), "RECESSFIBER_PANICS=handler")
		if _ = self.Run(); self.ProcessState.ExitCode() != 2 {
			t.Errorf("%v, want exit status 2: this test proves nothing", self.ProcessState)
		}
	})
}

func callAndPanic(t *testing.T, name string) {
	policy, hooks := recess.Policy{}, recessfiber.Hooks{}
	user := recess.User{Authenticated: true}
	hooks.User = func(*fiber.Ctx) recess.User { return user }
	switch name {
	case "User":
		policy.AllowStaff = true
		hooks.User = func(*fiber.Ctx) recess.User { panic(name) }
	case "Logout":
		policy.Logout.Authenticated = true
		hooks.Logout = func(*fiber.Ctx) error { panic(name) }
	case "Respond":
		hooks.Respond = func(c *fiber.Ctx, _ recess.Decision) error { panic(name) }
	case "Allow":
		policy.Allow = []recess.Predicate{{Name: name, Match: func(recess.Request) bool { panic(name) }}}
	case "ClientAddress":
		policy.AllowNetworks = []string{"10.0.0.1"}
		policy.ClientAddress = func(recess.Request) netip.Addr { panic(name) }
	case "ResponseTypeFunc":
		policy.ResponseTypeFunc = func(recess.Request) page.Type { panic(name) }
	case "Context":
		policy.Context = func(recess.Request) map[string]any { panic(name) }
	}
	engine, app := newEngine(t, policy), fiber.New(fiber.Config{DisableStartupMessage: true})
	gate := install(t, app, engine, hooks)
	app.Get("/live", gate.ForceOff, func(*fiber.Ctx) error { panic(name) })
	app.Get("/closed", gate.ForceOn, says("closed"))
	open(t, engine, recess.Opening{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }()
	ask := func(path string) {
		response, err := http.Get(fmt.Sprint("http://", listener.Addr(), path))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 503 {
			t.Errorf("%s: status %d, want 503", path, response.StatusCode)
		}
	}
	if name == "handler" {
		ask("/live")
	}
	for range 3 {
		ask("/")
		ask("/closed")
	}
}
