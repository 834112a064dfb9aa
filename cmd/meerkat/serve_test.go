package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"meerkat/systemd"
)

func TestServeLogInDrain(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	if _, errs, code := meerkat(t, dir, "secret\n", "account", "add", "romeo@localhost", "-password-stdin", "-config", "meerkat.toml"); code != 0 {
		t.Fatalf("account add: status %d, %s", code, errs)
	}
	r := start(t, dir)
	s, conn, err := login(r.addrs[0], "romeo@localhost", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	heard := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(s.Conn())
		heard <- string(b)
	}()
	r.stop()
	select {
	case got := <-heard:
		if !strings.Contains(got, "<system-shutdown") || !strings.Contains(got, "</stream:stream>") {
			t.Errorf("the client heard %q, want system-shutdown and the end of the stream", got)
		}
	case <-time.After(patience):
		t.Error("the client heard no end")
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "meerkat.sock")); err == nil {
		t.Error("the admin socket is still there")
	}
}

// Rule 24: a peer that reads nothing does not hold up the end.
func TestStopDoesNotWaitForStuckPeers(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	r := start(t, dir)
	for range 3 {
		conn, err := net.Dial("tcp", r.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "<stream:stream to='localhost' xmlns='jabber:client' "); err != nil {
			t.Fatal(err)
		}
	}
	half, err := net.Dial("tcp", r.addrs[1]) // in the middle of a TLS handshake
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := half.Write([]byte{22, 3, 1, 2, 0, 1}); err != nil {
		t.Fatal(err)
	}
	r.stop()
}

// The same with a user who sent until the server stopped reading, and has read
// nothing of what came back.
func TestStopDoesNotWaitForOneWhoDoesNotRead(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "bytes_per_second = 0\n")
	if _, errs, code := meerkat(t, dir, "secret", "account", "add", "romeo@localhost", "-password-stdin", "-config", "meerkat.toml"); code != 0 {
		t.Fatalf("account add: status %d, %s", code, errs)
	}
	r := start(t, dir)
	s, conn, err := login(r.addrs[0], "romeo@localhost", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stanza := "<message to='" + s.LocalAddr().String() + "'><body>" + strings.Repeat("x", 10000) + "</body></message>"
	sent := 0
	for err == nil {
		if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(s.Conn(), stanza)
		sent += len(stanza)
	}
	if sent < 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("after %d bytes: %v, want the server to stop reading after a MiB or more", sent, err)
	}
	r.stop()
}

// Without any configuration: ports, certificate, one account with a password
// told once, and ready in under a second.
func TestFirstRunNeedsNothing(t *testing.T) {
	if readable(systemConfig) {
		t.Fatalf("%s exists on this machine, so a first run cannot be tested", systemConfig)
	}
	for _, port := range []string{":5222", ":5223"} { // another run may be about to end
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if ln, err := net.Listen("tcp", port); err == nil {
				ln.Close()
				break
			}
		}
	}
	dir := t.TempDir()
	for run := range 2 {
		cmd := prepareCommand(dir)
		r := &running{t: t, dir: dir, cmd: cmd, ended: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = &r.out, &r.errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = cmd.Wait(); close(r.ended) }()
		defer cmd.Process.Kill()
		after, err := time.ParseDuration(r.logged(`msg=serving .* after=(\S+)`)[1])
		if err != nil || after > 5*time.Second && !raceEnabled {
			t.Errorf("run %d: ready after %v (%v), want under 1s, or 5s on a busy machine", run, after, err)
		}
		for end := time.Now().Add(patience); !strings.Contains(r.out.String(), "For the next person") && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		greeting := r.out.String()
		password := regexp.MustCompile(`(?m)^  password (\S{23}) `).FindStringSubmatch(greeting)
		if run == 0 {
			if password == nil {
				t.Fatalf("no password in %s", greeting)
			}
			mustLogin(t, "127.0.0.1:5222", localAdmin, password[1])
		} else if password != nil {
			t.Errorf("the second run told a password again:\n%s", greeting)
		}
		for _, want := range []string{":5222 (STARTTLS)", ":5223 (TLS)", "SHA-256 ", "server 127.0.0.1, port 5222", filepath.Join(dir, "data")} {
			if !strings.Contains(greeting, want) {
				t.Errorf("run %d: greeting lacks %q:\n%s", run, want, greeting)
			}
		}
		r.stop()
		if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > time.Second && !raceEnabled {
			t.Errorf("run %d: %v of CPU from start to end, so it cannot be ready within 1s", run, used)
		}
	}
}

