// Package driver makes a [state.Backend] out of the few operations that a store has. Whoever writes a backend says how
// to read the document, how to replace it and, where the store can tell of changes, how to listen ([Store], [Watcher]);
// deadlines, waiting, the watch that all waiters share, the sign of life that it must give, and the end of it all are
// here, once for all backends.
//
// A whole backend is then
//
//	type Backend struct{ *driver.Backend }
//
//	func New(client *mystore.Client) Backend {
//		return Backend{driver.New(&store{client}, driver.Config{Name: "mystate"})}
//	}
//
// and one test that calls [github.com/recess-go/recess/core/state/statetest.Run].
package driver
