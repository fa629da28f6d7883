// Package state holds the one small document that every instance follows: what it says, how it is written
// down, and the port behind which it is kept.
//
// A [State] lists the windows that run and that are planned, numbered by an epoch and a revision. [Encode] and
// [Decode] are its only codec, for every backend. A [Backend] moves the encoded bytes and compares revisions; it
// never looks inside. The backends live in sub-packages (memstate, envstate, filestate) and in modules of their
// own (redisstate, pgstate, …); statetest is the suite that each of them passes.
package state
