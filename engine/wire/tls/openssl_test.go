package tls

import (
	"bufio"
	"bytes"
	ctls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sClient is `openssl s_client`, connected to us. A line to it is data, but K
// asks for a KeyUpdate of both sides, k of one, R renegotiates, Q ends.
type sClient struct {
	t     *testing.T
	stdin io.WriteCloser
	out   *bufio.Reader
	all   bytes.Buffer // what it said until now
	cmd   *exec.Cmd
}

// openssl runs s_client against s and returns both ends.
func openssl(t *testing.T, s *Server, args ...string) (*sClient, *peer, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	args = append([]string{"s_client", "-connect", ln.Addr().String(), "-servername", "test"}, args...)
	c := &sClient{t: t, cmd: exec.Command("openssl", args...)}
	c.stdin, _ = c.cmd.StdinPipe()
	stdout, _ := c.cmd.StdoutPipe()
	c.cmd.Stderr = c.cmd.Stdout
	c.out = bufio.NewReader(io.TeeReader(stdout, &c.all))
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("%v (Debian: apt install openssl)", err)
	}
	timer := time.AfterFunc(20*time.Second, func() { c.cmd.Process.Kill() })
	t.Cleanup(func() {
		c.stdin.Close()
		io.Copy(io.Discard, c.out)
		c.cmd.Wait()
		timer.Stop()
	})
	ln.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	raw, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { raw.Close() })
	p, err := accept(t, s, raw)
	return c, p, err
}

// types writes a line as a person would: s_client takes commands only if they
// come alone.
func (c *sClient) types(line string) { io.WriteString(c.stdin, line+"\n") }

// ends is all that openssl says until it ends.
func (c *sClient) ends() string {
	io.Copy(io.Discard, c.out)
	return c.all.String()
}

// wants reads until a line that ends in text.
func (c *sClient) wants(text string) {
	c.t.Helper()
	for {
		line, err := c.out.ReadString('\n')
		if strings.HasSuffix(strings.TrimSpace(line), text) {
			return
		}
		if err != nil {
			c.t.Fatalf("openssl ended (%v) without %q:\n%s", err, text, c.all.Bytes())
		}
	}
}

// talk sends a line there and another back.
func (c *sClient) talk(p *peer, line string) {
	c.t.Helper()
	c.types(line)
	got, err := p.read(len(line) + 1)
	if err != nil || string(got) != line+"\n" {
		c.t.Fatalf("server read %q, %v, want %q", got, err, line)
	}
	p.write([]byte("re: " + line + "\n"))
	c.wants("re: " + line)
}

func TestOpenSSL(t *testing.T) {
	for i := range suites {
		s := &suites[i]
		t.Run(ctls.CipherSuiteName(s.id), func(t *testing.T) {
			c, p, err := openssl(t, newServer(), opensslArgs(s)...)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.conn.State().Suite; got != s.id && s.id != ctls.TLS_AES_128_GCM_SHA256 {
				t.Errorf("suite %x, want %x", got, s.id)
			}
			c.talk(p, "hello")
			c.talk(p, strings.Repeat("long-line", 5_000))
			if s.tls13() {
				keyUpdatesWith(t, c, p)
			}
			c.types("Q")
			if _, err := p.read(1); err != io.EOF {
				t.Errorf("after Q: %v, want EOF", err)
			}
		})
	}
}

