package filestate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A sight is what a backend saw last in the file's place. It tells a touch from a truncation.
type sight int

const (
	nothing   sight = iota
	touched         // an empty file where nothing was: the word for on
	written         // a file with content
	truncated       // an empty file where content was
)

// settling is how long a file that is empty may be about to be written: a shell's "echo off > file" makes it empty
// first, and who looks in between must not take the site down for that.
const settling = 50 * time.Millisecond

// A content is what was found in the file's place.
type content struct {
	exists bool
	raw    []byte
	age    time.Duration
}

// errUnsettled says that a file has just become empty, and that there was no time to see whether it will be written.
var errUnsettled = errors.New("the file has just become empty, and the wait for what is written to it was cut short")

// look reads the file and says what it means. A context that ends while an empty file is given its time leaves open
// what that means: the error is errUnsettled.
func (b *Backend) look(ctx context.Context) (state.Doc, error) {
	doc, unsettled, err := b.glance(false)
	if unsettled > 0 {
		b.pause(ctx, unsettled)
		doc, unsettled, err = b.glance(ctx.Err() == nil)
	}
	if unsettled > 0 {
		return state.Doc{}, fmt.Errorf("%w: %w", errUnsettled, ctx.Err())
	}
	return doc, err
}

// glance reads once, and returns how long an empty file should be given before it is believed.
func (b *Backend) glance(believe bool) (state.Doc, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, err := b.read(b.path)
	if err != nil {
		return state.Doc{}, 0, err
	}
	if found.exists && len(found.raw) == 0 && found.age >= 0 && found.age < settling && !believe {
		return state.Doc{}, settling - found.age, nil
	}
	doc, err := b.interpret(found)
	return doc, 0, err
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// interpret says what a content means in the backend's format, after what was seen before. The caller holds b.mu.
func (b *Backend) interpret(found content) (state.Doc, error) {
	if !found.exists {
		b.saw = nothing
		return state.Doc{}, nil
	}
	empty := len(found.raw) == 0
	switch {
	case !empty:
		b.saw = written
	case b.saw == written:
		b.saw = truncated
	case b.saw == nothing:
		b.saw = touched
	}
	doc := state.Doc{Rev: rev(found.raw), Data: found.raw}
	var means state.State
	if b.format == Django {
		s, err := state.DecodeDjango(found.raw)
		if err != nil {
			return doc, nil // judging it is the reader's work, as in the native format
		}
		means = s
	} else {
		on, word := state.ParseWord(string(found.raw))
		if !word && (!empty || b.saw != touched) {
			return doc, nil
		}
		means = state.Switched(on || empty, time.Time{}, time.Time{})
	}
	data, err := state.Encode(means)
	doc.Data = data
	return doc, err
}

// rev names a content by its hash.
func rev(raw []byte) state.Rev {
	sum := sha256.Sum256(raw)
	return state.Rev(hex.EncodeToString(sum[:8]))
}

// read returns what stands in the place of the file now, of which at most one byte more than a document may have.
func read(path string) (content, error) {
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{}, missing(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return content{}, fmt.Errorf("%w: it must be readable by %s", err, user())
	}
	if err != nil {
		return content{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return content{}, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, state.MaxSize+1))
	return content{exists: true, raw: raw, age: time.Since(info.ModTime())}, err
}

// open opens a regular file. It looks twice before it calls one missing: between finding a link and following it, the
// directory behind the link may have been replaced and removed, as the kubelet does with a ConfigMap's.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file") // opening a pipe would wait for its writer
	}
	return os.Open(path)
}

// missing tells a missing file, which is a state, from a missing directory (an unmounted volume), which is a fault.
func missing(path string) error {
	way, err := follow(path)
	if err != nil {
		return err
	}
	if way.missing != "" {
		return fmt.Errorf("the directory %s does not exist: create or mount it", way.missing)
	}
	if _, err := os.Stat(filepath.Dir(way.target)); err != nil {
		return err
	}
	return nil
}

// user names this process as the owner of a right.
func user() string {
	if uid := os.Geteuid(); uid >= 0 {
		return fmt.Sprintf("uid %d", uid)
	}
	return "this process"
}
