package postgres_test

import (
	"os"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/certs"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func TestTLS(t *testing.T) {
	trusted, foreign := certs.New(t), certs.New(t)
	cert, key := trusted.Server(t)
	own, ownKey := trusted.Client(t, "sealed")
	content := func(path string) []byte {
		text, err := os.ReadFile(path)
		must.Do(t, err)
		return text
	}
	config := rigs.PostgresConfig()
	config.Settings["ssl"], config.Settings["ssl_ca_file"] = "on", "ca.crt"
	config.Files = map[string][]byte{"server.crt": content(cert), "server.key": content(key), "ca.crt": content(trusted.File)}
	config.Rules = []string{"hostssl all sealed 127.0.0.1/32 cert", "host all sealed 127.0.0.1/32 reject"}
	server := servers.Postgres(t, config)
	rigs.Postgres(t, server.Addr, "create user sealed in role recess")

	byName := "localhost:" + server.Addr[len("127.0.0.1:"):] // the certificate is for the address
	url := func(user, addr, parameters string) string {
		return "postgres://" + user + "@" + addr + "/postgres?sslmode=verify-full&" + parameters
	}
	verified := open(t, url("recess", server.Addr, "application_name=verified&sslrootcert="+trusted.File))
	works(t, verified, verified)
	const connections = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'verified'"
	all, encrypted := rigs.PostgresNumber(t, server.Addr, connections), rigs.PostgresNumber(t, server.Addr, connections+" and ssl")
	if all < 2 || encrypted != all {
		t.Errorf("of %d connections %d are encrypted, want all: those of the pool and the one that listens", all, encrypted)
	}
	sealed := open(t, url("sealed", server.Addr, "sslrootcert="+trusted.File+"&sslcert="+own+"&sslkey="+ownKey))
	works(t, sealed, sealed)

	for name, c := range map[string]struct{ url, word string }{
		"an authority that is not trusted": {url("recess", server.Addr, "sslrootcert="+foreign.File), "sslrootcert"},
		"another host's certificate":       {url("recess", byName, "sslrootcert="+trusted.File), "another host"},
		"no certificate of our own":        {url("sealed", server.Addr, "sslrootcert="+trusted.File), "28000"},
	} {
		_, err := state.Read(t.Context(), open(t, c.url))
		must.Refuse(t, name, err, nil, c.word)
	}
	works(t, open(t, "postgres://recess@"+byName+"/postgres?sslmode=verify-ca&sslrootcert="+trusted.File), verified)
}
