//go:build race

package recesschi_test

const raceEnabled = true // pools forget on purpose then
