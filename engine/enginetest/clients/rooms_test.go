//go:build interop

package clients

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// TestRooms: the life of a room (XEP-0045), with libraries for clients that
// others wrote and their own notion of how rooms behave: create, configure, join,
// talk, history, private messages, nicks, kick, ban, members only, password,
// leave, destroy.
func TestRooms(t *testing.T) {
	for _, library := range []string{"slixmpp", "aioxmpp"} {
		t.Run(library, func(t *testing.T) {
			s := newServer(t, quick)
			s.add("romeo", "juliet", "nurse")
			host, port, err := net.SplitHostPort(s.starttls)
			if err != nil {
				t.Fatal(err)
			}
			// Debian's own Python: another one does not find Debian's packages.
			cmd := exec.Command("/usr/bin/python3", "testdata/"+library+"/rooms.py", host, port, s.certificate(), domain, password)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "all is well\n") {
				t.Errorf("%v; it says:\n%s", err, out)
			}
		})
	}
}
