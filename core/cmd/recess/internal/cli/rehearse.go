package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/config"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A rehearsal is an engine by the environment's policy, over a document of its own: it asks no backend, and is no instance of
// the fleet.
type rehearsal struct {
	config recess.Config
	engine *recess.Engine
}

// elsewhere are the variables of a service that are about where it runs and where its state is.
var elsewhere = []string{"RECESS_STATE", "RECESS_SNAPSHOT", "RECESS_INSTANCE"}

// imagine starts a rehearsal; a nil document is none. An error is about the environment.
func (s *session) imagine(ctx context.Context, document []byte) (*rehearsal, func(), error) {
	copied := memstate.New(memstate.Config{})
	if document != nil {
		if _, err := copied.Save(ctx, state.None, document); err != nil {
			return nil, nil, err
		}
	}
	environ := slices.DeleteFunc(slices.Clone(s.Environ()), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(elsewhere, name)
	})
	c, err := config.Load(ctx, environ, recess.Config{Backend: copied, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, usage("%s", strings.TrimPrefix(err.Error(), "config: "))
	}
	engine, err := recess.New(ctx, c)
	if err != nil {
		return nil, nil, usage("%s", strings.TrimPrefix(err.Error(), "recess: "))
	}
	return &rehearsal{c, engine}, func() {
		_ = engine.Close() // it only waits
		_ = copied.Close() // nothing is kept there
	}, nil
}

// rehearse decides by the environment's policy and the document as it is now.
func (s *session) rehearse(ctx context.Context, q *schema.Question) (schema.Verdict, error) {
	var document []byte
	if s.forced == recess.NotForced {
		var err error
		if document, err = s.document(ctx); err != nil {
			return schema.Verdict{}, err
		}
	}
	r, done, err := s.imagine(ctx, document)
	if err != nil {
		return schema.Verdict{}, err
	}
	defer done()
	verdict, err := q.Ask(r.engine)
	if err != nil {
		return verdict, usage("%s", err)
	}
	return verdict, nil
}

// document reads the document as it is; nil if there is none.
func (s *session) document(ctx context.Context) ([]byte, error) {
	backend, done, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	doc, err := state.Read(ctx, backend)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", recess.ErrUnreachable, err)
	}
	if _, err := decode(doc); err != nil {
		return nil, err
	}
	return doc.Data, nil
}

// configuration looks at the policy that the environment makes, as far as it makes one, and rehearses a window over the whole
// site with it.
func (d *doctor) configuration(ctx context.Context) {
	said := []string{"RECESS_STATE", "RECESS_SNAPSHOT", "RECESS_INSTANCE", "RECESS_MODE", "RECESS_PASS_KEYS", "RECESS_PASS_AUDIENCE"}
	set := 0
	for _, v := range config.Variables() {
		if value, ok := d.LookupEnv(v.Name); ok && strings.TrimSpace(value) != "" && !slices.Contains(said, v.Name) {
			set++
		}
	}
	if set == 0 {
		return // it is no service's environment
	}
	closed := state.Switched(true, d.printer.Now, d.printer.Now)
	closed.Windows[0].Start, closed.Windows[0].End = closed.Windows[0].Start.AddDate(-1, 0, 0), closed.Windows[0].End.AddDate(1, 0, 0)
	document, err := state.Encode(closed)
	if err != nil {
		d.find("configuration", report.Bad, err.Error(), "")
		return
	}
	r, done, err := d.imagine(ctx, document)
	if err != nil {
		d.find("configuration", report.Bad, schema.Clean(err.Error()), "Services with this environment do not start.")
		return
	}
	defer done()
	before := len(d.Checks)
	d.width(&r.config.Policy)
	d.probes(r.engine)
	d.lockOut(&r.config.Policy)
	if len(d.Checks) == before {
		d.find("configuration", report.OK, fmt.Sprintf("%d RECESS_* variables make a policy that can be used", set), "")
	}
}

// The widest prefixes that are not remarked upon: what one organisation has at most.
const (
	wide4 = 8
	wide6 = 24
)

// width finds allowances and trust that are wider than anybody has a right to.
func (d *doctor) width(p *recess.Policy) {
	if len(p.Unsafe) > 0 {
		d.find("configuration", report.Warning, "RECESS_UNSAFE has rules accepted that let everybody in: "+strings.Join(p.Unsafe, ", "), "Leave out what is not meant.")
	}
	if wide := widest(p.AllowNetworks); wide != "" {
		d.find("configuration", report.Warning, fmt.Sprintf("RECESS_ALLOW_NETWORKS lets in %s: most of that is not yours", wide), "")
	}
	if wide := widest(p.TrustedProxies); wide != "" {
		d.find("configuration", report.Warning, fmt.Sprintf("RECESS_TRUSTED_PROXIES trusts %s: whoever is there can say to be anybody", wide), "Name the proxies, or the network that they alone are in.")
	}
}

func widest(rules []string) string {
	for _, rule := range rules {
		prefix, err := netip.ParsePrefix(rule)
		if err == nil && (prefix.Addr().Is4() && prefix.Bits() < wide4 || prefix.Addr().Is6() && prefix.Bits() < wide6) {
			return rule
		}
	}
	return ""
}

// probed are the paths that orchestrators are most often told to ask.
var probed = []string{"/healthz", "/health", "/livez", "/live", "/readyz", "/ready", "/ping", "/status"}

// probes tells that a health check would be refused.
func (d *doctor) probes(e *recess.Engine) {
	for _, path := range probed {
		if v, err := (&schema.Question{Path: path}).Ask(e); err == nil && !v.Refused {
			return
		}
	}
	d.find("configuration", report.Note, "none of the paths that health checks ask most often gets in while the site is closed ("+strings.Join(probed[:4], ", ")+"…)",
		"Mark its route with gate.ForceOff, ask gate.Live, or set RECESS_ALLOW_PATHS: a liveness check that gets 503 has healthy processes restarted.")
}

// lockOut tells that nobody gets in to look before the site is opened.
func (d *doctor) lockOut(p *recess.Policy) {
	switch {
	case p.AllowAuthenticated, p.AllowStaff, p.AllowSuperuser, len(p.AllowRoles) > 0, p.AllowAdminSite != "", len(p.AllowNetworks) > 0,
		len(p.AllowHeaders) > 0, len(p.AllowHosts) > 0, len(p.PassKeys) > 0:
		return
	}
	d.find("configuration", report.Note, "no variable lets an operator in while the site is closed: it is opened by who reaches the state, or the panel",
		"To look at the site before it opens: RECESS_PASS_KEYS, RECESS_ALLOW_NETWORKS or RECESS_ALLOW_SUPERUSER.")
}
