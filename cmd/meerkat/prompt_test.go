package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pty makes a terminal: what is typed is written to keyboard.
func pty(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

func TestPasswordIsAskedForTwice(t *testing.T) {
	for _, row := range []struct {
		typed, password, err string
		madeUp               bool
	}{
		{"secret\nsecret\n", "secret", "", false},
		{"secret\nsecrte\n", "", "the two passwords differ; nothing was changed", false},
		{"\n", "", "", true},
	} {
		keyboard, tty := pty(t)
		go func() { _, _ = io.Copy(io.Discard, keyboard) }() // ends when the terminal closes
		if _, err := io.WriteString(keyboard, row.typed); err != nil {
			t.Fatal(err)
		}
		var prompts strings.Builder
		got, madeUp, err := newPassword(terminal{in: tty, err: &prompts}, false, "romeo@localhost")
		if row.err == "" && err != nil || row.err != "" && (err == nil || err.Error() != row.err) {
			t.Errorf("%q: got error %v, want %q", row.typed, err, row.err)
		}
		if madeUp != row.madeUp || !madeUp && got != row.password || madeUp && len(got) != 23 {
			t.Errorf("%q: got %q, made up %v, want %q, %v", row.typed, got, madeUp, row.password, row.madeUp)
		}
		if !strings.HasPrefix(prompts.String(), "Password for romeo@localhost") {
			t.Errorf("%q: prompts %q", row.typed, prompts.String())
		}
	}
}
