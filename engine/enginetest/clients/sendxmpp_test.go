//go:build interop

package clients

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSendxmpp: go-sendxmpp sends to a user who is away, and listens.
func TestSendxmpp(t *testing.T) {
	for _, direct := range []bool{false, true} {
		t.Run(map[bool]string{false: "starttls", true: "direct"}[direct], func(t *testing.T) {
			s := newServer(t, "")
			s.add("romeo", "juliet")
			for i := range 3 {
				cmd := sendxmpp(t, s, "romeo", direct, "juliet@"+domain)
				cmd.Stdin = strings.NewReader(fmt.Sprintf("line %d\n", i))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			s.kill()
			s.start()
			lines := listen(t, sendxmpp(t, s, "juliet", direct, "--listen"))
			for i := range 3 {
				hear(t, lines, fmt.Sprintf("line %d", i))
			}
			romeo := slixmpp.login(t, s, "romeo")
			romeo.do(command{Do: "send", To: "juliet@" + domain, Body: "and live", N: 1})
			hear(t, lines, "and live 0")
		})
	}
}

func sendxmpp(t *testing.T, s *server, name string, direct bool, args ...string) *exec.Cmd {
	t.Helper()
	addr, flags := s.starttls, []string{}
	if direct {
		addr, flags = s.direct, []string{"--tls"}
	}
	rc := filepath.Join(t.TempDir(), "rc")
	text := fmt.Sprintf("username: %s@%s\npassword: %s\njserver: %s\n", name, domain, password, strings.Replace(addr, "127.0.0.1", domain, 1))
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go-sendxmpp", append(append(flags, "--file", rc), args...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.certificate())
	return cmd
}

// listen starts cmd and returns the lines it prints.
func listen(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			lines <- sc.Text()
		}
		close(lines)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("go-sendxmpp says: %s", said.String())
		}
	})
	return lines
}

func hear(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	select {
	case got, ok := <-lines:
		if !ok || !strings.Contains(got, want) || !strings.Contains(got, "romeo@"+domain) {
			t.Fatalf("got %q, want %q from romeo", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("got nothing, want %q", want)
	}
}
