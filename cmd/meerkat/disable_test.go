package main

import (
	"strings"
	"testing"
	"time"
)

// Who is disabled is out, with the server running or not, and comes back with the
// password of before.
func TestAccountDisable(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	run := func(want string, code int, args ...string) {
		t.Helper()
		out, errs, got := meerkat(t, dir, "secret\n", append(append([]string{"account"}, args...), "-config", "meerkat.toml")...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("%v: got %d, %s%s, want %d, %s", args, got, out, errs, code, want)
		}
	}
	run("added", 0, "add", "romeo@localhost", "-password-stdin")
	run("is disabled", 0, "disable", "romeo@localhost")
	r := start(t, dir)
	if _, conn, err := login(r.addrs[0], "romeo@localhost/x", "secret"); err == nil {
		t.Error("a disabled account got in")
		conn.Close()
	}
	run("is enabled", 0, "enable", "romeo@localhost")
	s, conn, err := login(r.addrs[0], "romeo@localhost/x", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run("is disabled", 0, "disable", "romeo@localhost")
	_ = s.Conn().SetReadDeadline(time.Now().Add(patience))
	until(t, s.Conn(), `not-authorized`)
	run("there is no account nobody@localhost", 1, "disable", "nobody@localhost")
	r.stop()
}