// keyUpdatesWith has s_client change keys, and us.
func keyUpdatesWith(t *testing.T, c *sClient, p *peer) {
	k := p.conn.(*conn)
	for i, command := range []string{"k", "K", "K", "k"} {
		c.types(command)
		c.wants("KEYUPDATE")
		c.talk(p, "after "+command)
		if k.in.epoch != uint32(i+1) {
			t.Errorf("client's keys changed %d times, want %d", k.in.epoch, i+1)
		}
	}
	if k.out.epoch != 2 {
		t.Errorf("our keys changed %d times, want 2", k.out.epoch)
	}
	out, err := k.sealUpdate(p.cache, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.raw.Write(out)
	p.write([]byte("new keys\n"))
	c.wants("new keys")
	c.talk(p, "and back")
	if k.in.epoch != 5 {
		t.Errorf("openssl did not follow our KeyUpdate: %d", k.in.epoch)
	}
}

// opensslArgs makes s_client offer just s.
func opensslArgs(s *suite) []string {
	name := ctls.CipherSuiteName(s.id)
	if s.tls13() {
		return []string{"-tls1_3", "-ciphersuites", name}
	}
	r := strings.NewReplacer("TLS_", "", "_WITH", "", "AES_128", "AES128", "AES_256", "AES256",
		"CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305", "_", "-")
	return []string{"-tls1_2", "-cipher", r.Replace(name)}
}

func TestOpenSSLMayNotRenegotiate(t *testing.T) {
	c, p, err := openssl(t, newServer(), "-tls1_2")
	if err != nil {
		t.Fatal(err)
	}
	c.talk(p, "hello")
	c.types("R")
	var e *Error
	if _, err := p.read(1); !errors.As(err, &e) || e.Alert != NoRenegotiation {
		t.Errorf("got %v, want no_renegotiation", err)
	}
	if said := c.ends(); !strings.Contains(said, "no renegotiation") {
		t.Errorf("openssl does not say why:\n%s", said)
	}
}

// What is not allowed is refused by an alert that openssl prints.
func TestOpenSSLIsRefused(t *testing.T) {
	for _, r := range []struct {
		name, says string
		args       []string
	}{
		{"TLS 1.1", "alert protocol version", []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}},
		{"TLS 1.0", "alert protocol version", []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}},
		{"CBC", "alert handshake failure", []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"}},
		{"no forward secrecy", "alert handshake failure", []string{"-tls1_2", "-cipher", "AES128-GCM-SHA256"}},
		{"DHE", "alert handshake failure", []string{"-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"}},
		{"CCM", "alert handshake failure", []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}},
		{"anonymous", "alert handshake failure", []string{"-tls1_2", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"}},
		{"ALPN", "alert no application protocol", []string{"-alpn", "h2"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			s := newServer(func(c *ctls.Config) { c.NextProtos = []string{"xmpp-client"} })
			c, _, err := openssl(t, s, r.args...)
			if err == nil {
				t.Fatal("was let in")
			}
			if said := c.ends(); !strings.Contains(said, r.says) {
				t.Errorf("server: %v; openssl does not say %q:\n%s", err, r.says, said)
			}
		})
	}
}

// In TLS 1.3 tls-unique is what OpenSSL sends in its Finished, for each hash.
func TestUniqueOfTLS13(t *testing.T) {
	for i := range suites {
		s := &suites[i]
		if !s.tls13() {
			continue
		}
		t.Run(ctls.CipherSuiteName(s.id), func(t *testing.T) {
			c, p, err := openssl(t, newServer(), append(opensslArgs(s), "-msg")...)
			if err != nil {
				t.Fatal(err)
			}
			c.types("Q")
			_, sent, _ := strings.Cut(regexp.MustCompile(`(?s)>>> [^\n]*, Finished\n.*`).FindString(c.ends()), "\n")
			size := s.hash().Size()
			want := strings.Join(strings.Fields(sent)[4:4+size], "")
			if got := fmt.Sprintf("%x", p.conn.State().Unique); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// OpenSSL offers tickets and early data; neither is granted.
func TestOpenSSLGetsNoTicket(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		c, p, err := openssl(t, newServer(), version)
		if err != nil {
			t.Fatal(err)
		}
		c.talk(p, "hello")
		c.types("Q")
		said := c.ends()
		if strings.Contains(said, "session ticket:") || strings.Contains(said, "New Session Ticket arrived") {
			t.Errorf("%s: got a ticket:\n%s", version, said)
		}
	}
}
