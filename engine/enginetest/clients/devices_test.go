//go:build interop

package clients

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevices: a user with two devices, and a friend, with libraries for clients
// that others wrote: login by each way the library has, a session that is resumed
// when its socket is cut (XEP-0198), carbons (XEP-0280), paging through the archive
// (XEP-0313), a picture (XEP-0084, XEP-0153, XEP-0398), bookmarks (XEP-0402,
// XEP-0048, XEP-0411), blocking (XEP-0191), and personal events (XEP-0163).
func TestDevices(t *testing.T) {
	for library, command := range map[string][]string{
		// Debian's own Python: another one does not find Debian's packages.
		"slixmpp": {"/usr/bin/python3", "testdata/slixmpp/devices.py"},
		"aioxmpp": {"/usr/bin/python3", "testdata/aioxmpp/devices.py"},
		"xmppjs":  {"node", "--dns-result-order=ipv4first", "devices.mjs"},
		"stanza":  {"node", "--dns-result-order=ipv4first", "devices.mjs"},
	} {
		t.Run(library, func(t *testing.T) {
			s := newServer(t, quick+"\nhttp.listen = [\"127.0.0.1:0\"]\nhttp.tls_listen = [\"127.0.0.1:0\"]")
			s.add("romeo", "juliet")
			_, port, err := net.SplitHostPort(s.starttls)
			if err != nil {
				t.Fatal(err)
			}
			_, direct, err := net.SplitHostPort(s.direct)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Args = append(cmd.Args, "127.0.0.1", port, s.certificate(), domain, password, "wss://"+local(s.https)+"/ws", direct)
			cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.certificate())
			if command[0] == "node" {
				cmd.Dir = packages(t, library)
			}
			var complaints strings.Builder // of libraries, even where all is well
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if err != nil || !strings.HasSuffix(string(out), "all is well\n") {
				t.Errorf("%v; it says:\n%s%s", err, out, complaints.String())
			}
		})
	}
}

// packages copies a directory of testdata to where npm may install what it needs.
func packages(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS("testdata/"+name)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}
