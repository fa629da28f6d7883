//go:build !race

package recessfiber_test

const raceEnabled = false
