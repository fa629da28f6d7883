package statetest

import (
	"bytes"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// stacks returns the stack of every goroutine, as the goroutine profile prints it.
func stacks() []string {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 2); err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(text.String()), "\n\n")
}

func packageOf(b state.Backend) string {
	t := reflect.TypeOf(b)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// goroutinesOf returns the stacks in which a function of one of the packages stands, or that one of them started.
func goroutinesOf(packages []string) []string {
	var found []string
	for _, stack := range stacks() {
		for _, pkg := range packages {
			if strings.Contains(stack, pkg+".") {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}

// moment is how long what nobody tells of is waited for: that goroutines end, or have come to where they wait.
func moment() time.Duration { return min(patience/10, 2*time.Second) }

// untilCalm returns the number of goroutines of the packages, once it is not above the limit or a moment has passed:
// a goroutine that has been told to end needs a moment on the processor.
func untilCalm(packages []string, limit int) int {
	deadline := time.Now().Add(moment())
	for {
		n := len(goroutinesOf(packages))
		if n <= limit || time.Now().After(deadline) {
			return n
		}
		runtime.Gosched()
	}
}

// untilParked returns once n goroutines wait inside the backend's Next, so that what the test does then meets them
// waiting and not on their way. It asserts nothing: a backend that waits where no stack shows it costs a moment.
func untilParked(b state.Backend, n int) {
	t := reflect.TypeOf(b)
	frame := packageOf(b) + "." + t.Name() + ".Next("
	if t.Kind() == reflect.Pointer {
		frame = packageOf(b) + ".(*" + t.Elem().Name() + ").Next("
	}
	for deadline := time.Now().Add(moment()); time.Now().Before(deadline); runtime.Gosched() {
		parked := 0
		for _, stack := range stacks() {
			header, _, _ := strings.Cut(stack, "\n")
			inNext := strings.Contains(stack, frame) || strings.Contains(stack, driverNext)
			if inNext && !strings.Contains(header, "[run") && !strings.Contains(header, "[syscall") {
				parked++
			}
		}
		if parked >= n {
			return
		}
	}
}

// driverNext is where a backend waits that is made by state/driver.
const driverNext = "/state/driver.(*Backend).await("
