package schema

import (
	"time"

	recess "github.com/recess-go/recess/core"
)

// Instance is one that follows the state.
type Instance struct {
	ID            string               `json:"id"`
	Name          string               `json:"name"`
	Host          string               `json:"host"`
	PID           int                  `json:"pid"`
	Version       string               `json:"version"`
	Epoch         int64                `json:"epoch"`
	Revision      int64                `json:"revision"` // of the state that it decides on
	Follower      recess.FollowerPhase `json:"follower"`
	FollowerSince *time.Time           `json:"follower_since"`
	LastError     string               `json:"last_error"`
	Source        string               `json:"source"` // where it reads the state from; "" if it has one place only
	InFlight      int64                `json:"in_flight"`
	Streams       int64                `json:"streams"`         // of these, long-lived requests
	Closing       int64                `json:"closing"`         // of the streams, those that were told to end
	Held          int64                `json:"held"`            // requests that wait for the end of a window; they are not in flight
	ClockOffset   int64                `json:"clock_offset_ms"` // how far its clock is ahead of the backend's at least
	Remembers     bool                 `json:"remembers"`       // it holds a document that the backend has lost
}

// InstancesOf describes a fleet; the slice is never nil.
func InstancesOf(fleet []recess.Instance) []Instance {
	all := []Instance{}
	for _, i := range fleet {
		all = append(all, Instance{
			i.ID, i.Name, i.Host, i.PID, i.Version, i.Epoch, i.Revision, i.Follower, instant(i.FollowerSince), i.LastError, i.Source, i.InFlight, i.Streams, i.Closing, i.Held, i.ClockOffset,
			len(i.Known) > 0,
		})
	}
	return all
}
