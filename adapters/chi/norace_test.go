//go:build !race

package recesschi_test

const raceEnabled = false
