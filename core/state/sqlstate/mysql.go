package sqlstate

import (
	"crypto/tls"
	"errors"
	"regexp"
	"strconv"
)

// MySQL is the language of MySQL, MariaDB and what speaks like them, through github.com/go-sql-driver/mysql.
//
// Of that driver's parameters a state URL takes these:
//
//	tls                      true (the system's certificate authorities, or those of SSL_CERT_FILE), skip-verify,
//	                         preferred, or the name of a configuration that mysql.RegisterTLSConfig knows
//	serverPubKey             the name of a key that mysql.RegisterServerPubKey knows
//	allowCleartextPasswords  true, with TLS or a socket: for PAM, LDAP and tokens
//
// Beside them, socket is the path of a unix socket, in place of the host, and wsrep_sync_wait=1 makes each look on a
// Galera cluster wait for what the other nodes have committed.
//
// Texts are read and compared as bytes and written as UTF-8, whatever the connection's character set and collation are.
var MySQL = Dialect{
	Name:    "MySQL",
	Key:     "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin",
	Text:    "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
	Options: " ENGINE=InnoDB",
	Same:    func(column, parameter string) string { return bytesOf(column) + " = " + bytesOf(parameter) },
	// UTC, for in the hour that comes twice in autumn a local time is two instants.
	Clock:   "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
	Explain: explainMySQL,
	read:    bytesOf,
	write:   func(parameter string) string { return "CONVERT(" + bytesOf(parameter) + " USING utf8mb4)" },
}

func bytesOf(expression string) string { return "CAST(" + expression + " AS BINARY)" }

// explainMySQL goes by the number alone: the text may be in any language.
func explainMySQL(err error) Meaning {
	number, ok := codeOf(err, "MySQLError", "Number")
	if !ok {
		return explainConnection(err)
	}
	m := mysqlErrors[number]
	m.Words = withoutUser(err.Error())
	if number == 1203 || number == 1226 {
		m.Words = "error " + strconv.Itoa(number) // its text names the user where none would look for one
	}
	return m
}

// accountShape is a user as the server writes it: 'name'@'host'.
var accountShape = regexp.MustCompile(`'.*'@'`)

// withoutUser hides the user's name in an error's text, which may be a password in the wrong place. The host from which
// the server saw the user come stays: it is half of what grants are about.
func withoutUser(text string) string {
	return accountShape.ReplaceAllString(text, "'…'@'")
}

// explainConnection is about errors that did not come from the server. The driver's own it knows by their text.
func explainConnection(err error) Meaning {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return Meaning{Advice: "tls=true trusts the system's certificate authorities, or those in the file that SSL_CERT_FILE names, and wants the " +
			"certificate of the host in the URL; for others, register a configuration with mysql.RegisterTLSConfig and name it, as in tls=NAME"}
	}
	return Meaning{Advice: driverErrors[err.Error()]}
}

var driverErrors = map[string]string{
	"invalid connection":                            "the connection was lost in the middle of the call: whether the server has carried it out is not known",
	"TLS requested but server does not support TLS": "give the server a certificate (ssl_cert, ssl_key), or leave tls out of the URL if the way to it is safe",
	"this authentication plugin is not supported":   "let the user log in with caching_sha2_password, mysql_native_password or ed25519",
}

// mysqlErrors are the errors about which an operator can do something, or that are treated in a way of their own. The
// numbers are those of MySQL 8.4's error reference; MariaDB's are the same where both have one, and MariaDB's own begin
// at 1900 and 4000.
var mysqlErrors = func() map[int]Meaning {
	known := make(map[int]Meaning)
	for _, of := range []struct {
		kind    Kind
		advice  string
		numbers []int
	}{
		// ER_LOCK_DEADLOCK (on Galera, that another node's change was first); in group replication,
		// ER_TRANSACTION_ROLLBACK_DURING_COMMIT
		{Again, "the server says that this would have deadlocked, and carried nothing out", []int{1213, 3101}},
		// ER_DUP_ENTRY, ER_DUP_KEY
		{Duplicate, "", []int{1062, 1022}},
		// ER_NO_SUCH_TABLE
		{Missing, "", []int{1146}},
		// ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR
		{Denied, "following the state needs SELECT on the table, changing it INSERT and UPDATE too; announcing instances needs " +
			"SELECT, INSERT, UPDATE and DELETE on the table of instances; making the tables needs CREATE", []int{1142, 1143, 1227}},
		// ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_MODE, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_OPEN_AS_READONLY,
		// ER_INNODB_READ_ONLY, ER_SCHEMA_READ_ONLY
		{ReadOnly, "the server takes no changes, as replicas do: write to the primary server", []int{1290, 1836, 1792, 1036, 1874, 3989}},
		// ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_HOST_NOT_PRIVILEGED, ER_HOST_IS_BLOCKED
		{Other, "check the user, the password and the host in the URL, and from which hosts the server lets this user in", []int{1045, 1698, 1130, 1129}},
		// ER_DBACCESS_DENIED_ERROR
		{Other, "the user has no right to use this database: check its name, and the user's grants", []int{1044}},
		// ER_BAD_DB_ERROR
		{Other, "make the database first, or correct its name in the URL", []int{1049}},
		// ER_ACCOUNT_HAS_BEEN_LOCKED, and MariaDB's
		{Other, `unlock the account with "alter user … account unlock"`, []int{3118, 4151}},
		// ER_MUST_CHANGE_PASSWORD, ER_MUST_CHANGE_PASSWORD_LOGIN
		{Other, `the password has expired: set it anew with "alter user"`, []int{1820, 1862}},
		// ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED
		{Other, "raise the server's max_connections or the user's limit, or look for who holds the connections", []int{1040, 1203, 1226}},
		// ER_LOCK_WAIT_TIMEOUT
		{Other, `somebody has held the row or the table locked all the time: see "show full processlist" for a transaction or an ` +
			"alter table that does not end", []int{1205}},
		// ER_DISK_FULL, ER_RECORD_FILE_FULL
		{Other, "make room on the server's disk: the old state is untouched", []int{1021, 1114}},
		// ER_BAD_FIELD_ERROR, ER_NO_DEFAULT_FOR_FIELD
		{Other, `the table has other columns than "recess migrate" makes: is it another program's?`, []int{1054, 1364}},
		// ER_NET_PACKET_TOO_LARGE
		{Other, "raise the server's max_allowed_packet to at least 4M", []int{1153}},
		// ER_UNKNOWN_COM_ERROR
		{Other, "this Galera node is not part of the primary component: bring the cluster back together, or use another node", []int{1047}},
		// ER_UNKNOWN_SYSTEM_VARIABLE
		{Other, "the server does not know a setting that the URL asks for: leave wsrep_sync_wait out, which is Galera's alone", []int{1193}},
		// ER_SERVER_SHUTDOWN
		{Other, "the server is shutting down", []int{1053}},
		// ER_QUERY_INTERRUPTED, MariaDB's ER_CONNECTION_KILLED, ER_QUERY_TIMEOUT
		{Other, `somebody has ended the connection, or the statement, by "kill"`, []int{1317, 1927, 3024}},
	} {
		for _, number := range of.numbers {
			known[number] = Meaning{Kind: of.kind, Advice: of.advice}
		}
	}
	return known
}()
