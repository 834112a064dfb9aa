package main

import (
	"regexp"
	"testing"
)

// The operator invites, with the server running or not.
func TestAccountInvite(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "[invites]\nlanding = \"https://example.org/i/#\"\n")
	run := func(args ...string) (out, errs string, code int) {
		return meerkat(t, dir, "secret\n", append(append([]string{"account"}, args...), "-config", "meerkat.toml")...)
	}
	if _, errs, code := run("add", "romeo@localhost", "-password-stdin"); code != 0 {
		t.Fatal(errs)
	}
	check := func(t *testing.T, name string) {
		for _, row := range []struct {
			address, want string
			code          int
		}{
			{"", `^https://example.org/i/#localhost\?register;preauth=[a-z2-7]{26}\ngood once, until 20`, 0},
			{"localhost", `#localhost\?register;preauth=`, 0},
			{name + "@localhost", `#` + name + `@localhost\?register;preauth=`, 0},
			{name + "@localhost", `the name is reserved`, 1},
			{"romeo@localhost", `romeo@localhost exists already`, 1},
			{"romeo@elsewhere", `elsewhere is not served here`, 1},
			{"romeo@localhost/x", `want name@domain`, 1},
		} {
			args := []string{"invite"}
			if row.address != "" {
				args = append(args, row.address)
			}
			out, errs, code := run(args...)
			if !regexp.MustCompile(row.want).MatchString(out+errs) || code != row.code {
				t.Errorf("%q: got %d, %s%s, want %d, %s", row.address, code, out, errs, row.code, row.want)
			}
		}
	}
	t.Run("stopped", func(t *testing.T) { check(t, "juliet") })
	r := start(t, dir)
	t.Run("running", func(t *testing.T) { check(t, "nurse") })
	r.stop()
}
