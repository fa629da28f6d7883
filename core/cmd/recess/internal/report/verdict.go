package report

import (
	"strings"

	"github.com/recess-go/recess/core/internal/schema"
)

// Verdict says first whether a request gets in, and then why.
func (p *Printer) Verdict(v *schema.Verdict) {
	head, color := "It gets in", green
	if v.Refused {
		head, color = "It is refused", red
	}
	head += ": " + schema.Clean(v.Reason)
	if v.Rule != "" {
		head += " " + schema.Clean(v.Rule)
	}
	p.printf("%s\n\n%s\n", p.paint(color, head), strings.TrimRight(schema.CleanLines(v.Text), "\n"))
}
