package sqlstate

// ParseMySQL and ParseSQLite are the parsers of URLs.
var (
	ParseMySQL  = parseMySQL
	ParseSQLite = parseSQLite
)
