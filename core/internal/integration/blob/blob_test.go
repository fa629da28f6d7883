// Package blob_test holds what is special about object stores, over a real S3 server.
package blob_test

import (
	"testing"

	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, rigs.New(t, "s3").Harness)
}