// Each row is something that keeps a server from starting: exit status, and one
// line that says which file or port and why.
func TestStartFailsWithOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, row := range map[string]struct {
		prepare func(t *testing.T, dir string)
		code    int
		want    string
	}{
		"used port": {func(t *testing.T, dir string) {
			file := "[c2s]\nlisten = [\"" + taken.Addr().String() + "\"]\ndirect_tls = []\n"
			write(t, filepath.Join(dir, "meerkat.toml"), "data = \"data\"\n"+file)
		}, 1, taken.Addr().String() + ": bind: address already in use"},
		"data is a file": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "data"), "x") }, 1, "data"},
		"damaged database": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "data", "main.db"), strings.Repeat("rubbish ", 4096))
		}, 1, "main.db: damaged"},
		"empty database": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "data", "main.db"), "") }, 1, "main.db: damaged"},
		"missing certificate": {func(t *testing.T, dir string) {
			writeConfig(t, dir, "[tls]\ncertificates = [{cert = \"none.pem\", key = \"none.key\"}]\n")
		}, 1, "none.pem: no such file or directory"},
		"bad certificate": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "a.pem"), "no PEM")
			writeConfig(t, dir, "[tls]\ncertificates = [{cert = \"a.pem\", key = \"a.pem\"}]\n")
		}, 1, "a.pem: failed to find any PEM data"},
		"bad option":   {func(t *testing.T, dir string) { writeConfig(t, dir, "stansa = 1\n") }, 2, `unknown key "limits.stansa": did you mean "stanza"?`},
		"bad domain":   {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "meerkat.toml"), `domains = ["a..b"]`) }, 2, `meerkat.toml: domains has "a..b"`},
		"no such file": {func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "meerkat.toml")) }, 2, "meerkat.toml: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeConfig(t, dir, "")
			row.prepare(t, dir)
			_, errs, code := meerkat(t, dir, "", "serve", "-config", filepath.Join(dir, "meerkat.toml"))
			var ours []string
			for line := range strings.Lines(errs) {
				if strings.HasPrefix(line, "meerkat: ") {
					ours = append(ours, line)
				}
			}
			if code != row.code || len(ours) != 1 || !strings.Contains(ours[0], row.want) {
				t.Errorf("status %d, want %d; want one line with %q:\n%s", code, row.code, row.want, errs)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "")
	r := start(t, dir)
	_, errs, code := meerkat(t, dir, "", "serve", "-config", "meerkat.toml")
	if code != 1 || !strings.Contains(errs, "locked by process ") {
		t.Errorf("status %d, want 1 and who has the lock:\n%s", code, errs)
	}
	if _, errs, code := meerkat(t, dir, "", "status", "-config", "meerkat.toml"); code != 0 {
		t.Errorf("the first server no longer answers: %s", errs)
	}
	r.stop()
}

func TestMetricsPortTakenIsNoReasonToStop(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "meerkat.toml"), "data = \"data\"\n[c2s]\nlisten = [\"127.0.0.1:0\"]\ndirect_tls = []\n[metrics]\nlisten = \""+taken.Addr().String()+"\"\n")
	r := start(t, dir)
	r.logged(`level=WARN msg="no metrics over HTTP"`)
	r.stop()
}

