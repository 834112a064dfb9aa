package main

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// order has an administrator end the server by command.
func order(t *testing.T, r *running, node string) {
	t.Helper()
	s, raw, err := login(r.addrs[0], "admin@localhost/x", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := s.Conn()
	const open = "<iq type='set' id='1' to='localhost'><command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#%s'"
	fmt.Fprintf(c, open+"/></iq>", node)
	id := until(t, c, `sessionid='([^']*)'`)[1]
	fmt.Fprintf(c, open+" sessionid='%s'><x xmlns='jabber:x:data' type='submit'><field var='delay'><value>0</value></field></x></command></iq>", node, id)
	until(t, c, `status='completed'`)
}

// until reads up to what expression says.
func until(t *testing.T, c net.Conn, expression string) []string {
	t.Helper()
	re := regexp.MustCompile(expression)
	var got strings.Builder
	buf := make([]byte, 4096)
	for _ = c.SetReadDeadline(time.Now().Add(patience)); ; {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if m := re.FindStringSubmatch(got.String()); m != nil {
			return m
		}
		if err != nil && err != io.EOF || n == 0 {
			t.Fatalf("%v before %s in %s", err, expression, got.String())
		}
	}
}

func TestAdministratorsEndTheServer(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "[admin]\naccounts = [\"admin@localhost\"]\n")
	if _, errs, code := meerkat(t, dir, "secret\n", "account", "add", "admin@localhost", "-password-stdin", "-config", "meerkat.toml"); code != 0 {
		t.Fatal(errs)
	}
	r := start(t, dir)
	order(t, r, "restart")
	line := r.logged(`(?s)msg=stopping .*msg=serving .* listen="?\[([^]]*\]?[^]]*)\]`)
	r.addrs = strings.Fields(line[1])
	order(t, r, "shutdown")
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		t.Fatalf("still running:\n%s", r.errs.String())
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
}
