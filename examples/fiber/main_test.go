package main

import (
	"testing"

	"github.com/recess-go/recess/examples/internal/shoptest"
)

func TestShop(t *testing.T) { shoptest.Contract(t, shoptest.InProcess(build)) }
