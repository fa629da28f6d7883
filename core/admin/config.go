package admin

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/recess-go/recess/core"
)

// Config is what [New] needs.
type Config struct {
	// Engine is the engine of this process.
	Engine *recess.Engine
	// Authorize says who is asking and what they may do. It is asked for each request without a bearer token, from any
	// number of goroutines; after a panic nobody is let in. [Superusers] is one for applications whose Hooks.User tells.
	Authorize func(*http.Request) Access
	// Path is where the panel is mounted: Policy.ControlPath by default, or a path below.
	Path string
	// Title names the site: "Recess" by default.
	Title string
	// SignIn is where somebody who is not signed in may do so: an address that the panel links to. "" links nothing.
	SignIn string
	// Logger gets what goes wrong: slog.Default() if nil.
	Logger *slog.Logger
}

// A Panel is the admin panel and its API.
type Panel struct {
	config   Config
	engine   *recess.Engine
	log      *slog.Logger
	mount    string // without a final slash
	tokens   []recess.AdminToken
	throttle throttle
	origin   *http.CrossOriginProtection
	routes   map[string]map[string]route // by path, by method
	pages    *template.Template
}

// New makes a panel. Its error names everything that is wrong with the configuration.
func New(c Config) (*Panel, error) {
	var faults []error
	if c.Engine == nil {
		return nil, errors.New("admin: Config.Engine is missing")
	}
	if c.Authorize == nil {
		faults = append(faults, errors.New("admin: Config.Authorize is missing: nobody could be told from anybody; admin.Superusers is one"))
	}
	control := strings.TrimSuffix(c.Engine.ControlPath(), "/")
	mount := cmp.Or(strings.TrimSuffix(c.Path, "/"), control)
	switch {
	case control == "":
		faults = append(faults, errors.New("admin: Policy.ControlPath is not set: the panel could not be reached while the site is closed"))
	case mount != control && !strings.HasPrefix(mount, control+"/"):
		faults = append(faults, fmt.Errorf("admin: Config.Path %q is not below Policy.ControlPath %q: the panel could not be reached while the site is closed", c.Path, control))
	case !plainPath(mount):
		faults = append(faults, fmt.Errorf("admin: %q is no plain path: mount the panel at one of letters, digits, '-', '.', '_' and single slashes, as in /maintenance", mount))
	}
	if err := checkSignIn(c.SignIn); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Title == "" {
		c.Title = "Recess"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	p := &Panel{
		config: c, engine: c.Engine, log: c.Logger.With("component", "recess-admin"), mount: mount, tokens: c.Engine.AdminTokens(),
		origin: http.NewCrossOriginProtection(),
	}
	p.pages = p.parsePages()
	p.routes = p.table()
	return p, nil
}

// plainPath reports whether a path is the same escaped and unescaped, for every browser and router, and in a cookie.
func plainPath(mount string) bool {
	return mount == path.Clean(mount) && strings.Trim(mount, "/-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// checkSignIn wants a path of this site or an address on the web: it becomes a link.
func checkSignIn(target string) error {
	if target == "" {
		return nil
	}
	u, err := url.Parse(target)
	if err == nil && !strings.Contains(target, "\\") {
		local := u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(target, "//")
		if local || (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
			return nil
		}
	}
	return fmt.Errorf("admin: Config.SignIn %q: write a path of this site, as in /login, or a whole URL", target)
}
