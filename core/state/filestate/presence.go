package filestate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

var _ state.Presence = (*Backend)(nil)

const (
	// instancesSuffix is added to the state file's name: the directory in which each instance has a file.
	instancesSuffix = ".instances"
	// instanceSuffix ends the names of these files, and keeps the ids "." and ".." from being what they are to the system.
	instanceSuffix = ".instance"
	// halfPrefix begins the names of files that are being written.
	halfPrefix = ".half-"
	// sweepAfter is how long after its end an announcement is removed by somebody else.
	sweepAfter = time.Minute
)

// heading is the first line of an instance's file: for how many milliseconds it counts, from the file's time on.
const heading = "recess-instance 1 %d\n"

// Announce implements [state.Presence], on the file system's clock: an announcement counts from the time of its file.
// It is not brought to the disk: after a power cut nobody is there.
func (b *Backend) Announce(_ context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	err = b.attend("announce", func(dir string) error {
		if err := state.CheckAnnouncement(id, data, ttl); err != nil {
			return err
		}
		if err := makeBeside(dir); err != nil {
			return err
		}
		b.sweepInstances(dir)
		at, err = putInstance(dir, id, data, ttl)
		return err
	})
	return at, err
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(_ context.Context, id string) error {
	return b.attend("withdraw", func(dir string) error {
		if err := state.CheckAnnouncement(id, nil, state.MinTTL); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, id+instanceSuffix)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Instances implements [state.Presence]. It compares the files' times with this machine's clock.
func (b *Backend) Instances(context.Context) (instances []state.Instance, err error) {
	err = b.attend("instances", func(dir string) error {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		now := time.Now()
		for _, entry := range entries {
			id, ours := strings.CutSuffix(entry.Name(), instanceSuffix)
			if !ours || strings.HasPrefix(id, halfPrefix) || !entry.Type().IsRegular() { // a pipe would be waited for
				continue
			}
			data, until, err := readInstance(filepath.Join(dir, entry.Name()))
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoInstance):
			case err != nil:
				return err
			case now.Before(until):
				instances = append(instances, state.Instance{ID: id, Data: data})
			}
		}
		slices.SortFunc(instances, func(a, b state.Instance) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return instances, nil
}

// attend does something in the directory of instances, which need not be there.
func (b *Backend) attend(operation string, do func(dir string) error) error {
	err := b.ctx.Err()
	if err != nil {
		err = state.ErrClosed
	} else {
		var way trail
		switch way, err = follow(b.path); {
		case err != nil:
		case way.missing != "":
			err = fmt.Errorf("the directory %s does not exist: create or mount it", way.missing)
		default:
			dir := way.target + instancesSuffix
			err = advise(do(dir), filepath.Dir(dir))
		}
	}
	if err != nil {
		return fmt.Errorf("filestate: %s %s: %w", operation, b.shown, err)
	}
	return nil
}

// makeBeside makes the directory of instances, for whoever may write where it is.
func makeBeside(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	above, err := os.Stat(filepath.Dir(dir))
	if err == nil {
		err = os.Chmod(dir, above.Mode()&(fs.ModePerm|fs.ModeSticky|fs.ModeSetgid)) // past the umask
	}
	return err
}

// putInstance writes an instance's file, and returns its time.
func putInstance(dir, id string, data []byte, ttl time.Duration) (time.Time, error) {
	half, err := os.CreateTemp(dir, halfPrefix)
	if err != nil {
		return time.Time{}, err
	}
	_, err = fmt.Fprintf(half, heading, (ttl+time.Millisecond-1)/time.Millisecond)
	if err == nil {
		_, err = half.Write(data)
	}
	if err == nil {
		err = half.Chmod(0o644)
	}
	info, errStat := half.Stat()
	if err = errors.Join(err, errStat, half.Close()); err == nil {
		err = os.Rename(half.Name(), filepath.Join(dir, id+instanceSuffix))
	}
	if err != nil {
		return time.Time{}, errors.Join(err, os.Remove(half.Name()))
	}
	return info.ModTime(), nil
}

// errNoInstance is about a file that somebody else has put there.
var errNoInstance = errors.New("it is no announcement")

// readInstance returns what an instance says of itself, and until when.
func readInstance(path string) (data []byte, until time.Time, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := io.ReadAll(io.LimitReader(file, state.MaxReport+100))
	if err != nil {
		return nil, time.Time{}, err
	}
	first, rest, found := strings.Cut(string(text), "\n")
	var millis int64
	if _, err := fmt.Sscanf(first+"\n", heading, &millis); err != nil || !found {
		return nil, time.Time{}, errNoInstance
	}
	return []byte(rest), info.ModTime().Add(time.Duration(millis) * time.Millisecond), nil
}

// sweepInstances removes, once in a while, what has expired long ago, and what was never finished.
func (b *Backend) sweepInstances(dir string) {
	b.mu.Lock()
	now := time.Now()
	due := now.Sub(b.swept) >= sweepAfter
	if due {
		b.swept = now
	}
	b.mu.Unlock()
	if !due {
		return
	}
	entries, _ := os.ReadDir(dir) // another one will, if this one cannot
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if !entry.Type().IsRegular() {
			continue
		}
		if strings.HasPrefix(entry.Name(), halfPrefix) {
			if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > sweepAfter {
				_ = os.Remove(path)
			}
			continue
		}
		if _, until, err := readInstance(path); err == nil && now.Sub(until) > sweepAfter {
			bury(path)
		}
	}
}

// bury removes the file of an instance that has died, unless it has come back to life in this very moment.
func bury(path string) {
	grave := filepath.Join(filepath.Dir(path), halfPrefix+filepath.Base(path))
	if os.Rename(path, grave) != nil {
		return
	}
	if _, until, err := readInstance(grave); err == nil && time.Now().Before(until) {
		_ = os.Link(grave, path) // it fails where it was announced once more
	}
	_ = os.Remove(grave)
}
