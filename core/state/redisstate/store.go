package redisstate

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// told is the largest document, in bytes, that goes to all who watch together with the news. They read a larger one.
const told = 8 << 10

// A store is the document in Redis.
type store struct {
	client redis.UniversalClient
	keys   keys
	where  string         // the server, in words for errors
	own    *dialer        // nil for a client that the caller keeps
	master *sentinels     // nil without sentinels
	calls  sync.WaitGroup // goroutines that wait for the server
	met    atomic.Bool    // the server has answered before
}

var _ driver.Watcher = (*store)(nil)

// Read implements [driver.Store].
func (s *store) Read(ctx context.Context) (doc state.Doc, err error) {
	err = s.twice(ctx, func(ctx context.Context) error {
		answer, err := s.do(ctx, "hmget", s.keys.document, "document", "rev")
		if err != nil {
			return err
		}
		fields, ok := answer.([]any)
		if !ok || len(fields) != 2 {
			return unexpected("HMGET", answer)
		}
		if text, there := fields[0].(string); there {
			number, _ := fields[1].(string)
			doc = state.Doc{Rev: revOf(number, text), Data: []byte(text)}
		}
		return nil
	})
	if err != nil {
		return state.Doc{}, s.explain(err)
	}
	return doc, nil
}

// saves is the shape of the field "rev" that the backend writes. Lua's numbers are exact up to 15 digits.
var saves = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

// revOf returns the revision of a document, as save.lua does: it counts the saves, and has a hash of the content, since an
// operator may write past the backend, and a server may lose its data and count from 1 again. It is SHA-1 because Redis'
// scripts know no better one. No secret hangs on it.
func revOf(number, document string) state.Rev {
	if !saves.MatchString(number) {
		number = "0"
	}
	sum := sha1.Sum([]byte(document))
	return state.Rev(number + "-" + hex.EncodeToString(sum[:]))
}

//go:embed save.lua
var saveSource string

var saveScript = newScript(saveSource)

// Save implements [driver.Store].
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (rev state.Rev, err error) {
	id := rand.Text()    // the same for both attempts: the second one knows by it what the first has written
	text := string(data) // a copy: an attempt that was given up may still be sending
	sent := false        // by an attempt of which it is not known what came of it
	err = s.twice(ctx, func(ctx context.Context) error {
		letter := &letter{text: text}
		answer, err := s.eval(ctx, saveScript, []string{s.keys.document}, s.keys.channel, string(old), letter, id, told)
		if err != nil {
			sent = sent || lost(err) && !letter.recall()
			return err
		}
		fields, ok := answer.([]any)
		if !ok || len(fields) != 2 {
			return unexpected("the script that saves", answer)
		}
		if saved, _ := fields[0].(int64); saved != 1 {
			return state.ErrConflict
		}
		is, _ := fields[1].(string)
		rev = state.Rev(is)
		return nil
	})
	switch {
	case err == nil:
		return rev, nil
	case sent && errors.Is(err, state.ErrConflict):
		return state.None, errors.New("the connection was lost, and the document has been changed: whether it was changed by this save first is not known: read it again")
	case errors.Is(err, state.ErrConflict):
		return state.None, err
	case denied(err):
		return state.None, fmt.Errorf("%w: %w", state.ErrReadOnly, s.explain(err))
	case sent:
		return state.None, fmt.Errorf("%w; the document may have been saved: read it again", s.explain(err))
	}
	return state.None, s.explain(err)
}

// Newer implements [driver.Watcher].
func (*store) Newer(a, b state.Rev) bool { return driver.NewerNumber(a, b) }

// Close implements [driver.Store]. What still waits for a server that does not answer ends with its connection, or, on a
// client of the caller's, at its deadline.
func (s *store) Close() error {
	if s.own == nil {
		s.calls.Wait()
		return nil
	}
	s.own.close()
	s.calls.Wait()
	return s.client.Close()
}

// docOf returns the document in a message of save.lua. Whatever else is published is a hint: the zero Doc.
func docOf(message string) state.Doc {
	rev, text, found := strings.Cut(message, "\n")
	number, _, _ := strings.Cut(rev, "-")
	if !found || state.Rev(rev) != revOf(number, text) {
		return state.Doc{}
	}
	return state.Doc{Rev: state.Rev(rev), Data: []byte(text)}
}
