// Package memcachedstate keeps the state in memcached. It is an example of a backend of one's own: a page, on the
// driver that Recess' own backends stand on, and it passes the same suite.
//
// memcached forgets: when it restarts, or needs the memory. Services then keep the last state they know, and say so.
package memcachedstate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// snippet: own

// New returns a backend on the server at addr, which keeps the document under key. It is polled.
func New(addr, key string) state.Backend {
	return driver.New(&store{addr, key}, driver.Config{Name: "memcachedstate"})
}

type store struct{ addr, key string }

// Read returns the document and its revision: a counter, which is kept in memcached's flags, and the content, since a
// memcached that was restarted counts anew.
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	doc, _, err := s.get(ctx)
	return doc, err
}

// Save replaces the document if nobody was faster.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	doc, cas, err := s.get(ctx)
	if err != nil {
		return state.None, err
	}
	if doc.Rev != old {
		return state.None, state.ErrConflict
	}
	number, _ := driver.Number(old)
	number++
	command := fmt.Sprintf("cas %s %d 0 %d %d", s.key, number, len(data), cas)
	if old == state.None {
		command = fmt.Sprintf("add %s %d 0 %d", s.key, number, len(data))
	}
	answer, err := s.ask(ctx, command+"\r\n"+string(data)+"\r\n", nil)
	switch {
	case err != nil:
		return state.None, err
	case answer == "EXISTS", answer == "NOT_FOUND", answer == "NOT_STORED":
		return state.None, state.ErrConflict
	case answer != "STORED":
		return state.None, fmt.Errorf("memcached answered %q", answer)
	}
	return driver.Numbered(number, data), nil
}

// Close has nothing to free: every call has a connection of its own.
func (s *store) Close() error { return nil }

// end

func (s *store) get(ctx context.Context) (doc state.Doc, cas uint64, err error) {
	_, err = s.ask(ctx, "gets "+s.key+"\r\n", func(answer string, rest *bufio.Reader) error {
		var (
			number uint64
			size   int
		)
		if _, err := fmt.Sscanf(answer, "VALUE "+s.key+" %d %d %d", &number, &size, &cas); err != nil || size > state.MaxSize {
			if answer == "END" {
				return nil // there is none
			}
			return fmt.Errorf("memcached answered %.80q", answer)
		}
		doc.Data = make([]byte, size)
		_, err := io.ReadFull(rest, doc.Data)
		doc.Rev = driver.Numbered(number, doc.Data)
		return err
	})
	if err != nil {
		return state.Doc{}, 0, err
	}
	return doc, cas, nil
}

// ask sends a command and returns the first line of the answer. read, if it is given, reads what follows.
func (s *store) ask(ctx context.Context, command string, read func(answer string, rest *bufio.Reader) error) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	lines := bufio.NewReader(conn)
	answer, err := lines.ReadString('\n')
	answer = strings.TrimRight(answer, "\r\n")
	if err == nil && read != nil {
		err = read(answer, lines)
	}
	return answer, err
}
