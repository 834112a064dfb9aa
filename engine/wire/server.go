package wire

import (
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"meerkat/engine/loop"
	"meerkat/engine/metric"
	"meerkat/engine/wire/tls"
)

// Options of a Server. The zero value of each field but TLS is its default.
type Options struct {
	TLS    *tls.Server // nil: connections cannot be given TLS
	Logger *slog.Logger

	OutputSoft int           // bytes the kernel has not taken, above which a client's own input waits; 0: 1 MB
	OutputHard int           // above which the client is closed; 0: 4 MB
	Stall      time.Duration // without the kernel taking a byte, after which it is closed; 0: 60 s

	Handshake time.Duration // that a TLS handshake may take; 0: 30 s

	PerAddress      int // unauthenticated connections of an address (IPv6: /64); 0: 100
	Unauthenticated int // in all; 0: 10000

	// Proxies are believed what they say of their clients (PROXY protocol,
	// Conn.Behind).
	Proxies []netip.Prefix

	HotSessions int // TLS sessions per loop whose ciphers are kept ready; 0: 1024
}

func (o *Options) fill() {
	o.OutputSoft = orElse(o.OutputSoft, 1<<20)
	o.OutputHard = orElse(o.OutputHard, 4<<20)
	o.Stall = orElse(o.Stall, time.Minute)
	o.Handshake = orElse(o.Handshake, 30*time.Second)
	o.PerAddress = orElse(o.PerAddress, 100)
	o.Unauthenticated = orElse(o.Unauthenticated, 10_000)
	o.HotSessions = orElse(o.HotSessions, 1024)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

func orElse[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// Server is what all connections share.
type Server struct {
	opt    Options
	group  *loop.Group
	gate   *gate
	shook  *handshakes
	shards []shard // by loop
	next   atomic.Uint32
}

// shard is what the connections of one loop use in turn.
type shard struct {
	cache  *tls.Cache
	plain  []byte // decrypted, until the Upper has taken or wire kept it
	sealed []byte // encrypted, until written
	_      [64]byte
}

// New returns a Server whose connections live on g.
func New(g *loop.Group, opt Options) *Server {
	opt.fill()
	s := &Server{opt: opt, group: g, gate: newGate(opt.PerAddress, opt.Unauthenticated)}
	s.shards = make([]shard, g.Len())
	for i := range s.shards {
		s.shards[i].cache = tls.NewCache(opt.HotSessions)
	}
	metric.NewGaugeFunc("meerkat_wire_unauthenticated", "Connections that have not logged in.",
		func() float64 { return float64(s.gate.inAll()) })
	s.shook = &handshakes{}
	s.shook.add(opt.TLS)
	s.shook.publish()
	return s
}

// With returns a Server that shares its limits with s, for listeners whose
// clients speak something else (ALPN) or come through proxies. It
// is for the time before there are connections.
func (s *Server) With(t *tls.Server, proxies []netip.Prefix) *Server {
	opt := s.opt
	opt.TLS, opt.Proxies = t, proxies
	s.gate.proxies = append(s.gate.proxies, proxies...)
	s.shook.add(t)
	return &Server{opt: opt, group: s.group, gate: s.gate, shook: s.shook, shards: s.shards}
}

// Adopt makes nc, a TCP or Unix connection, a Conn of l. direct says that TLS
// begins with its first byte. It may be called from any goroutine.
func (s *Server) Adopt(nc net.Conn, l *loop.Loop, up Upper, direct bool) {
	s.group.Adopt(nc, l, s.newConn(up, direct))
}

// Pipe connects a loop.Peer to l, for tests over loops in memory.
func (s *Server) Pipe(l *loop.Loop, up Upper, direct bool) *loop.Peer {
	return s.group.Pipe(l, s.newConn(up, direct))
}

func (s *Server) newConn(up Upper, direct bool) *Conn {
	w := &Conn{srv: s, up: up}
	w.timer.Owner = w
	if direct {
		w.mode, w.flags = shaking, fromStart
	}
	return w
}

// pick returns the loop for the next accepted connection, round robin.
func (s *Server) pick() *loop.Loop {
	return s.group.At(int(s.next.Add(1)-1) % s.group.Len())
}
