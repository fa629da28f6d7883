package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/recess-go/recess/core/internal/integration/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience  = 20 * time.Second       // for what must happen
	stillness = 100 * time.Millisecond // how long it is watched that nothing happens
)

// echo is a target that sends back what it gets. ended gets a value for each connection that it has seen the end of.
func echo(t *testing.T) (addr string, ended chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				conn.Close()
				ended <- struct{}{}
			}()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String(), ended
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v, want %q", got[:n], err, text)
	}
}

func works(t *testing.T, conn net.Conn) {
	t.Helper()
	write(t, conn, "hello")
	expect(t, conn, "hello")
}

// silent asserts that nothing comes, and that the connection stays.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(stillness))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, want silence", n, err)
	}
}

// over asserts that the connection has ended.
func over(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v, want the end", n, err)
	}
}

// isReset asserts that a new link is reset: it shows when it is dialled, or at the first read.
func isReset(t *testing.T, p *Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err == nil {
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new link: %v, want a reset", err)
	}
}

func TestASoundProxyPassesBothWaysAndBothEnds(t *testing.T) {
	addr, ended := echo(t)
	p := New(t, addr)
	conn := dial(t, p)
	large := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() { _, _ = conn.Write(large) }()
	expect(t, conn, string(large))
	if p.Open() != 1 || len(p.Arrived()) != 1 {
		t.Errorf("%d links open, %d arrived, want 1 of each", p.Open(), len(p.Arrived()))
	}
	conn.Close()
	<-ended
	must.Become(t, "no link", func() bool { return p.Open() == 0 })

	conn = dial(t, p)
	works(t, conn)
	p.Close()
	over(t, conn)
	<-ended
	if _, err := net.Dial("tcp", p.Addr); err == nil {
		t.Error("a closed proxy takes links")
	}
}

func TestCutEndsEveryLinkAndTakesNewOnes(t *testing.T) {
	addr, ended := echo(t)
	p := New(t, addr)
	links := []net.Conn{dial(t, p), dial(t, p)}
	for _, conn := range links {
		works(t, conn)
	}
	p.Cut()
	for _, conn := range links {
		over(t, conn)
		<-ended
	}
	works(t, dial(t, p))
}

func TestAFrozenLinkSwallowsEverythingAndNewOnesWork(t *testing.T) {
	addr, ended := echo(t)
	p := New(t, addr)
	frozen := dial(t, p)
	works(t, frozen)
	p.Freeze()
	write(t, frozen, "lost")
	silent(t, frozen)
	works(t, dial(t, p))
	p.Heal()
	write(t, frozen, "lost too")
	silent(t, frozen)
	if p.Open() != 2 {
		t.Errorf("%d links open, want 2", p.Open())
	}
	frozen.Close()
	must.Become(t, "one link", func() bool { return p.Open() == 1 })
	select {
	case <-ended:
		t.Error("the target was told that the client of a half-open link is gone")
	case <-time.After(stillness):
	}
	p.Cut()
	<-ended
	<-ended
}

func TestAFrozenLinkDoesNotTellThatTheTargetIsGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := New(t, listener.Addr().String())
	conn := dial(t, p)
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	server.Close()
	silent(t, conn)
	if p.Open() != 1 {
		t.Errorf("%d links open, want 1", p.Open())
	}
}

func TestFreezeAllSwallowsWhatNewLinksSay(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	before := dial(t, p)
	works(t, before)
	p.FreezeAll()
	during := dial(t, p)
	for _, conn := range []net.Conn{before, during} {
		write(t, conn, "lost")
		silent(t, conn)
	}
	p.Heal()
	silent(t, during)
	works(t, dial(t, p))
	during.Close()
	must.Become(t, "two links", func() bool { return p.Open() == 2 })
}

func TestRefuseResetsNewLinksAlone(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	before := dial(t, p)
	works(t, before)
	p.Refuse()
	isReset(t, p)
	works(t, before)
	if len(p.Arrived()) != 2 {
		t.Errorf("%d links arrived, want 2", len(p.Arrived()))
	}
	p.Heal()
	works(t, dial(t, p))
}

func TestALinkToATargetThatIsDownIsReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	p := New(t, listener.Addr().String())
	isReset(t, p)
	must.Become(t, "no link", func() bool { return p.Open() == 0 })
}

func TestDelayHoldsDataBackEachWayUntilItIsHealed(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	conn := dial(t, p)
	works(t, conn)
	p.Delay(stillness)
	began := time.Now()
	works(t, conn)
	if took := time.Since(began); took < 2*stillness {
		t.Errorf("there and back took %v, want %v at least", took, 2*stillness)
	}
	p.Delay(time.Hour)
	write(t, conn, "late")
	silent(t, conn)
	p.Heal()
	expect(t, conn, "late")
	p.Delay(time.Hour)
	write(t, conn, "never")
	silent(t, conn)
	p.Cut()
	over(t, conn)
}

func TestRateLetsSoManyBytesThroughEachSecond(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	conn := dial(t, p)
	p.Rate(50)
	began := time.Now()
	write(t, conn, "0123456789abcdef")
	expect(t, conn, "0123456789")
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("10 bytes at 50 bytes/s took %v", took)
	}
	p.Heal()
	expect(t, conn, "abcdef")
	p.Rate(1)
	write(t, conn, "xyz")
	expect(t, conn, "x")
	silent(t, conn)
	p.Close()
	over(t, conn)
}

func TestDropLosesOneMessageOfTheTarget(t *testing.T) {
	addr, _ := echo(t)
	p := New(t, addr)
	conn, other := dial(t, p), dial(t, p)
	works(t, conn)
	works(t, other)
	lost := p.Drop(func(piece []byte) bool { return bytes.Contains(piece, []byte("second")) })
	write(t, conn, "first")
	expect(t, conn, "first")
	select {
	case <-lost:
		t.Fatal("the wrong message is lost")
	default:
	}
	write(t, other, "second")
	<-lost
	silent(t, other)
	write(t, other, "second")
	expect(t, other, "second")
	works(t, conn)
}

func TestNothingRunsAfterClose(t *testing.T) {
	addr, _ := echo(t)
	for name, spoil := range map[string]func(*Proxy){
		"frozen": (*Proxy).Freeze, "frozen altogether": (*Proxy).FreezeAll, "refusing": (*Proxy).Refuse,
		"delayed": func(p *Proxy) { p.Delay(time.Hour) }, "slow": func(p *Proxy) { p.Rate(1) },
	} {
		p := New(t, addr)
		conn := dial(t, p)
		works(t, conn)
		spoil(p)
		write(t, conn, "some bytes under way")
		if late, err := net.Dial("tcp", p.Addr); err == nil {
			defer late.Close()
		}
		p.Close()
		must.Become(t, name+": no goroutine of the proxy", func() bool {
			stacks := make([]byte, 1<<20)
			return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("integration/proxy.(*Proxy)."))
		})
		if n := p.Open(); n != 0 {
			t.Errorf("%s: %d links are left", name, n)
		}
	}
}
