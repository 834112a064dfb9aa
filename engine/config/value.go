package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written like "256KiB", "1MB" or 1000.
type Size int64

// units ends with the one that divides every size. A size is printed in the
// largest that divides it.
var units = []struct {
	name  string
	bytes int64
}{
	{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// UnmarshalText reads a number with a unit; without one it is bytes. Case does
// not matter, so "kb" is 1000 and "kib" is 1024.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BbKkMmGgTtPpIi ")
	unit := strings.TrimSpace(string(text[len(digits):]))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size like \"256KiB\"", text)
	}
	if unit == "" {
		unit = "B"
	}
	for _, u := range units {
		if strings.EqualFold(u.name, unit) {
			if n > math.MaxInt64/u.bytes {
				return fmt.Errorf("%q is too large", text)
			}
			*s = Size(n * u.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q has an unknown unit: want B, kB, KiB, MB, MiB, GB, GiB, TB, TiB, PB or PiB", text)
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	best := units[len(units)-1]
	for _, u := range units {
		if int64(s)%u.bytes == 0 && u.bytes > best.bytes {
			best = u
		}
	}
	return strconv.FormatInt(int64(s)/best.bytes, 10) + best.name
}

// Duration is a time span, written like "90s", "1h30m" or "7d"; 0 needs no unit.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does, and whole days.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not a time span like \"30s\"", text)
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time span like \"30s\"", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String leaves out the zeros that time.Duration writes: 10m, not 10m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
