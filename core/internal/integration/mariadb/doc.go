// Package mariadb holds the tests of sqlstate on a real MariaDB server: conformance, the grants that are documented, what
// operators do by hand, and the server's faults.
package mariadb
