package recess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// An Instance is what one process with an engine says of itself to the fleet.
type Instance struct {
	// ID is the instance's own for as long as it runs: Config.Instance and a random end, so that a process that is
	// started again under the same name is another instance.
	ID      string `json:"id"`
	Name    string `json:"name"` // Config.Instance
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Version string `json:"version"` // of the program, as the go command recorded it; "" if it did not

	// Epoch and Revision are those of the state it decides on; 0 if that is unnumbered or stands in no document.
	Epoch    int64 `json:"epoch"`
	Revision int64 `json:"revision"`
	// Follower says how much that state is worth, since when, and what went wrong last.
	Follower      FollowerPhase `json:"follower"`
	FollowerSince time.Time     `json:"follower_since"`
	LastError     string        `json:"last_error,omitempty"`
	Source        string        `json:"source,omitempty"` // where it reads the state from, if it has several places
	// Running are the ids of the windows that it refuses for; "ID@START" of a recurring one, START in RFC 3339, so that the
	// occurrences can be told apart.
	Running []string `json:"running,omitempty"`
	// InFlight is how many admitted requests were under way, Earlier how many of these may have been admitted before the
	// windows in Running were in force: it only falls, and at 0 the instance is drained. See [Controller.Drain].
	InFlight int64 `json:"in_flight"`
	Earlier  int64 `json:"earlier,omitempty"`
	// Held is how many requests wait for the end of a window of mode hold; they are not in flight.
	Held int64 `json:"held,omitempty"`
	// Streams is how many long-lived requests were open, Closing how many of these were told to end: those count in
	// Earlier until they do. Of the others some may, see [Controller.Drain].
	Streams int64 `json:"streams,omitempty"`
	Closing int64 `json:"closing,omitempty"`
	// ClockOffset is by how many milliseconds at least its clock is ahead of the backend's (negative: behind), as its last
	// announcement but one has found; 0 while they may agree, and where the backend does not tell its time. Windows begin
	// and end by that much too early there.
	ClockOffset int64 `json:"clock_offset_ms,omitempty"`
	// Oldest is what of the work in Earlier has run the longest, the longest first, at most [MaxOldest]; it says of what
	// there is a name: streams, jobs and, if NamesRequests, other requests.
	Oldest []Work `json:"oldest,omitempty"`
	// NamesRequests is Policy.NameRequests.
	NamesRequests bool `json:"names_requests,omitempty"`
	// ReportOnly is Policy.ReportOnly: the instance refuses nothing, whatever runs.
	ReportOnly bool `json:"report_only,omitempty"`
	// Left says that the instance has ended in good order while a window was running.
	Left bool `json:"left,omitempty"`

	// Known is the document that the instance decides on while the backend offers an older one, none, or one that makes
	// no sense: what it takes to mend a store. Nil while all is well.
	Known json.RawMessage `json:"known,omitempty"`
}

// ErrNoPresence is the answer about a fleet on a backend that does not keep who follows it.
var ErrNoPresence = errors.New("this backend does not keep which instances follow it")

// Fleet returns the instances that follow a backend's document, in the order of their ids: those whose last
// announcement has not expired, and that have not left. An announcement that makes no sense is an instance with its id
// alone.
func Fleet(ctx context.Context, backend state.Backend) ([]Instance, error) {
	fleet, err := announcements(ctx, backend)
	return slices.DeleteFunc(fleet, func(i Instance) bool { return i.Left }), err
}

// announcements is Fleet with those who have just left.
func announcements(ctx context.Context, backend state.Backend) ([]Instance, error) {
	presence, ok := state.As[state.Presence](backend)
	if !ok {
		return nil, fmt.Errorf("recess: %w", ErrNoPresence)
	}
	announced, err := presence.Instances(ctx)
	if err != nil {
		return nil, fmt.Errorf("recess: %w: %w", ErrUnreachable, err)
	}
	fleet := make([]Instance, len(announced))
	for i, a := range announced {
		fleet[i] = decodeInstance(a)
	}
	return fleet, nil
}

// decodeInstance reads an announcement. Whoever can reach the store may have written it.
func decodeInstance(a state.Instance) (i Instance) {
	if err := json.Unmarshal(a.Data, &i); err != nil {
		i = Instance{}
	}
	i.ID = a.ID
	i.Oldest = i.Oldest[:min(len(i.Oldest), MaxOldest)]
	for n := range i.Oldest {
		i.Oldest[n] = Work{printable(i.Oldest[n].Name), min(max(i.Oldest[n].Age, 0), maxAge)}
	}
	return i
}

// Remembered returns the newest state that an instance decides on and the backend has lost, and whose it is. It returns
// false if none has.
func Remembered(fleet []Instance) (state.State, Instance, bool) {
	var (
		newest state.State
		holder Instance
	)
	for _, i := range fleet {
		if len(i.Known) == 0 {
			continue
		}
		s, err := state.Decode(i.Known)
		if err == nil && s.Numbered() && (holder.ID == "" || newest.Older(&s)) {
			newest, holder = s, i
		}
	}
	return newest, holder, holder.ID != ""
}

// occurrence names what runs of a window: see [Instance].Running.
func occurrence(w *state.Window) string {
	if w.Repeat == nil {
		return w.ID
	}
	return w.ID + "@" + w.Start.UTC().Format(time.RFC3339)
}

// newestOf returns the highest numbers that the instances of a fleet know of.
func newestOf(fleet []Instance) (numbers state.State) {
	for _, i := range fleet {
		numbers.Epoch = max(numbers.Epoch, i.Epoch)
		numbers.Revision = max(numbers.Revision, i.Revision)
	}
	return numbers
}
