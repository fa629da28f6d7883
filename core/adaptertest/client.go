package adaptertest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// ask is one request as it goes onto the socket. Nothing in it is cleaned, escaped or checked.
type ask struct {
	method, target string
	proto          string   // "HTTP/1.1"
	host           string   // "shop.example"; noHost leaves the line out
	lines          []string // further header lines
	body           string   // with a Content-Length if not empty
}

const noHost = "none"

func get(target string, lines ...string) ask { return request("GET", target, lines...) }

func request(method, target string, lines ...string) ask {
	return ask{method: method, target: target, proto: "HTTP/1.1", host: "shop.example", lines: lines}
}

// as adds the user to a request.
func (a ask) as(user string) ask { return a.with(headerUser + ": " + user) }

func (a ask) at(host string) ask { a.host = host; return a }

func (a ask) with(lines ...string) ask {
	a.lines = append(slices.Clone(a.lines), lines...)
	return a
}

// header is the value of a header as RFC 9110 joins its lines.
func (a ask) header(name string) string {
	var values []string
	for _, line := range a.lines {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.Trim(v, " \t"))
		}
	}
	return strings.Join(values, ", ")
}

func (a ask) String() string {
	text := a.method + " " + a.target
	if len(text) > 80 {
		text = fmt.Sprintf("%s… (%d bytes)", text[:80], len(text))
	}
	return strings.Join(append([]string{text}, a.lines...), " | ")
}

// raw is what goes onto the socket.
func (a ask) raw(id string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\n", a.method, a.target, a.proto)
	if a.host != noHost {
		fmt.Fprintf(&b, "Host: %s\r\n", a.host)
	}
	if id != "" {
		fmt.Fprintf(&b, "%s: %s\r\n", headerID, id)
	}
	for _, line := range a.lines {
		b.WriteString(line + "\r\n")
	}
	if a.body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(a.body))
	}
	b.WriteString("\r\n" + a.body)
	return b.Bytes()
}

// answer is what came back, and what the site says about it.
type answer struct {
	err    error    // the connection was closed without a response, or with half of one
	ran    []string // the handlers that ran
	status int
	header http.Header
	head   string // the response's head as it stood on the wire
	body   string
	close  bool // the server ends the connection
}

// maintenance is what the handler's accessor found, in words; "none" if nothing.
func (a *answer) maintenance() string {
	_, rest, _ := strings.Cut(a.body, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

var lastID atomic.Int64

func newID() string { return fmt.Sprintf("request-%d", lastID.Add(1)) }

// do sends one request on a connection of its own.
func (w *world) do(a ask) answer {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	return c.do(a)
}

// wire is one connection to the site.
type wire struct {
	world *world
	net.Conn
	in       *bufio.Reader
	patience time.Duration // for one request
}

// hurry gives the next request its time. Both kinds of connections have deadlines.
func (c *wire) hurry() { _ = c.SetDeadline(time.Now().Add(c.patience)) }

func (w *world) dial() *wire {
	w.t.Helper()
	conn, err := w.connect()
	if err != nil {
		w.t.Fatal(err)
	}
	c := &wire{w, conn, bufio.NewReader(conn), patience}
	c.hurry()
	return c
}

func (c *wire) do(a ask) answer {
	c.hurry()
	id := newID()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = c.Write(a.raw(id)) // a server may answer and close before it has read everything
	}()
	got := c.read(a.method)
	if got.err != nil || got.close {
		_ = c.Close() // whoever is still writing stops
	}
	<-written
	got.ran = c.world.site.ran(id)
	return got
}

// read reads the next response.
func (c *wire) read(method string) (got answer) {
	var head bytes.Buffer
	for {
		line, err := c.in.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return answer{err: err}
		}
		if line == "\r\n" {
			break
		}
	}
	got.head = head.String()
	all := bufio.NewReader(io.MultiReader(&head, c.in))
	response, err := http.ReadResponse(all, &http.Request{Method: method})
	if err != nil {
		return answer{err: err, head: got.head}
	}
	defer response.Body.Close()
	got.status, got.header, got.close = response.StatusCode, response.Header, response.Close
	body, err := io.ReadAll(response.Body)
	got.body, got.err = string(body), err
	// What was read ahead belongs to the next response.
	if n := all.Buffered(); n > 0 {
		ahead, _ := all.Peek(n)
		c.in = bufio.NewReader(io.MultiReader(bytes.NewReader(ahead), c.in))
	}
	return got
}
