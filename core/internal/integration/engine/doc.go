// Package engine holds tests of the engine that need libraries: goroutines that must not stay behind (goleak), and
// properties that hold for every policy, state and request (rapid).
package engine
