package faults

import (
	"bytes"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/rigs"
)

// pushes says what a piece of data looks like in which a server tells of a change.
var pushes = map[string]func(piece []byte) bool{
	"redis":    contains("message\r\n"),                                              // the kind of a message to a subscriber
	"nats":     contains("$JS.ACK."),                                                 // where a consumer's message could be acknowledged
	"etcd":     contains(`"epoch"`),                                                  // the document itself
	"postgres": func(piece []byte) bool { return len(piece) > 0 && piece[0] == 'A' }, // a NotificationResponse
}

func contains(words string) func([]byte) bool {
	return func(piece []byte) bool { return bytes.Contains(piece, []byte(words)) }
}

// pushed returns what the rig's server sends to tell of a change.
func pushed(t *testing.T, rig rigs.Rig) func(piece []byte) bool {
	t.Helper()
	match := pushes[rig.Name]
	if match == nil {
		t.Fatalf("it is not known how %s tells of a change: add it to pushes", rig.Name)
	}
	return match
}
