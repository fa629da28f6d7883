// Command chi is the shop on chi.
package main

import (
	"encoding/json"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/internal/shop"
)

func main() { os.Exit(shop.Main(build)) }

func build(s *shop.Shop) (shop.Server, error) {
	h := &handlers{shop: s, templates: shop.Templates()}
	r := chi.NewRouter()
	r.Use(middleware.RequestLogger(&formatter{&middleware.DefaultLogFormatter{Logger: log.New(s.Requests, "", log.LstdFlags), NoColor: true}}))
	r.Use(middleware.Recoverer)
	gate, err := recesschi.Install(r, s.Engine, recesschi.Hooks{User: h.hookUser, Logout: h.hookLogout})
	if err != nil {
		return nil, err
	}
	h.routes(r, gate)
	return s.HTTP(r), nil
}

type handlers struct {
	shop      *shop.Shop
	templates *template.Template
}

func (h *handlers) routes(r chi.Router, gate *recesschi.Gate) {
	get := func(r chi.Router, path string, handler http.HandlerFunc) {
		r.Get(path, handler)
		r.Head(path, handler)
	}
	get(r, "/", h.home)
	get(r, "/ignored/", plain("ignored"))
	get(r, "/ignored/deep/er", plain("ignored, deeper"))
	get(r.With(gate.ForceOff), "/healthz", plain("ok"))
	get(r.With(gate.ForceOn), "/closed", plain("nobody reads this"))
	get(r, "/admin", plain("the shop's own admin site"))
	get(r, "/admin/", plain("the shop's own admin site"))
	get(r, "/login", h.login)
	get(r, "/logout", h.logout)
	get(r, "/me", h.me)
	get(r, "/slow", h.slow)
	r.With(gate.LongLived).Get("/events", h.events)
	r.With(gate.LongLived).Get("/ws", h.shop.WebSocket)
	r.Handle(shop.ControlPath, gate.Panel(h.shop.Panel))
	r.Handle(shop.ControlPath+"/*", gate.Panel(h.shop.Panel))

	r.Route("/checkout", func(r chi.Router) {
		r.Use(gate.Scope("checkout"))
		get(r, "/cart", h.cart)
		r.Post("/cart", h.cart)
	})

	get(r, "/api/orders", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, h.shop.Orders.List()) })
	r.Post("/api/orders", h.order)
}

// formatter leaves refusals out of chi's request log. A log entry learns the response's header, not the request that
// the gate has seen.
type formatter struct{ middleware.LogFormatter }

func (f *formatter) NewLogEntry(r *http.Request) middleware.LogEntry {
	return &entry{f.LogFormatter.NewLogEntry(r)}
}

type entry struct{ middleware.LogEntry }

func (e *entry) Write(status, bytes int, header http.Header, elapsed time.Duration, extra any) {
	if !nethttp.Blocked(header) {
		e.LogEntry.Write(status, bytes, header, elapsed, extra)
	}
}

func plain(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, text) }
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a client that is gone needs no answer
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// user says who is logged in.
func (h *handlers) user(r *http.Request) recess.User { return h.shop.Sessions.User(session(r)) }

func session(r *http.Request) string {
	cookie, err := r.Cookie(shop.SessionCookie)
	if err != nil {
		return "" // nobody is logged in
	}
	return cookie.Value
}

func (h *handlers) endSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, h.shop.Sessions.End(session(r)))
}

func (h *handlers) hookUser(c nethttp.Context) recess.User { return h.user(c.Request) }

func (h *handlers) hookLogout(c nethttp.Context) error {
	h.endSession(c.Writer, c.Request)
	return nil
}

func (h *handlers) view(r *http.Request) shop.View {
	return shop.ViewFor(h.user(r), recess.FromContext(r.Context()), r.Header.Get("Accept-Language"))
}

func (h *handlers) render(w http.ResponseWriter, page string, v shop.View) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")   // the banner's message
	_ = h.templates.ExecuteTemplate(w, page, v) // it has begun: an error can no longer be told
}

func (h *handlers) home(w http.ResponseWriter, r *http.Request) { h.render(w, "shop.html", h.view(r)) }

func (h *handlers) cart(w http.ResponseWriter, r *http.Request) {
	h.render(w, "cart.html", h.view(r).With(r.PostFormValue("item")))
}

func (h *handlers) login(w http.ResponseWriter, r *http.Request) {
	cookie, err := h.shop.Sessions.Begin(r.URL.Query().Get("user"))
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	http.SetCookie(w, cookie)
	writeJSON(w, http.StatusOK, shop.MeOf(h.shop.Sessions.User(cookie.Value)))
}

func (h *handlers) logout(w http.ResponseWriter, r *http.Request) {
	h.endSession(w, r)
	writeJSON(w, http.StatusOK, shop.MeOf(recess.User{}))
}

func (h *handlers) me(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, shop.MeOf(h.user(r)))
}

func (h *handlers) order(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, shop.MaxOrder))
	if err != nil {
		writeText(w, http.StatusRequestEntityTooLarge, "the order is too long")
		return
	}
	order, err := h.shop.Orders.Add(body)
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, order)
}

func (h *handlers) slow(w http.ResponseWriter, r *http.Request) {
	d, err := shop.SlowFor(r.URL.Query().Get("d"))
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	if h.shop.Wait(r.Context(), d) {
		writeText(w, http.StatusOK, "done after "+d.String())
	}
}

func (h *handlers) events(w http.ResponseWriter, r *http.Request) {
	for name, value := range shop.EventHeader {
		w.Header().Set(name, value)
	}
	h.shop.Events(r.Context(), w, http.NewResponseController(w).Flush)
}
