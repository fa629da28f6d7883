package admin

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// maxBody bounds what a request may say: what a document can hold fits in, as a form writes it.
const maxBody = 4 * state.MaxSize

// patience bounds how long the state backend may take for one request.
const patience = 10 * time.Second

// A route is what a path does for a method.
type route struct {
	right Right // what it takes; None is for anybody
	// changes is true for what needs proof that it was meant.
	changes bool
	handle  func(p *Panel, w http.ResponseWriter, r *http.Request, c *caller) error
}

// table lists all that the panel answers. GET changes nothing.
func (p *Panel) table() map[string]map[string]route {
	get := func(r route) map[string]route { return map[string]route{http.MethodGet: r} }
	post := func(r route) map[string]route { return map[string]route{http.MethodPost: r} }
	return map[string]map[string]route{
		"/":              get(route{Read, false, (*Panel).home}),
		"/on":            post(route{Write, true, form((*Panel).formOn)}),
		"/schedule":      post(route{Write, true, form((*Panel).formSchedule)}),
		"/off":           post(route{Write, true, form((*Panel).formOff)}),
		"/cancel":        post(route{Write, true, form((*Panel).formCancel)}),
		"/preview":       post(route{Read, true, form((*Panel).preview)}),
		"/explain":       post(route{Read, true, form((*Panel).formExplain)}),
		"/passes/create": post(route{Write, true, form((*Panel).formPass)}),
		"/passes/revoke": post(route{Write, true, form((*Panel).formRevoke)}),
		"/panel.css":     get(route{None, false, asset("panel.css", "text/css; charset=utf-8")}),
		"/panel.js":      get(route{None, false, asset("panel.js", "text/javascript; charset=utf-8")}),

		"/api/openapi.json":  get(route{Read, false, (*Panel).openAPI}),
		"/api/status":        get(route{Read, false, (*Panel).apiStatus}),
		"/api/fleet":         get(route{Read, false, (*Panel).apiFleet}),
		"/api/on":            post(route{Write, true, call((*Panel).on)}),
		"/api/schedule":      post(route{Write, true, call((*Panel).schedule)}),
		"/api/off":           post(route{Write, true, call((*Panel).off)}),
		"/api/cancel":        post(route{Write, true, call((*Panel).cancel)}),
		"/api/explain":       post(route{Read, true, call((*Panel).explain)}),
		"/api/passes":        get(route{Read, false, (*Panel).apiPasses}),
		"/api/passes/create": post(route{Write, true, call((*Panel).issuePass)}),
		"/api/passes/revoke": post(route{Write, true, call((*Panel).revokePasses)}),

		"/status": get(route{None, false, public((*recess.Engine).StatusAnswer)}),
		"/live":   get(route{None, false, public((*recess.Engine).LiveAnswer)}),
		"/ready":  get(route{None, false, public((*recess.Engine).ReadyAnswer)}),
		"/pass": {
			http.MethodGet:  route{None, false, passLink},
			http.MethodPost: route{None, false, passLink}, // which proves by itself that it was meant
		},
	}
}

// ServeHTTP answers everything below the path on which the panel is mounted.
func (p *Panel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fixed(w.Header())
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	r = r.WithContext(ctx)
	path, ok := strings.CutPrefix(r.URL.Path, p.mount)
	switch {
	case ok && path == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		p.lead(w, "")
		return
	case !ok:
		path = ""
	}
	var c caller
	if err := p.serve(w, r, path, &c); err != nil {
		p.refuse(w, r, path, &c, faultOf(err, time.Now()))
	}
}

