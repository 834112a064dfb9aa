//go:build interop

package clients

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestChatPage has two people meet on the chat page, each in a Chromium of their
// own (playwright-core drives it): contacts, messages, a picture, rooms. With
// -artifacts the pictures of what they saw are kept.
func TestChatPage(t *testing.T) { talk(t, "destroy") }

// TestChatPageWithoutSockets has them where no WebSocket gets through, as some
// proxies are: the page falls back to BOSH.
func TestChatPageWithoutSockets(t *testing.T) { talk(t, "reload", "nosocket") }

func talk(t *testing.T, step string, how ...string) {
	port := httpsPort(t)
	s := newServer(t, fmt.Sprintf("http.listen = [\"127.0.0.1:0\"]\nhttp.tls_listen = [\"127.0.0.1:%s\"]", port))
	s.add("romeo")
	s.add("juliet")
	shots := t.ArtifactDir()
	args := []string{"talk.mjs", "https://" + net.JoinHostPort(domain, port) + "/", domain, password, s.keyHash(), shots, step}
	cmd := exec.Command("node", append(args, how...)...)
	cmd.Dir = installWeb(t, "browser")
	out, err := s.watch(cmd)
	if err == nil && strings.HasSuffix(out, "good\n") {
		return
	}
	t.Errorf("%v\n%s", err, last([]byte(out), 4000))
	for _, who := range []string{"romeo", "juliet"} {
		stream, _ := os.ReadFile(filepath.Join(shots, who+".xml"))
		t.Logf("the last that %s's page sent and got:\n%s", who, last(stream, 3000))
	}
}

// watch runs a program, kills the server and starts a new one when it asks for
// that, and returns what else it says.
func (s *server) watch(cmd *exec.Cmd) (said string, err error) {
	s.t.Helper()
	in, out := run(s.t, cmd)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if sc.Text() != "kill the server" {
			said += sc.Text() + "\n"
			continue
		}
		s.kill()
		s.start()
		if _, err := io.WriteString(in, "done\n"); err != nil {
			return said, err
		}
	}
	return said, nil
}

// keyHash is what a browser knows this server's certificate by.
func (s *server) keyHash() string {
	s.t.Helper()
	text, err := os.ReadFile(s.certificate())
	if err != nil {
		s.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// TestChatPageIsWhatNpmHas makes the page's files anew from their packages.
func TestChatPageIsWhatNpmHas(t *testing.T) {
	const dir = "../../web/chat"
	out := filepath.Join(t.TempDir(), "assets.zip")
	cmd := exec.Command("go", "run", "./pack", out)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, last(text, 2000))
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "assets.zip")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s/assets.zip has %d bytes, npm makes %d (%v); type: go generate ./engine/web/chat", dir, len(got), len(want), err)
	}
}
