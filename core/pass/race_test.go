//go:build race

package pass_test

const raceEnabled = true // pools forget on purpose
