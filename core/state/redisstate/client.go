package redisstate

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/recess-go/recess/core/state/driver"
)

// What a backend needs of connections: one look at a time, now and then a save or an announcement, and more at once only
// where many callers meet. One that was idle for longer than an engine usually waits is not worth its risk: something
// between here and the server may have forgotten it.
const (
	mostConnections = 8
	mostIdle        = 2
	longestIdle     = 30 * time.Second
)

// open makes a backend with a client of its own. It talks to nobody yet.
func (t *target) open() *Backend {
	var config *tls.Config
	if t.tls != nil {
		config = t.tls.config
	}
	s := &store{keys: keysOf(t.Key, t.db), where: strings.Join(t.addrs, ","), own: newDialer(config)}
	options := t.options(s.own)
	switch t.kind {
	case cluster:
		s.client = redis.NewClusterClient(clusterOptions(options, t.addrs))
	case sentinel:
		s.master = &sentinels{own: s.own, name: t.masterName, addrs: t.addrs, options: t.sentinelOptions(s.own)}
		s.where = t.masterName + " of the sentinels " + s.where
		options.Addr, options.Dialer, options.OnConnect = t.masterName, s.master.dial, s.master.confirm
		// A master that was replaced while it was cut off from the sentinels, but not from here, would be read for ever.
		options.ConnMaxLifetime = recheck * cmp.Or(t.Probe, driver.DefaultProbe)
		s.client = redis.NewClient(&options)
	case socket:
		options.Network = "unix"
		fallthrough
	case single:
		options.Addr = t.addrs[0]
		s.client = redis.NewClient(&options)
	}
	return on(s, t.Config)
}

// options are those of a client whose connections, deadlines and second attempts are the backend's business. It speaks
// RESP2, which every server and proxy does: nothing here needs more.
func (t *target) options(own *dialer) redis.Options {
	timeout := cmp.Or(t.Timeout, driver.DefaultTimeout)
	return redis.Options{
		Username: t.username, Password: t.password, DB: t.db, Protocol: 2, Dialer: own.dial,
		DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, PoolTimeout: timeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		PoolSize: mostConnections, MaxIdleConns: mostIdle, ConnMaxIdleTime: longestIdle, PipelinePoolSize: -1,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func (t *target) sentinelOptions(own *dialer) redis.Options {
	options := t.options(own)
	options.Username, options.Password, options.DB = t.sentinelUser, t.sentinelSecret, 0
	options.PoolSize, options.MaxIdleConns = 1, 1
	return options
}

func clusterOptions(o redis.Options, addrs []string) *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs: addrs, Username: o.Username, Password: o.Password, Protocol: o.Protocol, Dialer: o.Dialer,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolTimeout: o.PoolTimeout,
		ContextTimeoutEnabled: true, MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries,
		PoolSize: o.PoolSize, MaxIdleConns: o.MaxIdleConns, ConnMaxIdleTime: o.ConnMaxIdleTime, PipelinePoolSize: o.PipelinePoolSize,
		DisableIdentity: true, MaintNotificationsConfig: o.MaintNotificationsConfig,
		DisableRoutingPolicies: true, // every command here has its key: COMMAND need not be asked, nor be allowed
	}
}

// tlsFiles are the parts of a TLS configuration that a URL can name.
type tlsFiles struct {
	ca, cert, key, serverName string
	skipVerify                bool
	config                    *tls.Config // made by check
}

// check reads the files.
func (f *tlsFiles) check() error {
	f.config = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.serverName, InsecureSkipVerify: f.skipVerify}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return fmt.Errorf("the parameter tls_ca: %w", err)
		}
		f.config.RootCAs = x509.NewCertPool()
		if !f.config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("the parameter tls_ca: %s holds no certificate in PEM", f.ca)
		}
	}
	switch {
	case f.cert == "" && f.key == "":
		return nil
	case f.cert == "" || f.key == "":
		return errors.New("the parameters tls_cert and tls_key go together")
	}
	if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return fmt.Errorf("the parameters tls_cert and tls_key: %w", err)
	}
	// Read again for each connection: certificates are renewed while a service runs.
	f.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		return &pair, err
	}
	return nil
}
