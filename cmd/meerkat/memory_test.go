package main

import (
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A server whose collector may not have what even an empty one needs stands for
// one that is full: it says so, refuses who comes, and goes on.
func TestWithoutMemoryLoginsAreRefusedAndTheServerLives(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	r := start(t, dir, func(c *exec.Cmd) { c.Env = append(c.Env, "GOMEMLIMIT=1MiB") })
	r.logged(`level=ERROR msg="there is no memory for more sessions; .*" alarm=memory do="see what this box can hold: meerkat plan`)
	for _, addr := range r.addrs[:1] {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		got, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(got), "<resource-constraint ") || !strings.HasSuffix(string(got), "</stream:stream>") {
			t.Errorf("a newcomer reads %q, %v", got, err)
		}
	}
	out, errs, code := meerkat(t, dir, "", "status", "-config", "meerkat.toml")
	if code != 0 || !strings.Contains(out, "critical: there is no memory for more sessions") {
		t.Errorf("status says %q %q", out, errs)
	}
	r.stop()
}

// memory = 0 turns the judging off.
func TestMemoryLimitCanBeLifted(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "memory = 0\n")
	r := start(t, dir, func(c *exec.Cmd) { c.Env = append(c.Env, "GOMEMLIMIT=1MiB") })
	if _, errs, code := meerkat(t, dir, "secret-of-the-test\n", "account", "add", "romeo@localhost", "-password-stdin", "-config", "meerkat.toml"); code != 0 {
		t.Fatal(errs)
	}
	time.Sleep(memoryEvery + memoryEvery/2) // it has been looked at
	mustLogin(t, r.addrs[0], "romeo@localhost", "secret-of-the-test")
	r.stop()
}
