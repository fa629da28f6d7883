// Package oracle is the definition of what Recess decides, written down a second time without any of its cleverness: read off
// docs/concepts.md, for policies, states and requests drawn from few values, so that rules and requests meet often. Two
// tests compare with it: one the engine alone (core/internal/integration/engine), one what every adapter sends and runs
// (core/adaptertest).
package oracle
