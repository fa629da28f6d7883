package filestate

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// OnLook makes a backend call f after each look at a file. By then it has subscribed to changes, and has read.
func OnLook(b *Backend, f func()) {
	inner := b.read
	b.read = func(path string) (content, error) {
		defer f()
		return inner(path)
	}
}

// OnWatch replaces the way in which a backend makes its watchers.
func OnWatch(b *Backend, f func() (*fsnotify.Watcher, error)) { b.watch = f }

// OnPause replaces the wait for an empty file to be written.
func OnPause(b *Backend, f func(context.Context, time.Duration)) { b.pause = f }

// SetLockWait changes how long Save waits for other writers.
func SetLockWait(b *Backend, d time.Duration) { b.lockWait = d }

// Bury removes an instance's file.
var Bury = bury
