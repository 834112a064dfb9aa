//go:build race

package main

// raceEnabled says that everything takes some times as long.
const raceEnabled = true
