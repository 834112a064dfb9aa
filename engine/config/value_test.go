package config

import (
	"testing"
	"time"
)

func TestSizeReadsUnitsAndWritesTheLargest(t *testing.T) {
	for _, row := range []struct {
		in   string
		n    Size
		text string
	}{
		{"0", 0, "0"}, {"1", 1, "1B"}, {"10000B", 10000, "10kB"}, {"100kB", 100000, "100kB"},
		{"256KiB", 262144, "256KiB"}, {"256 kib", 262144, "256KiB"}, {"1MB", 1000000, "1MB"},
		{"4MiB", 4 << 20, "4MiB"}, {"10GB", 10000000000, "10GB"}, {"1PiB", 1 << 50, "1PiB"}, {"8191PiB", 8191 << 50, "8191PiB"},
	} {
		var s Size
		if err := s.UnmarshalText([]byte(row.in)); err != nil || s != row.n || s.String() != row.text {
			t.Errorf("%q: got %d, %q, %v, want %d, %q", row.in, s, s, err, row.n, row.text)
		}
	}
	for _, in := range []string{"", "B", "kB", "-1", "1.5MB", "1XB", "1iB", "8192PiB", "99999999999999999999", "1 MB MB"} {
		var s Size
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: got %d, want an error", in, s)
		}
	}
}

func TestDurationReadsDaysAndWritesNoZeros(t *testing.T) {
	for _, row := range []struct {
		in   string
		d    time.Duration
		text string
	}{
		{"0", 0, "0s"}, {"60s", time.Minute, "1m"}, {"10m", 10 * time.Minute, "10m"}, {"1h", time.Hour, "1h"},
		{"1h30m", 90 * time.Minute, "1h30m"}, {"7d", 168 * time.Hour, "168h"}, {"1500ms", 1500 * time.Millisecond, "1.5s"},
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(row.in)); err != nil || time.Duration(d) != row.d || d.String() != row.text {
			t.Errorf("%q: got %v, %v, want %v", row.in, d, err, row.text)
		}
	}
	for _, in := range []string{"", "30", "-1s", "-1d", "d", "99999d", "soon"} {
		var d Duration
		if err := d.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q: got %v, want an error", in, d)
		}
	}
}
