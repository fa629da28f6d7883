// Package sqlite holds the tests of sqlstate on SQLite files: conformance, several processes of which some are killed,
// what operators do by hand, and the file system's faults.
package sqlite
