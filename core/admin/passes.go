package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/page"
)

// passTTL is how long a pass lets in if nobody says how long.
const passTTL = 4 * time.Hour

// A passOrder is the body of passes/create.
type passOrder struct {
	For    string `json:"for"`    // whom it is for
	TTL    length `json:"ttl"`    // as in "4h", which it is by default
	Scope  string `json:"scope"`  // only into what the windows of this scope close
	Window string `json:"window"` // only into what this window closes
	Uses   *int   `json:"uses"`   // how many times the link can be used; null is once, 0 makes no link and returns the pass itself
	To     string `json:"to"`     // where the link leads once it was used; / by default
	Reason string `json:"reason"`
}

// A revokingOrder is the body of passes/revoke.
type revokingOrder struct {
	IDs    []string `json:"ids"` // or how they begin
	Reason string   `json:"reason"`
}

func (p *Panel) apiPasses(w http.ResponseWriter, r *http.Request, c *caller) error {
	passes, err := p.passes(r.Context(), c)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, "application/json", passes)
}

func (p *Panel) passes(ctx context.Context, c *caller) (schema.Passes, error) {
	s, err := p.control(c).State(ctx)
	if err != nil {
		return schema.Passes{}, err
	}
	return schema.PassesOf(&s, time.Now()), nil
}

// issuePass makes a pass, and is the only time that its text is told to anybody.
func (p *Panel) issuePass(ctx context.Context, c *caller, o *passOrder) (schema.Issued, error) {
	ring := p.engine.Passes()
	order := recess.PassOrder{For: o.For, TTL: time.Duration(o.TTL), Scope: o.Scope, Window: o.Window, Uses: 1, Reason: o.Reason}
	if o.TTL == 0 {
		order.TTL = passTTL
	}
	if o.Uses != nil {
		order.Uses = *o.Uses
	}
	switch {
	case ring == nil:
		return schema.Issued{}, &fault{status: http.StatusConflict, code: "no_keys", detail: "this site has no keys for passes: set RECESS_PASS_KEYS (Policy.PassKeys) for all of its instances"}
	case o.To != "" && !page.IsOwnPath(o.To):
		return schema.Issued{}, usage("to: write a path of this site, as in /checkout")
	}
	issued, change, err := p.control(c).IssuePass(ctx, ring, order)
	if err != nil {
		return schema.Issued{}, err
	}
	out := schema.Issued{Pass: schema.PassOf(change.Passes[0])}
	if order.Uses == 0 {
		out.Token = issued.Pass
		return out, nil
	}
	query := url.Values{"link": {issued.Link}}
	if o.To != "" && o.To != "/" {
		query.Set("to", o.To)
	}
	out.Link = c.origin + p.mount + "/pass?" + query.Encode()
	return out, nil
}

func (p *Panel) revokePasses(ctx context.Context, c *caller, o *revokingOrder) (schema.Revocation, error) {
	change, err := p.control(c).RevokePass(ctx, o.Reason, o.IDs...)
	if err != nil {
		return schema.Revocation{}, err
	}
	return schema.RevokedOf(&change, time.Now()), nil
}

// originOf is the scheme and the host by which a request came. A browser says so; that of a program may be behind a proxy that
// has taken the encryption off, so what is no loopback is taken to be encrypted.
func originOf(r *http.Request) string {
	if origin := r.Header.Get("Origin"); plainOrigin(origin) {
		return origin
	}
	host := r.URL.Hostname()
	if host == "" {
		host, _, _ = strings.Cut(r.Host, ":")
	}
	if r.TLS == nil && (host == "localhost" || strings.HasPrefix(host, "127.")) {
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

func (p *Panel) formPass(w http.ResponseWriter, r *http.Request, c *caller) error {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := passForm{For: value("for"), TTL: value("ttl"), Scope: value("scope"), Uses: value("uses"), To: value("to")}
	o := passOrder{For: f.For, Scope: f.Scope, To: f.To}
	var issued schema.Issued
	err := o.TTL.UnmarshalText([]byte(f.TTL))
	if err != nil {
		err = usage(err.Error())
	}
	if uses, errUses := strconv.Atoi(f.Uses); errUses == nil {
		o.Uses = &uses
	} else if f.Uses != "" {
		err = usage("write as a number how often the link can be used")
	}
	if err == nil {
		issued, err = p.issuePass(r.Context(), c, &o)
	}
	if err != nil {
		fault := faultOf(err, time.Now())
		return p.show(w, r, c, fault.status, func(v *view) { v.Fault, v.Pass = fault, f })
	}
	return p.show(w, r, c, http.StatusOK, func(v *view) { v.Issued = &issued })
}

// passForm is the form of a pass, as it was filled in.
type passForm struct{ For, TTL, Scope, Uses, To string }

func (p *Panel) formRevoke(w http.ResponseWriter, r *http.Request, c *caller) error {
	_, err := p.revokePasses(r.Context(), c, &revokingOrder{IDs: r.PostForm["id"]})
	if err != nil {
		f := faultOf(err, time.Now())
		return p.show(w, r, c, f.status, func(v *view) { v.Fault = f })
	}
	return p.after(w, &schema.Change{Action: "revoke", Changed: true})
}
