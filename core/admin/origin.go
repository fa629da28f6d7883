package admin

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// foreign returns why a request that would change something may have been made by another site in a browser that is signed in
// here; nil if it was not. A bearer token proves enough: no browser sends one by itself.
//
// It asks for more than [http.CrossOriginProtection], which lets through what has neither Origin nor Fetch metadata, an Origin
// with user information (golang/go#78563), and one of http: where this is https.
func (p *Panel) foreign(r *http.Request, c *caller) error {
	if c.bearer {
		return nil
	}
	origins := r.Header.Values("Origin")
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case len(origins) > 1 || len(origins) == 1 && !plainOrigin(origins[0]):
		return denied("the request's Origin is none")
	case r.TLS != nil && len(origins) == 1 && !strings.HasPrefix(origins[0], "https:"):
		return denied("the request comes from a page that was not encrypted")
	case p.origin.Check(r) != nil, site != "" && site != "same-origin":
		return denied("the request comes from another site")
	case site == "" && len(origins) == 0:
		return denied("the browser does not say from which site the request comes; programs use a bearer token")
	}
	return nil
}

// plainOrigin reports whether an Origin is a scheme and a host and nothing else (RFC 6454 6.2).
func plainOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && origin == u.Scheme+"://"+u.Host
}

func denied(why string) error {
	return &fault{status: http.StatusForbidden, code: "cross_origin", detail: why + ": nothing was changed"}
}

// The token that stands in the panel's forms, and in a cookie that no other site can read or set: who can write the one knows
// the other. Browsers send Fetch metadata only where they keep a Secure cookie (https, and localhost), so its presence says
// which cookie to use; over plain HTTP there is no better one.
const (
	secureCookie = "__Host-recess-form"
	plainCookie  = "recess-form"
	formToken    = "token" // the field's name
	tokenLength  = 26      // of rand.Text
)

func trustworthy(r *http.Request) bool { return r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != "" }

// issue returns the token for a page's forms, and sets its cookie where there is none yet.
func (p *Panel) issue(w http.ResponseWriter, r *http.Request) string {
	if token, ok := p.held(r); ok {
		return token
	}
	c := http.Cookie{Name: plainCookie, Value: rand.Text(), Path: p.mount, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if trustworthy(r) {
		c.Name, c.Path, c.Secure = secureCookie, "/", true
	}
	http.SetCookie(w, &c)
	return c.Value
}

// held returns the token in the cookie.
func (p *Panel) held(r *http.Request) (string, bool) {
	name := plainCookie
	if trustworthy(r) {
		name = secureCookie
	}
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 || len(cookies[0].Value) != tokenLength || strings.Trim(cookies[0].Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	return cookies[0].Value, true
}

// proven returns why a form may not be one of ours; nil if it is.
func (p *Panel) proven(r *http.Request, c *caller) error {
	if err := p.foreign(r, c); err != nil {
		return err
	}
	held, ok := p.held(r)
	if !ok || subtle.ConstantTimeCompare([]byte(held), []byte(r.PostFormValue(formToken))) != 1 {
		return &fault{status: http.StatusForbidden, code: "form_token", detail: "the form is not of this panel, or is an old one: nothing was changed. Load the panel again"}
	}
	return nil
}
