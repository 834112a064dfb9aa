package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	ctls "crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"meerkat/engine/loop"
	"meerkat/engine/wire/tls"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// scribe is an Upper that writes down what it is told. bytes, if set, says how
// many bytes it takes.
type scribe struct {
	w     *Conn
	heard strings.Builder
	bytes func(w *Conn, in []byte) int
	flush func(w *Conn)
	err   error
	ended bool
}

func (s *scribe) Opened(w *Conn) { s.w = w; s.heard.WriteString("opened|") }
func (s *scribe) Bytes(w *Conn, in []byte) int {
	n := len(in)
	if s.bytes != nil {
		n = s.bytes(w, in)
	}
	s.heard.Write(in[:n])
	s.heard.WriteByte('|')
	return n
}
func (s *scribe) Flush(w *Conn) {
	if s.flush != nil {
		s.flush(w)
	}
}
func (s *scribe) Secured(*Conn)             { s.heard.WriteString("secured|") }
func (s *scribe) Closed(_ *Conn, err error) { s.err, s.ended = err, true }
func (s *scribe) want(t *testing.T, want string) {
	t.Helper()
	if got := s.heard.String(); got != want {
		t.Errorf("upper heard\n got %q\nwant %q", got, want)
	}
	s.heard.Reset()
}

// memory returns a Server over loops in memory, with TLS.
func memory(t testing.TB, loops int, opt Options) (*loop.Group, *Server) {
	g := loop.NewManual(loops, epoch)
	opt.TLS = newTLS(t)
	return g, New(g, opt)
}

// real returns a Server over gnet that the end of the test stops.
func real(t testing.TB, loops int, opt Options) (*loop.Group, *Server) {
	t.Helper()
	g, err := loop.New(loop.Options{Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	opt.TLS = newTLS(t)
	return g, New(g, opt)
}

func listen(t testing.TB, s *Server, opt ListenOptions) string {
	t.Helper()
	ln, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := s.Listen(ln, opt)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

func newTLS(t testing.TB) *tls.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &ctls.Config{Certificates: []ctls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return tls.NewServer(func() *ctls.Config { return cfg }, 2)
}

var clientConfig = &ctls.Config{InsecureSkipVerify: true, ServerName: "test"}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// peerConn makes a net.Conn of a Peer, for a crypto/tls client that runs on the
// test's goroutine: Read turns the loops until there is something.
type peerConn struct {
	net.Conn // nil: what is not here is not used
	g        *loop.Group
	p        *loop.Peer
	in       []byte
	tap      func(b []byte) // takes what is written, in p's place
	once     bool           // Read does not wait
}

func (c *peerConn) Read(b []byte) (int, error) {
	ok := c.once || c.g.TurnUntil(func() bool {
		c.in = append(c.in, c.p.Read()...)
		return len(c.in) > 0 || c.p.Ended()
	})
	if !ok || len(c.in) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *peerConn) Write(b []byte) (int, error) {
	if c.tap != nil {
		c.tap(b)
		return len(b), nil
	}
	return c.p.Write(b)
}
func (c *peerConn) SetWriteDeadline(time.Time) error { return nil }
func (c *peerConn) SetDeadline(time.Time) error      { return nil }
func (c *peerConn) Close() error                     { c.p.Close(); return nil }
