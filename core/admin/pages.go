package admin

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

//go:embed assets
var files embed.FS

// parsePages reads the panel's templates, once.
func (p *Panel) parsePages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"stamp": stamp, "at": func(t time.Time) *time.Time { return &t }, "clean": schema.CleanLines, "place": schema.Place, "join": strings.Join,
	}).ParseFS(files, "assets/*.html"))
}

// A moment is an instant on a page: in UTC, until the script tells it in the reader's zone.
type moment struct{ Machine, Words string }

func stamp(t *time.Time) *moment {
	if t == nil || t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &moment{u.Format(time.RFC3339), u.Format("2006-01-02 15:04 UTC")}
}

// frame is what every page has.
type frame struct {
	Title, Mount string
	SignIn       string
	Who          string
	MayWrite     bool
	Token        string
	Fault        *fault
	Done         string // what was done, in a sentence
}

// view is the panel.
type view struct {
	frame
	Status   schema.Status
	Problem  string // why the state is not shown
	Broken   bool   // there is one, and it makes no sense: off is the way out
	Fleet    fleet
	NoFleet  string // why the instances are not shown
	Scopes   []string
	Instance string
	Opening  openingForm // as it was sent, if it could not be done
	Question questionForm
	Verdict  *schema.Verdict
	Passes   []schema.Pass
	HasKeys  bool // passes can be made
	Pass     passForm
	Issued   *schema.Issued // what was just made: it is shown this once
	History  []schema.Entry // newest first
}

func (p *Panel) frame(w http.ResponseWriter, r *http.Request, c *caller) frame {
	f := frame{Title: p.config.Title, Mount: p.mount, SignIn: p.config.SignIn, Who: schema.Clean(c.Name), MayWrite: c.Right >= Write}
	if c.Right >= Read {
		f.Token = p.issue(w, r)
	}
	return f
}

// home shows the panel.
func (p *Panel) home(w http.ResponseWriter, r *http.Request, c *caller) error {
	return p.show(w, r, c, http.StatusOK, func(*view) {})
}

// show renders the panel, with what a form has led to.
func (p *Panel) show(w http.ResponseWriter, r *http.Request, c *caller, status int, more func(*view)) error {
	v := view{frame: p.frame(w, r, c), Scopes: p.engine.Scopes(), Instance: p.engine.Instance(), Opening: openingForm{Mode: "full"}}
	now, err := p.status(r.Context(), c)
	if err != nil {
		f := faultOf(err, time.Now())
		v.Problem, v.Broken = f.detail, f.code == "invalid_state"
	}
	v.Status = now
	v.History = slices.Clone(now.History)
	slices.Reverse(v.History)
	if v.Fleet, err = p.fleet(r.Context(), c); err != nil {
		v.NoFleet = faultOf(err, time.Now()).detail
	}
	v.Done = done[r.URL.Query().Get("done")]
	if passes, err := p.passes(r.Context(), c); err == nil {
		v.Passes = passes.Passes
	}
	v.HasKeys = p.engine.Passes() != nil
	more(&v)
	return p.render(w, r, status, "panel.html", &v)
}

// done is what a form has led to: a redirect names it, and names nothing else.
var done = map[string]string{
	"on":       "Done. It runs now; its button below ends it.",
	"schedule": "Planned. Nothing changes before it begins; its button below cancels it.",
	"off":      "Done. It is ended, or ends by degrees if you asked for that; what was planned there is cancelled.",
	"cancel":   "The plan is cancelled.",
	"revoke":   "The pass is revoked: it lets nobody in any more.",
	"nothing":  "It was so already: nothing was changed.",
}

func (p *Panel) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	var page bytes.Buffer
	if err := p.pages.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes()) // whoever asked has gone
	}
	return nil
}

// refusal is a page that says why a request cannot be done.
func (p *Panel) refusal(w http.ResponseWriter, r *http.Request, c *caller, f *fault) {
	page := struct {
		frame
		Status int
		Words  string
	}{p.frame(w, r, c), f.status, http.StatusText(f.status)}
	page.Fault = f
	if err := p.render(w, r, f.status, "refusal.html", &page); err != nil {
		p.log.Error("a page of the panel cannot be shown", "error", err)
		http.Error(w, f.detail, f.status)
	}
}

