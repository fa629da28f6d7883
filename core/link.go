package recess

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// A LinkRequest is a request for the page behind links to bypass passes, as [Engine.LinkAnswer] needs it.
type LinkRequest struct {
	Method, Host string
	Path         string // as sent: escaped, without the query
	Query        string // as sent
	Form         string // the body of a form that is posted: application/x-www-form-urlencoded
	// Header is the value of a header, "" if there is none. The name is in canonical form.
	Header func(name string) string
}

// MaxLinkForm is how many bytes of a form adapters hand to [Engine.LinkAnswer].
const MaxLinkForm = 8 << 10

// linkTimeout bounds how long the state backend may take to note that a link was used.
const linkTimeout = 10 * time.Second

// LinkAnswer answers a request for the page behind links to bypass passes, "?link=…&to=/path". GET and HEAD change nothing,
// so whatever fetches a link for a preview spends nothing: they show a button. POST, which the button sends, uses the link
// once and gives the browser the pass as a cookie: [pass.CookieName], which only the host that set it gets back, over a
// secure connection alone. Then it goes on to the path.
//
// What stands in logs of a link is worth nothing once it was used as often as it may be.
func (e *Engine) LinkAnswer(ctx context.Context, r LinkRequest) *page.Answer {
	answer, err := e.linkPage(ctx, r)
	if err != nil {
		e.log.Error("a link to a bypass pass could not be used", "error", err)
	}
	return answer
}

func (e *Engine) linkPage(ctx context.Context, r LinkRequest) (*page.Answer, error) {
	if e.rules.passes == nil {
		return page.Link{Status: 404, Title: "There is nothing here", Sentence: "This site has no bypass passes."}.Answer()
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return e.showLink(r)
	case http.MethodPost:
		if !ownOrigin(&r) {
			return page.Link{
				Status: 403, Title: "This was not asked for here",
				Sentence: "Your browser says that another site has sent you. Open the link once more and press its button.",
			}.Answer()
		}
		return e.useLink(ctx, r)
	}
	return page.Link{Status: 405, Title: "That cannot be done here", Sentence: "Open the link in a browser.", Allow: "GET, HEAD, POST"}.Answer()
}

// showLink shows the button, if the link is good.
func (e *Engine) showLink(r LinkRequest) (*page.Answer, error) {
	link, to := linkOf(r.Query)
	switch p, err := e.linked(link); {
	case err != nil:
		return badLink(err)
	default:
		return page.Link{
			Status: 200, Title: "You are expected", Sentence: "With this pass you can use the site while it is in maintenance, until " +
				p.Expires.UTC().Format("2 January 2006, 15:04 UTC") + ".",
			// Relative, so that it does not matter what a proxy took from the path; without the link, which needs not stand in
			// one more log.
			Form: &page.LinkForm{Action: "./" + lastSegment(r.Path), Link: link, To: to, Button: "Let me in"},
		}.Answer()
	}
}

// useLink exchanges the link for its pass.
func (e *Engine) useLink(ctx context.Context, r LinkRequest) (*page.Answer, error) {
	link, to := linkOf(r.Form)
	p, err := e.linked(link) // a look at what is known here keeps garbage from the backend
	var token string
	if err == nil {
		token, p, err = e.redeem(ctx, link, p.For)
	}
	if err != nil {
		return badLink(err)
	}
	left := max(p.Expires.Sub(e.now()), time.Second)
	cookie := fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax", pass.CookieName, token, int(left/time.Second))
	return page.SeeOther(to, cookie), nil
}

var (
	errNoLink    = errors.New("the link lets nobody in")
	errSpentLink = errors.New("the link was used")
)

func badLink(err error) (*page.Answer, error) {
	switch {
	case errors.Is(err, errSpentLink):
		return page.Link{
			Status: 403, Title: "This link was used", Sentence: "It works once, or as often as it was made for. Ask whoever sent it for another one.",
		}.Answer()
	case errors.Is(err, errNoLink):
		return page.Link{
			Status: 403, Title: "This link lets nobody in",
			Sentence: "It has expired, was withdrawn, or is not complete. If it was made a moment ago, try again in some seconds; else ask whoever sent it.",
		}.Answer()
	}
	answer, errPage := page.Link{
		Status: 503, Title: "This did not work", Sentence: "Something is out of order on our side. Please try again.",
	}.Answer()
	return answer, errors.Join(err, errPage)
}

// linked returns what the followed document says of the pass behind a link, if the link is good.
func (e *Engine) linked(link string) (state.Pass, error) {
	e.mu.Lock()
	live := e.current.LivePasses(e.now())
	e.mu.Unlock()
	i, _, err := e.findLink(live, link)
	if err != nil {
		return state.Pass{}, err
	}
	return live[i], nil
}

// findLink finds the pass behind a link among those that are live, and exchanges the link for it.
func (e *Engine) findLink(live []state.Pass, link string) (i int, token string, err error) {
	id := pass.LinkID(link)
	if i = slices.IndexFunc(live, func(p state.Pass) bool { return p.ID == id }); i < 0 {
		return 0, "", errNoLink
	}
	token, ok := e.rules.passes.Exchange(link, &live[i])
	switch {
	case !ok:
		return 0, "", errNoLink
	case live[i].Uses == 0:
		return 0, "", errSpentLink
	}
	return i, token, nil
}

// redeem takes one use from a link. Of several that use it at the same time each takes one, as long as there are some.
func (e *Engine) redeem(ctx context.Context, link, who string) (token string, p state.Pass, err error) {
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	_, err = e.Control(state.Actor{Name: who, Source: "link"}).retry(ctx, order{action: "link used", do: func(s *state.State, now time.Time) (Change, error) {
		live := s.LivePasses(now)
		i, found, err := e.findLink(live, link)
		if err != nil {
			return Change{}, err
		}
		live[i].Uses--
		s.Passes, token, p = live, found, live[i]
		return Change{Passes: []state.Pass{p}}, nil
	}})
	if err != nil {
		return "", state.Pass{}, err
	}
	return token, p, nil
}

// linkOf reads a query, or a form.
func linkOf(encoded string) (link, to string) {
	if len(encoded) > MaxLinkForm {
		return "", "/"
	}
	values, _ := url.ParseQuery(encoded) // what can be read is enough
	return values.Get("link"), ownPath(values.Get("to"))
}

// ownPath is a path of this site, or "/" for anything else.
func ownPath(to string) string {
	if len(to) > maxPath || !page.IsOwnPath(to) {
		return "/"
	}
	return to
}

const maxPath = 2 << 10

// lastSegment is what follows the last slash of a path; "" of one that ends with it.
func lastSegment(p string) string {
	_, last := path.Split(p)
	return last
}

// ownOrigin reports whether a POST comes from a page of this site, or from no page at all. Browsers say so themselves
// (Fetch Metadata); of those that do not, Origin is believed. The rules are those of [net/http.CrossOriginProtection], but
// that an Origin with a user name is none (golang.org/issue/78563).
func ownOrigin(r *LinkRequest) bool {
	switch r.Header("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
	default:
		return false
	}
	origin := r.Header("Origin")
	if origin == "" {
		return true // no browser
	}
	u, err := url.Parse(origin)
	return err == nil && u.User == nil && u.Host != "" && u.Path == "" && strings.EqualFold(u.Host, r.Host)
}
