//go:build interop

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWeb lets two people chat over WebSocket and BOSH, in clear and under TLS,
// on the libraries that web pages use. "attach" is Strophe.js with a session
// that one page makes and another takes over, "resume" is @xmpp/client whose
// WebSocket breaks.
func TestWeb(t *testing.T) {
	s := newServer(t, "c2s.require_tls = false\nhttp.listen = [\"127.0.0.1:0\"]\nhttp.tls_listen = [\"127.0.0.1:0\"]")
	s.add("romeo")
	s.add("juliet")
	dir := installWeb(t, "web")
	ways := []string{"ws://" + s.http + "/ws", "wss://" + local(s.https) + "/ws", "http://" + s.http + "/bosh", "https://" + local(s.https) + "/bosh"}
	for _, library := range []string{"xmppjs", "strophe", "stanza", "attach", "resume"} {
		for _, url := range ways {
			scheme, _, _ := strings.Cut(url, ":")
			bosh := strings.HasPrefix(scheme, "http")
			if (library == "xmppjs" || library == "resume") && bosh || library == "attach" && !bosh {
				continue
			}
			t.Run(library+"/"+scheme, func(t *testing.T) {
				cmd := exec.Command("node", "--dns-result-order=ipv4first", "chat.mjs", library, url, domain, password, "50")
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.certificate())
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.HasSuffix(string(out), "good\n") {
					t.Errorf("%v\n%s", err, last(out, 2000))
				}
			})
		}
	}
}

// local is an address of the name in the certificate.
func local(addr string) string { return domain + addr[strings.LastIndex(addr, ":"):] }

func last(out []byte, n int) []byte { return out[max(0, len(out)-n):] }

// installWeb installs a program of testdata with what it needs of npm.
func installWeb(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(binary.dir, name)
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return dir
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}