// form makes a route out of a form: what it proves is looked at before what it says.
func form(do func(*Panel, http.ResponseWriter, *http.Request, *caller) error) func(*Panel, http.ResponseWriter, *http.Request, *caller) error {
	return func(p *Panel, w http.ResponseWriter, r *http.Request, c *caller) error {
		if err := r.ParseForm(); err != nil {
			if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
				return &fault{status: http.StatusRequestEntityTooLarge, code: "usage", detail: "the form is too long"}
			}
			return &fault{status: http.StatusBadRequest, code: "usage", detail: "the form cannot be read"}
		}
		if err := p.proven(r, c); err != nil {
			return err
		}
		return do(p, w, r, c)
	}
}

// after leads back to the panel once a form is done: loading that again changes nothing.
func (p *Panel) after(w http.ResponseWriter, change *schema.Change) error {
	what := change.Action
	if !change.Changed {
		what = "nothing"
	}
	p.lead(w, "?done="+what)
	return nil
}

// openingForm is the form of on, schedule and preview, as it was filled in.
type openingForm struct {
	Scope, Mode, Name, Hold, For, Start, Zone, Message, Reason string
	Languages                                                  []translation
}

type translation struct{ Tag, Text string }

// moreLanguages is how many rows for further languages the form has at least.
const moreLanguages = 2

func readOpening(r *http.Request) openingForm {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := openingForm{
		Scope: value("scope"), Mode: value("mode"), Name: value("name"), Hold: value("hold"), For: value("for"), Start: value("start"), Zone: value("zone"),
		Message: newlines(value("message")), Reason: newlines(value("reason")),
	}
	tags, texts := r.PostForm["tag"], r.PostForm["text"]
	for i := range min(len(tags), len(texts)) {
		if t := (translation{strings.TrimSpace(tags[i]), newlines(strings.TrimSpace(texts[i]))}); t != (translation{}) {
			f.Languages = append(f.Languages, t)
		}
	}
	return f
}

// Rows are the rows for further languages: those that are filled in, and empty ones.
func (f openingForm) Rows() []translation {
	rows := slices.Clone(f.Languages)
	for len(rows) < max(moreLanguages, len(f.Languages)+1) {
		rows = append(rows, translation{})
	}
	return rows
}

// newlines takes off the carriage returns that forms send.
func newlines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// order is the form as the API would be asked.
func (f openingForm) order() (*openingOrder, error) {
	o := &openingOrder{Scope: f.Scope, Mode: f.Mode, Name: f.Name, Reason: f.Reason, Messages: make(map[string]string)}
	if err := errors.Join(o.For.UnmarshalText([]byte(f.For)), o.Hold.UnmarshalText([]byte(f.Hold))); err != nil {
		return nil, usage(err.Error())
	}
	if f.Message != "" {
		o.Messages[""] = f.Message
	}
	for _, t := range f.Languages {
		if _, twice := o.Messages[t.Tag]; twice || t.Tag == "" {
			return nil, usage("each further message needs a language of its own, as in de or pt-BR")
		}
		o.Messages[t.Tag] = t.Text
	}
	if f.Start == "" {
		return o, nil
	}
	zone, err := time.LoadLocation(cmp.Or(f.Zone, "UTC"))
	if err != nil {
		return nil, usage("the time zone is not known here: leave the start empty, or switch scripts off to give it in UTC")
	}
	start, err := time.ParseInLocation("2006-01-02T15:04", f.Start, zone)
	if err != nil {
		return nil, usage("the start is no time: write it as in 2027-01-31T22:00")
	}
	o.StartsAt = &start
	return o, nil
}

func (p *Panel) formOn(w http.ResponseWriter, r *http.Request, c *caller) error {
	return p.formOpening(w, r, c, p.on)
}

func (p *Panel) formSchedule(w http.ResponseWriter, r *http.Request, c *caller) error {
	return p.formOpening(w, r, c, p.schedule)
}

// formOpening does what the form of a window says. What could not be done is shown again as it was filled in.
func (p *Panel) formOpening(w http.ResponseWriter, r *http.Request, c *caller, do func(context.Context, *caller, *openingOrder) (schema.Change, error)) error {
	filled := readOpening(r)
	order, err := filled.order()
	var change schema.Change
	if err == nil {
		change, err = do(r.Context(), c, order)
	}
	if err != nil {
		f := faultOf(err, time.Now())
		return p.show(w, r, c, f.status, func(v *view) { v.Fault, v.Opening = f, filled })
	}
	return p.after(w, &change)
}

func (p *Panel) formOff(w http.ResponseWriter, r *http.Request, c *caller) error {
	o := endingOrder{Scope: r.PostFormValue("scope"), Name: r.PostFormValue("name"), Reason: newlines(strings.TrimSpace(r.PostFormValue("reason")))}
	err := o.Ramp.UnmarshalText([]byte(r.PostFormValue("ramp")))
	if err != nil {
		return usage(err.Error())
	}
	return p.formDone(w, r, c)(p.off(r.Context(), c, &o))
}

