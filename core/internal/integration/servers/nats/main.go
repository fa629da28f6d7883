// The nats program is a NATS server with JetStream, from NATS' own module: what the tests use in place of an installed
// nats-server. It ends when its standard input does, so that it does not outlive the test run.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:4222", "`host:port` for clients")
	dir := flag.String("dir", "", "`directory` for the data")
	config := flag.String("config", "", "configuration `file` of nats-server's own kind; addr and dir stand above it")
	flag.Parse()

	go endWithInput()
	if err := serve(*addr, *dir, *config); err != nil {
		fmt.Fprintln(os.Stderr, "nats:", err)
		os.Exit(1)
	}
}

// endWithInput ends the process when nobody holds the other end of its standard input any more.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, it has ended
	os.Exit(0)
}

func serve(addr, dir, config string) error {
	options := &server.Options{}
	if config != "" {
		var err error
		if options, err = server.ProcessConfigFile(config); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	options.Host, options.StoreDir = host, dir
	if options.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	options.SyncAlways = true // what was acknowledged survives a power cut
	options.NoSigs = true
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	s.WaitForShutdown()
	return nil
}