func (p *Panel) serve(w http.ResponseWriter, r *http.Request, path string, c *caller) (err error) {
	methods, known := p.routes[path]
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	route, ok := methods[method]
	switch {
	case ok && route.right == None:
		return route.handle(p, w, r, c)
	case !ok && methods[http.MethodGet].handle != nil && methods[http.MethodGet].right == None:
		return p.notAllowed(w, methods)
	}
	// Who may not look is not told what there is.
	if *c, err = p.identify(r); err != nil {
		return err
	}
	if c.Right < Read {
		return unentitled(c)
	}
	if !known {
		return &fault{status: http.StatusNotFound, code: "not_found", detail: "there is no such page"}
	}
	switch {
	case !ok:
		return p.notAllowed(w, methods)
	case c.Right < route.right:
		return &fault{status: http.StatusForbidden, code: "forbidden", detail: fmt.Sprintf("%s may look, and change nothing", c.who())}
	}
	if route.changes {
		if err := p.foreign(r, c); err != nil {
			return err
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return route.handle(p, w, r, c)
}

// lead leads back to the panel. A type is named, or fiber's adaptor would guess one.
func (p *Panel) lead(w http.ResponseWriter, query string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Location", p.mount+"/"+query)
	w.WriteHeader(http.StatusSeeOther)
}

func (p *Panel) notAllowed(w http.ResponseWriter, methods map[string]route) error {
	var allowed []string
	for method := range methods {
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return &fault{status: http.StatusMethodNotAllowed, code: "method", detail: "use " + strings.Join(allowed, " or ")}
}

func unentitled(c *caller) error {
	if c.SignedIn {
		return &fault{status: http.StatusForbidden, code: "forbidden", detail: fmt.Sprintf("%s may not look at this", c.who())}
	}
	return &fault{status: http.StatusUnauthorized, code: "unauthorized", detail: "sign in first"}
}

// who names a caller in sentences.
func (c *caller) who() string {
	if c.Name == "" {
		return "whoever is signed in"
	}
	return schema.Clean(c.Name)
}

// refuse says why a request cannot be done: to browsers on a page, to programs as problem+json.
func (p *Panel) refuse(w http.ResponseWriter, r *http.Request, path string, c *caller, f *fault) {
	switch f.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="recess"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
	case http.StatusInternalServerError:
		p.log.Error("a request to the panel failed", "path", path, "error", f.detail)
	}
	if strings.HasPrefix(path, "/api/") {
		writeProblem(w, f)
		return
	}
	p.refusal(w, r, c, f)
}

// fixed sets the headers that every answer has. Referrer-Policy is not no-referrer: browsers would then send "Origin: null"
// with the panel's own forms.
func fixed(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Vary", "Authorization, Cookie")
}

// public is an answer that anybody may have.
func public(answer func(*recess.Engine) *page.Answer) func(*Panel, http.ResponseWriter, *http.Request, *caller) error {
	return func(p *Panel, w http.ResponseWriter, r *http.Request, _ *caller) error {
		for _, name := range []string{"Content-Security-Policy", "Vary", "X-Frame-Options", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
			w.Header().Del(name) // other sites may ask
		}
		nethttp.Answer(w, r, answer(p.engine))
		return nil
	}
}

// passLink is the page behind links to bypass passes.
func passLink(p *Panel, w http.ResponseWriter, r *http.Request, _ *caller) error {
	nethttp.PassLink(p.engine, w, r)
	return nil
}

// asset is one of the panel's own files.
func asset(name, mediaType string) func(*Panel, http.ResponseWriter, *http.Request, *caller) error {
	data := file(name)
	return func(_ *Panel, w http.ResponseWriter, r *http.Request, _ *caller) error {
		// A preview is of no origin: where it says why there is nothing to see, it does so in the panel's style.
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		send(w, r, mediaType, data)
		return nil
	}
}

// openAPI is the API's description, with the address of this API.
func (p *Panel) openAPI(w http.ResponseWriter, r *http.Request, _ *caller) error {
	send(w, r, "application/json", bytes.Replace(file("openapi.json"), []byte(`"url": "/maintenance"`), []byte(`"url": "`+p.mount+`"`), 1))
	return nil
}

func file(name string) []byte {
	data, err := files.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is built in
	}
	return data
}

func send(w http.ResponseWriter, r *http.Request, mediaType string, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // whoever asked has gone
	}
}

// control changes the state in the name of a caller: who, and from which address, goes into the history.
func (p *Panel) control(c *caller) *recess.Controller {
	by := state.Actor{Name: actorName(c.Name), Host: "an unknown address", Source: "panel"}
	if c.address.IsValid() {
		by.Host = c.address.String()
	}
	if c.bearer {
		by.Source = "api"
	}
	return p.engine.Control(by)
}

// maxName bounds a name in the history, in bytes: what an application calls somebody must not keep him from changing anything.
const maxName = 128

// actorName is a name as the history keeps it: a copy, since frameworks reuse their strings (fiber).
func actorName(name string) string {
	return strings.Clone(strings.ToValidUTF8(name[:min(len(name), maxName)], ""))
}

func (p *Panel) address(r *http.Request) netip.Addr {
	defer func() { _ = recover() }() // Policy.ClientAddress is the application's: nobody can tell, then
	return p.engine.Client(&asked{Exchange: nethttp.Exchange{Request: r}})
}

// asked is a request to the panel, as the engine's rules about addresses want it.
type asked struct{ nethttp.Exchange }

func (*asked) Marker() recess.Marker { return recess.Marker{} }
func (*asked) Route() string         { return "" }
func (*asked) User() recess.User     { return recess.User{} }
func (*asked) Logout() error         { return nil }
