package clients

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	domain   = "localhost"
	password = "correct horse"
)

// binary is the server, built once for all tests.
var binary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(status)
}

func build(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "meerkat-clients-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "meerkat")
		out, err := exec.Command("go", "build", "-o", binary.path, "meerkat/cmd/meerkat").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// server is a running binary. It may be stopped and started again; its ports
// then are others.
type server struct {
	t        *testing.T
	dir      string
	starttls string      // host:port
	direct   string      // host:port
	http     string      // host:port, if there is HTTP
	https    string      // host:port
	tls      *tls.Config // of a client that trusts this server only
	cmd      *exec.Cmd
	logs     *logs
}

// newServer starts a server whose configuration has more in it, TOML, than the
// listeners on free ports.
func newServer(t *testing.T, more string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	build(t)
	text := fmt.Sprintf(`domains = [%q]
data = "data"
metrics.listen = ""
log.format = "json"
c2s.listen = ["127.0.0.1:0"]
c2s.direct_tls = ["127.0.0.1:0"]
%s`, domain, more)
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cleanup)
	s.start()
	s.trust()
	return s
}

func (s *server) config() string { return filepath.Join(s.dir, "meerkat.toml") }

// certificate is the self-signed one, in PEM, for clients to trust.
func (s *server) certificate() string { return filepath.Join(s.dir, "data", "self-signed.pem") }

func (s *server) trust() {
	s.t.Helper()
	pem, err := os.ReadFile(s.certificate())
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.tls = &tls.Config{RootCAs: pool, ServerName: domain}
}

// start returns once the server serves.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(binary.path, "serve", "-config", s.config())
	r, w := io.Pipe()
	s.cmd.Stderr = w
	s.logs = &logs{serving: make(chan []string, 1)}
	go s.logs.read(r)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	select {
	case listen := <-s.logs.serving:
		s.starttls, s.direct = listen[0], listen[1]
		if len(listen) == 4 {
			s.http, s.https = listen[2], listen[3]
		}
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the server does not serve after 20 s; it says:\n%s", s.logs)
	}
}

// kill is kill -9.
func (s *server) kill() { _ = s.end(syscall.SIGKILL) }

func (s *server) end(sig syscall.Signal) error {
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(sig); err != nil {
		return err
	}
	late := time.AfterFunc(11*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	return cmd.Wait()
}

func (s *server) cleanup() {
	if s.cmd != nil {
		s.kill()
	}
	if s.t.Failed() {
		s.t.Logf("the server says:\n%s", s.logs)
	}
	if trouble := s.logs.trouble(); trouble != "" {
		s.t.Errorf("the server had trouble:\n%s", trouble)
	}
}

// add makes accounts by the command for it.
func (s *server) add(names ...string) {
	s.t.Helper()
	for _, name := range names {
		cmd := exec.Command(binary.path, "account", "add", "-config", s.config(), "-password-stdin", name+"@"+domain)
		cmd.Stdin = strings.NewReader(password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("account add %s: %v: %s", name, err, out)
		}
	}
}

// logs are what a server writes to its standard error.
type logs struct {
	serving chan []string // gets the addresses listened on

	mu   sync.Mutex
	text bytes.Buffer
	bad  strings.Builder // lines above info
}

type logLine struct {
	Level  string
	Msg    string
	Listen []string
	Alarm  string // what it is an alarm of
}

func (l *logs) read(r io.Reader) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		var line logLine
		err := json.Unmarshal(sc.Bytes(), &line)
		if err == nil && line.Msg == "serving" {
			l.serving <- line.Listen
		}
		l.mu.Lock()
		fmt.Fprintf(&l.text, "%s\n", sc.Bytes())
		if err != nil || line.Level != "INFO" && line.Alarm != "slow_turn" {
			fmt.Fprintf(&l.bad, "%s\n", sc.Bytes())
		}
		l.mu.Unlock()
	}
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// trouble is what an operator would have to look at: no client may cause any. A
// loop that stood still says more of a busy machine than of the clients.
func (l *logs) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bad.String()
}
