package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// firstPort is the lowest port that is given to servers.
const firstPort = 10_000

var (
	reserving sync.Mutex
	reserved  []*os.File // locked until this process ends
)

// freeAddr returns an address on which nobody listens. It stays the test's, while its server is down too: the port is
// none that the system gives to connections of its own accord, and a locked file keeps it from other test processes.
func freeAddr(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "recess-test-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	last := firstEphemeral() - 1
	for range 1000 {
		port := firstPort + rand.N(last-firstPort)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if reserve(filepath.Join(dir, strconv.Itoa(port)), addr) {
			return addr
		}
	}
	t.Fatalf("no port from %d to %d is free", firstPort, last)
	return ""
}

// reserve takes a port for this process, if nobody has it.
func reserve(path, addr string) bool {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return false
	}
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		_ = listener.Close()
	}
	if err != nil {
		_ = file.Close()
		return false
	}
	reserving.Lock()
	defer reserving.Unlock()
	reserved = append(reserved, file)
	return true
}

// firstEphemeral is the first port that the system gives to outgoing connections.
func firstEphemeral() int {
	const usual = 32_768
	first := usual
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &first)
	}
	if err != nil || first < 2*firstPort {
		return usual
	}
	return first
}
