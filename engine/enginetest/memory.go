package enginetest

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"meerkat/engine"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/store"
)

// loops of an engine: more than one, so that accounts live on different ones.
const loops = 3

// start is when the clock of an engine in memory begins.
var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// memory is an engine over loops in memory and a store on disk.
type memory struct {
	t      testing.TB
	cfg    *config.Config
	dir    string
	store  *store.Store
	group  *loop.Group
	server *engine.Server // nil until somebody needs it
	dialed int
	seed   func(st *store.Store) error // of PlayOver, until it has run
	// patience bounds the wait for what other goroutines do, handshakes of TLS.
	patience time.Duration
	logs     slog.Handler
}

func newEngine(t testing.TB) *memory {
	m := &memory{t: t, cfg: config.Default(), dir: t.TempDir(), patience: 5 * time.Second, logs: complaints{t}}
	m.cfg.Domains = []string{Domain}
	m.cfg.C2S.RequireTLS = false
	m.cfg.Limits.ScramIterations = auth.MinIterations
	t.Cleanup(func() {
		if m.server != nil {
			m.stop()
		}
	})
	return m
}

func (m *memory) configure(text string) error {
	if m.server != nil {
		return errors.New("the server is running already")
	}
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(m.cfg); err != nil {
		return err
	}
	return errors.Join(m.cfg.Check()...)
}

// run starts the server, unless it runs.
func (m *memory) run() (err error) {
	if m.server != nil {
		return nil
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if m.store, err = store.Open(store.Options{Dir: m.dir, Logger: quiet, MapSize: 64 << 20}); err != nil {
		return err
	}
	if m.seed != nil {
		if err := m.seed(m.store); err != nil {
			return err
		}
		m.seed = nil
	}
	now := start
	if m.group != nil {
		now = m.group.At(0).Now()
	}
	m.group = loop.NewManual(loops, now)
	m.server, err = engine.New(m.cfg, engine.Options{
		Store: m.store, Group: m.group, Logger: slog.New(m.logs), Version: "test",
		TLS: func() *stdtls.Config { return serverTLS() },
	})
	return err
}

// stop ends the server as a signal does. What its clients were told can still
// be read.
func (m *memory) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.server.Shutdown(ctx); err != nil {
		m.t.Errorf("shut down: %v", err)
	}
	if err := m.store.Close(); err != nil {
		m.t.Errorf("close the store: %v", err)
	}
	m.server = nil
}

func (m *memory) restart() error {
	if m.server != nil {
		m.settle()
		m.stop()
	}
	return m.run()
}

// crash ends the server amid whatever it does: its loops never turn again. What
// it had given to the store gets there.
func (m *memory) crash() error {
	if m.server != nil {
		if err := m.store.Close(); err != nil {
			return err
		}
		m.server = nil
	}
	return m.run()
}

func (m *memory) account(bare, password string) error {
	if err := m.run(); err != nil {
		return err
	}
	err := engine.OpenAccounts(m.store, m.cfg).Add(bare, password)
	if errors.Is(err, auth.ErrExists) {
		return nil
	}
	return err
}

func (m *memory) dial(direct bool) (pipe, error) {
	if err := m.run(); err != nil {
		return nil, err
	}
	m.dialed++
	peer := m.server.Pipe(m.group.At(m.dialed%loops), direct)
	m.settle()
	p := &memoryPipe{Peer: peer}
	if direct {
		return m.secure(p)
	}
	return p, nil
}

// settle turns until nothing is left to do, the store's writer included.
func (m *memory) settle() {
	if m.server == nil {
		return
	}
	for {
		m.group.Turn()
		for m.store.Stats().Queue > 0 {
			time.Sleep(50 * time.Microsecond)
		}
		if !m.group.Turn() {
			return
		}
	}
}

func (m *memory) until(ok func() bool) bool {
	m.settle()
	if !ok() && m.server != nil { // for what waits a moment to go out with something else
		m.group.Advance(loop.Tick)
	}
	for end := time.Now().Add(m.patience); !ok(); {
		if m.server == nil || time.Now().After(end) {
			return false
		}
		if !m.group.Turn() {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return true
}

func (m *memory) sleep(d time.Duration) { m.group.Advance(d) }

func (m *memory) secure(p pipe) (pipe, error) {
	under := p.(*memoryPipe)
	c := &peerConn{p: under, m: m, wait: true}
	t := &tlsPipe{memoryPipe: under, conn: stdtls.Client(c, clientTLS())}
	if err := t.conn.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	c.wait = false
	m.settle()
	return t, nil
}

// memoryPipe is a connection in clear.
type memoryPipe struct{ *loop.Peer }

func (p *memoryPipe) Send(b []byte) { p.Write(b) } // an error shows when nothing comes

func (p *memoryPipe) Ended() bool { return p.Peer.Ended() || p.Peer.Closed() }

// tlsPipe is a connection under TLS.
type tlsPipe struct {
	*memoryPipe
	conn *stdtls.Conn
	end  bool
}

func (p *tlsPipe) Send(b []byte) { p.conn.Write(b) } // an error shows when nothing comes

func (p *tlsPipe) Read() (all []byte) {
	buf := make([]byte, 4096)
	for {
		n, err := p.conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			p.end = p.end || !errors.Is(err, errNothing)
			return all
		}
	}
}

func (p *tlsPipe) Ended() bool { return p.end }

// peerConn lets crypto/tls use a Peer. Only the handshake waits for what comes.
type peerConn struct {
	p    *memoryPipe
	m    *memory
	wait bool
	got  []byte
}

// errNothing says that there is nothing to read now. It is temporary, so that
// crypto/tls forgets it.
var errNothing net.Error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing to read" }
func (nothing) Timeout() bool   { return false }
func (nothing) Temporary() bool { return true }

func (c *peerConn) Read(b []byte) (int, error) {
	arrived := func() bool {
		c.got = append(c.got, c.p.Peer.Read()...)
		return len(c.got) > 0 || c.p.Ended()
	}
	if ok := arrived(); !ok && c.wait {
		c.m.until(arrived)
	}
	n := copy(b, c.got)
	c.got = c.got[n:]
	switch {
	case n > 0:
		return n, nil
	case c.p.Ended():
		return 0, io.EOF
	}
	return 0, errNothing
}

func (c *peerConn) Write(b []byte) (int, error) {
	c.p.Send(b)
	return len(b), nil
}

func (c *peerConn) Close() error                     { c.p.Close(); return nil }
func (c *peerConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *peerConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *peerConn) SetDeadline(time.Time) error      { return nil }
func (c *peerConn) SetReadDeadline(time.Time) error  { return nil }
func (c *peerConn) SetWriteDeadline(time.Time) error { return nil }
