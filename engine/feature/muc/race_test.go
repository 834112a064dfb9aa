//go:build race

package muc_test

const raceEnabled = true
