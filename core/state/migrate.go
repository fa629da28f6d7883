package state

import "context"

// A Migrator is a Backend whose store must be prepared before it can keep a document: a table, a bucket. Nothing
// prepares it but a person who says so, with "recess migrate" or by calling this: services need no right to do it.
type Migrator interface {
	// Migrate makes what is missing. It changes nothing where all is there, and may run in several processes at once.
	Migrate(ctx context.Context) error
}
