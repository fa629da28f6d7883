// Package overlap holds the experiment behind the promise of "recess on --drain": it returns 0 only when no request that
// was admitted before runs any more on any instance that is drained. Six processes on four frameworks serve visitors all
// along, and keep a journal of when each request's handler began and ended. Meanwhile migrations come and go, and
// processes are killed and frozen. In the end the journals are laid beside the migrations.
package overlap