func (p *Panel) formCancel(w http.ResponseWriter, r *http.Request, c *caller) error {
	return p.formDone(w, r, c)(p.cancel(r.Context(), c, &cancellingOrder{IDs: r.PostForm["id"]}))
}

// formDone answers a form that is done, or could not be.
func (p *Panel) formDone(w http.ResponseWriter, r *http.Request, c *caller) func(schema.Change, error) error {
	return func(change schema.Change, err error) error {
		if err != nil {
			f := faultOf(err, time.Now())
			return p.show(w, r, c, f.status, func(v *view) { v.Fault = f })
		}
		return p.after(w, &change)
	}
}

// preview answers with what visitors would see, for a frame of the panel and nobody else's, or with why there is nothing to see.
func (p *Panel) preview(w http.ResponseWriter, r *http.Request, c *caller) error {
	h := w.Header()
	h.Set("X-Frame-Options", "SAMEORIGIN")
	a, err := p.previewed(r)
	if err != nil {
		f := faultOf(err, time.Now())
		shown := p.frame(w, r, c)
		shown.Fault = f
		h.Set("Content-Security-Policy", framedHere(h.Get("Content-Security-Policy")))
		return p.render(w, r, f.status, "unshown.html", &shown)
	}
	policy := ""
	for _, f := range a.Header {
		switch f.Name {
		case "Content-Security-Policy":
			policy = f.Value[0]
		case "Content-Type":
			h[f.Name] = f.Value
		}
	}
	h.Set("Content-Security-Policy", framedHere(policy))
	_, _ = w.Write(a.Body) // whoever asked has gone
	return nil
}

// previewed is what visitors would see.
func (p *Panel) previewed(r *http.Request) (*page.Answer, error) {
	order, err := readOpening(r).order()
	if err != nil {
		return nil, err
	}
	opening, err := order.opening(time.Now())
	if err != nil {
		return nil, err
	}
	mode := cmp.Or(opening.Mode, state.Full)
	a, err := p.engine.Preview(state.Window{ID: "preview", Scope: opening.Scope, Mode: mode, Start: opening.Start, End: opening.End, Messages: opening.Messages}, r.PostFormValue("language"))
	if err != nil {
		return nil, usage("the page cannot be shown as it would be: " + err.Error())
	}
	return a, nil
}

// framedHere is a policy for a page in a frame of the panel: it may be framed, and may do nothing.
func framedHere(policy string) string {
	var kept []string
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(directive)
		if len(words) > 0 && !strings.EqualFold(words[0], "frame-ancestors") && !strings.EqualFold(words[0], "sandbox") {
			kept = append(kept, strings.Join(words, " "))
		}
	}
	return strings.Join(append(kept, "frame-ancestors 'self'", "sandbox"), "; ")
}

// questionForm is the form of explain, as it was filled in.
type questionForm struct {
	Method, Host, Path, Address, Forwarded, User, Roles, Marker, Scopes string
	Staff, Superuser                                                    bool
}

func (p *Panel) formExplain(w http.ResponseWriter, r *http.Request, c *caller) error {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := questionForm{
		Method: value("method"), Host: value("host"), Path: value("path"), Address: value("address"), Forwarded: value("forwarded"),
		User: value("user"), Roles: value("roles"), Marker: value("marker"), Scopes: value("scopes"), Staff: value("staff") != "", Superuser: value("superuser") != "",
	}
	q := schema.Question{Method: f.Method, Host: f.Host, Path: f.Path, Address: f.Address, Marker: f.Marker, Scopes: strings.FieldsFunc(f.Scopes, separates)}
	if f.Forwarded != "" {
		q.Headers = map[string]string{p.engine.ClientHeader(): f.Forwarded}
	}
	if f.User != "" || f.Staff || f.Superuser {
		q.User = &schema.Asker{Name: f.User, Staff: f.Staff, Superuser: f.Superuser, Roles: strings.FieldsFunc(f.Roles, separates)}
	}
	v, err := p.explain(r.Context(), c, &q)
	if err != nil {
		f2 := faultOf(err, time.Now())
		return p.show(w, r, c, f2.status, func(view *view) { view.Fault, view.Question = f2, f })
	}
	return p.show(w, r, c, http.StatusOK, func(view *view) { view.Question, view.Verdict = f, &v })
}

func separates(r rune) bool { return r == ',' || r == ' ' }
