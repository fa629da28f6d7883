package admin

import (
	"context"

	"github.com/recess-go/recess/core/internal/schema"
)

// explain answers whether a request would get in, and why.
func (p *Panel) explain(_ context.Context, _ *caller, q *schema.Question) (schema.Verdict, error) {
	v, err := q.Ask(p.engine)
	if err != nil {
		return v, usage(err.Error())
	}
	return v, nil
}
