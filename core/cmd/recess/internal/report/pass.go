package report

import (
	"fmt"

	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
)

// Pass writes one pass in lines.
func (p *Printer) Pass(pass *schema.Pass) {
	p.printf("  %s  for %s\n", p.paint(bold, schema.Clean(pass.ID)), schema.Clean(pass.For))
	place := "every window"
	switch {
	case pass.Occurrence != nil:
		place = fmt.Sprintf("window %s, the time from %s", schema.Clean(pass.Window), moment.Format(*pass.Occurrence, p.Loc))
	case pass.Window != "":
		place = "window " + schema.Clean(pass.Window)
	case pass.Scope != "":
		place = "the windows of scope " + schema.Clean(pass.Scope)
	}
	p.detail("lets in", place)
	p.detail("until", p.moment(pass.ExpiresAt, "ends "+moment.In(pass.ExpiresAt, p.Now)))
	switch pass.Uses {
	case 0:
		p.detail("link", "none, or used")
	case 1:
		p.detail("link", "can be used once")
	default:
		p.detail("link", fmt.Sprintf("can be used %d times", pass.Uses))
	}
	if who := pass.IssuedBy.Who(); who != "" && pass.IssuedAt != nil {
		p.detail("made by", fmt.Sprintf("%s, %s", who, moment.Ago(*pass.IssuedAt, p.Now)))
	}
}

// Passes writes passes, or that there are none.
func (p *Printer) Passes(passes []schema.Pass) {
	if len(passes) == 0 {
		p.printf("There are no passes.\n")
		return
	}
	for i := range passes {
		p.Pass(&passes[i])
	}
}
