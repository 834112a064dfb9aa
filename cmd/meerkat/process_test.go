package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

// The tests run the real program: this binary is it when asked to be.
const beMeerkat = "MEERKAT_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(beMeerkat) != "" {
		os.Exit(run(terminal{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// patience bounds what must happen, on a busy machine.
const patience = 20 * time.Second

// command prepares the program with args, in dir.
func prepareCommand(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), beMeerkat+"=1", "GORACE=exitcode=99")
	return cmd
}

// meerkat runs a command to its end and returns what it printed and its status.
func meerkat(t *testing.T, dir, input string, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd := prepareCommand(dir, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// text is a buffer that a process writes while a test reads.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// running is a server process.
type running struct {
	t         *testing.T
	dir       string
	cmd       *exec.Cmd
	out, errs text
	ended     chan struct{}
	addrs     []string // STARTTLS first
}

// writeConfig writes a configuration that takes any ports of loopback, with
// more lines after it.
func writeConfig(t *testing.T, dir, more string) {
	t.Helper()
	file := "domains = [\"localhost\"]\ndata = \"data\"\n" +
		"[c2s]\nlisten = [\"127.0.0.1:0\"]\ndirect_tls = [\"127.0.0.1:0\"]\n" +
		"[metrics]\nlisten = \"\"\n[limits]\nscram_iterations = 4096\n" + more
	if err := os.WriteFile(filepath.Join(dir, "meerkat.toml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs "serve" on the configuration in dir and waits until it serves.
func start(t *testing.T, dir string, change ...func(*exec.Cmd)) *running {
	t.Helper()
	cmd := prepareCommand(dir, "serve", "-config", "meerkat.toml")
	for _, c := range change {
		c(cmd)
	}
	r := &running{t: t, dir: dir, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &r.out, &r.errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(r.ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-r.ended })
	line := r.logged(`msg=serving .* listen="?\[([^]]*\]?[^]]*)\]`)
	r.addrs = strings.Fields(line[1])
	return r
}

// logged waits for a line of the log and returns its match.
func (r *running) logged(expression string) []string {
	r.t.Helper()
	re := regexp.MustCompile(expression)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(r.errs.String()); m != nil {
			return m
		}
		select {
		case <-r.ended:
			r.t.Fatalf("ended without logging %s:\n%s", expression, r.errs.String())
		default:
		}
	}
	r.t.Fatalf("did not log %s:\n%s", expression, r.errs.String())
	return nil
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// stop ends the server as systemd does and wants status 0 within 10 s.
func (r *running) stop() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		r.t.Fatalf("still running 10 s after SIGTERM:\n%s", r.errs.String())
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		r.t.Errorf("exit status %d after SIGTERM, want 0:\n%s", code, r.errs.String())
	}
}

// login logs in with a client that nobody here wrote, over STARTTLS.
func login(addr, account, password string) (*xmpp.Session, net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, nil, err
	}
	s, err := xmpp.NewClientSession(ctx, jid.MustParse(account), conn,
		xmpp.StartTLS(&tls.Config{ServerName: "localhost", InsecureSkipVerify: true}),
		xmpp.SASL("", password, sasl.ScramSha256), xmpp.BindResource())
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("%s at %s: %w", account, addr, err)
	}
	return s, conn, nil
}

func mustLogin(t *testing.T, addr, account, password string) net.Conn {
	t.Helper()
	_, conn, err := login(addr, account, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
