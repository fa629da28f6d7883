// Package cli drives the real recess binary by scripts. It has no code of its own.
package cli