// SIGHUP: new connections get the new certificate, the old one lives on.
func TestReloadKeepsConnections(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir, "first")
	writeConfig(t, dir, "[tls]\ncertificates = [{cert = \"c.pem\", key = \"c.key\"}]\n[log]\nlevel = \"info\"\n")
	r := start(t, dir)
	if got := presented(t, r.addrs[1]); got != "first" {
		t.Errorf("certificate of %s, want first", got)
	}
	old, err := tls.Dial("tcp", r.addrs[1], &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()

	certify(t, dir, "second")
	writeConfig(t, dir, "output_soft = \"2MiB\"\n[tls]\ncertificates = [{cert = \"c.pem\", key = \"c.key\"}]\n[log]\nlevel = \"debug\"\n")
	r.signal(syscall.SIGHUP)
	r.logged(`option=limits.output_soft`)
	r.logged(`msg=reloaded`)
	if got := presented(t, r.addrs[1]); got != "second" {
		t.Errorf("certificate of %s after the reload, want second", got)
	}
	if _, err := io.WriteString(old, "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	old.SetReadDeadline(time.Now().Add(patience))
	if n, err := old.Read(answer); err != nil || !strings.Contains(string(answer[:n]), "<stream:stream") {
		t.Errorf("the connection from before: got %q, %v", answer[:n], err)
	}

	write(t, filepath.Join(dir, "meerkat.toml"), "domains = 3\n")
	r.signal(syscall.SIGHUP)
	r.logged(`level=ERROR msg="nothing was reloaded" err=".*meerkat.toml: line 1`)
	if got := presented(t, r.addrs[1]); got != "second" {
		t.Errorf("certificate of %s after a reload that failed, want second", got)
	}
	r.stop()
}

// presented is the name on the certificate that addr shows.
func presented(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// The service as systemd sees it: sockets of its own, states, the watchdog.
func TestUnderSystemd(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write(t, filepath.Join(dir, "meerkat.toml"), "data = \"data\"\n[c2s]\nlisten = [\""+ln.Addr().String()+"\"]\ndirect_tls = []\n[metrics]\nlisten = \"\"\n")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	states := make(chan string, 100)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := notify.Read(b)
			if err != nil {
				close(states)
				return
			}
			states <- string(b[:n])
		}
	}()
	r := start(t, dir, func(cmd *exec.Cmd) {
		cmd.ExtraFiles = []*os.File{file}
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+notify.LocalAddr().String(), "WATCHDOG_USEC=600000", "LISTEN_FDS=1")
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, cmd.Args...)
		if cmd.Path, err = exec.LookPath("sh"); err != nil {
			t.Fatal(err)
		}
	})
	if len(r.addrs) != 1 || r.addrs[0] != ln.Addr().String() {
		t.Errorf("listens on %v, want what was inherited: %s", r.addrs, ln.Addr())
	}
	want := func(state string) {
		t.Helper()
		for timeout := time.After(patience); ; {
			select {
			case got := <-states:
				if strings.HasPrefix(got, state) {
					return
				}
			case <-timeout:
				t.Fatalf("systemd did not hear %s", state)
			}
		}
	}
	want("EXTEND_TIMEOUT_USEC=")
	want("READY=1\nSTATUS=serving 1 domains")
	want("WATCHDOG=1")
	want("WATCHDOG=1")
	r.signal(syscall.SIGHUP)
	want("RELOADING=1\nMONOTONIC_USEC=")
	want("READY=1")
	r.signal(syscall.SIGTERM)
	want("STOPPING=1")
	<-r.ended
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d:\n%s", code, r.errs.String())
	}
}

// The watchdog is fed only when every loop turns.
func TestWatchdogStarvesWhenALoopStands(t *testing.T) {
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	t.Setenv("NOTIFY_SOCKET", notify.LocalAddr().String())
	manager, err := systemd.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	var log text
	p := &process{manager: manager, log: slog.New(slog.NewTextHandler(&log, nil))}

	p.feed(2*time.Second, time.Second) // a loop has owed a turn for two feeds
	p.feed(time.Second, time.Second)
	if err := manager.Status("end"); err != nil {
		t.Fatal(err)
	}
	var heard []string
	for b := make([]byte, 100); len(heard) == 0 || heard[len(heard)-1] != "STATUS=end"; {
		n, err := notify.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, string(b[:n]))
	}
	if len(heard) != 2 || heard[0] != "WATCHDOG=1" {
		t.Errorf("systemd heard %q, want one WATCHDOG=1 before the end", heard)
	}
	if !strings.Contains(log.String(), "an event loop does not turn") {
		t.Errorf("log: %s", log.String())
	}
}
