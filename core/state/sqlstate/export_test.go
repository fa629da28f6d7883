package sqlstate

import "time"

// ParseMySQL and ParseSQLite are the parsers of URLs.
var (
	ParseMySQL  = parseMySQL
	ParseSQLite = parseSQLite
)

// Own makes a database the backend's own, as if it had opened it for a server that lets a statement wait for locks.
func (b *Backend) Own(lockWait time.Duration) { b.store.owned, b.store.lockWait = true, lockWait }
