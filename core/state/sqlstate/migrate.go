package sqlstate

import (
	"context"
	"errors"
	"fmt"
)

// errMissing marks errors that say that a table is not there.
var errMissing = errors.New("the table is missing")

// migrate makes the tables that are missing. It asks for each by reading it, and not with "if not exists": that is not
// known to every database, and wants the right to make a table even where there is one.
func (s *store) migrate(ctx context.Context) error {
	if s.prepare != nil {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	for i, check := range s.texts.checks {
		if err := s.ensure(ctx, check, s.texts.creates[i]); err != nil {
			return err
		}
	}
	return nil
}

// ensure makes a table unless it can be read. Of two that do so at once one fails, and finds that it can be read now.
func (s *store) ensure(ctx context.Context, check, create string) error {
	missing := s.read(ctx, check)
	if missing == nil || s.config.Dialect.Explain != nil && !errors.Is(missing, errMissing) {
		return missing
	}
	_, err := s.exec(ctx, create)
	if err == nil || s.read(ctx, check) == nil {
		return nil
	}
	if s.config.Dialect.Explain == nil {
		return fmt.Errorf("the table cannot be read (%w) and cannot be made: %w", missing, err)
	}
	return err
}

// read carries out a query that has no rows.
func (s *store) read(ctx context.Context, query string) error {
	return s.query(ctx, func() {}, func(func(...any) error) error { return nil }, query)
}
