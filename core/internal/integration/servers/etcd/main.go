// The etcd program is one member of an etcd cluster, from etcd's own module: what the tests use in place of an installed
// etcd. It ends when its standard input does, so that it does not outlive the test run.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	config := embed.NewConfig()
	addr := flag.String("addr", "127.0.0.1:2379", "`host:port` for clients")
	health := flag.String("health", "127.0.0.1:2381", "`host:port` for /health and /metrics, never with TLS")
	peers := flag.String("peers", "127.0.0.1:2380", "`host:port,…` of all members for each other; the cluster is new unless -join is given")
	member := flag.Int("member", 0, "which of the peers this is, from 0")
	join := flag.Bool("join", false, "join a cluster that has this member already on its list")
	flag.StringVar(&config.Dir, "dir", "", "`directory` for the data")
	flag.StringVar(&config.ClientTLSInfo.CertFile, "cert", "", "certificate `file`: clients speak TLS")
	flag.StringVar(&config.ClientTLSInfo.KeyFile, "key", "", "the certificate's key `file`")
	flag.StringVar(&config.ClientTLSInfo.TrustedCAFile, "ca", "", "certificate authority `file`: clients must have a certificate of it")
	flag.Int64Var(&config.QuotaBackendBytes, "quota", 0, "`bytes` that the data may take; 0 is etcd's default")
	flag.UintVar(&config.BcryptCost, "bcrypt-cost", config.BcryptCost, "how hard passwords are to check")
	flag.Parse()

	scheme := "http"
	if config.ClientTLSInfo.CertFile != "" {
		scheme = "https"
	}
	config.ClientTLSInfo.ClientCertAuth = config.ClientTLSInfo.TrustedCAFile != ""
	config.ListenClientUrls = []url.URL{{Scheme: scheme, Host: *addr}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenMetricsUrls = []url.URL{{Scheme: "http", Host: *health}}

	hosts := strings.Split(*peers, ",")
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: hosts[*member]}}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.Name = fmt.Sprintf("member-%d", *member)
	var cluster []string
	for i, host := range hosts {
		cluster = append(cluster, fmt.Sprintf("member-%d=http://%s", i, host))
	}
	config.InitialCluster = strings.Join(cluster, ",")
	if *join {
		config.ClusterState = embed.ClusterStateFlagExisting
	}
	config.LogLevel, config.LogFormat = "error", "console"

	go endWithInput()
	if err := serve(config); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
}

// endWithInput ends the process when nobody holds the other end of its standard input any more.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, it has ended
	os.Exit(0)
}

func serve(config *embed.Config) error {
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	select {
	case err = <-etcd.Err():
	case <-etcd.Server.StopNotify():
	}
	return err
}
