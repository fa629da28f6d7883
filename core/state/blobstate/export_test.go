package blobstate

import (
	"os"
	"path/filepath"
)

// Kept is how many revisions stay.
const Kept = kept

// Keep makes a backend keep fewer revisions, so that tests come to the end of them sooner. All backends on one
// prefix must be told the same.
func Keep(b *Backend, n int) { b.store.keep = n }

// BeforeLink has something done before a backend gives its next file its name. An error is the answer in its place.
func BeforeLink(b *Backend, do func(name string) error) {
	b.store.makeLink = func(from, to string) error {
		b.store.makeLink = os.Link
		if err := do(filepath.Base(to)); err != nil {
			return err
		}
		return os.Link(from, to)
	}
}

// AfterLink has something done after a backend has given its next file its name.
func AfterLink(b *Backend, do func()) {
	b.store.makeLink = func(from, to string) error {
		b.store.makeLink = os.Link
		err := os.Link(from, to)
		do()
		return err
	}
}
