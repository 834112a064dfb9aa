// Package engine puts the server together: loops, routers, features, streams
// and listeners. What it starts it also stops.
package engine

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime"
	"sync"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/depot"
	"meerkat/engine/feature"
	"meerkat/engine/feature/muc"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/route"
	"meerkat/engine/stream"
	"meerkat/engine/web"
	"meerkat/engine/web/chat"
	"meerkat/engine/wire"
	"meerkat/engine/wire/tls"
	"meerkat/store"
)

// Options are what a Server is made of besides its configuration.
type Options struct {
	Store *store.Store
	// TLS returns the configuration for the next handshake; nil: no TLS.
	TLS func() *stdtls.Config
	// Listeners are those that exist already, by address as in the
	// configuration (socket activation).
	Listeners map[string]net.Listener
	// Group are the loops; nil: made by Config.Loops, and stopped with the
	// server.
	Group  *loop.Group
	Logger *slog.Logger
	// Version is the release, as clients hear it.
	Version string
	// OnSlowTurn hears of loop turns over 100 ms.
	OnSlowTurn func(loop int, d time.Duration)
	// Full reports that nobody more may log in, for want of memory or files. It
	// is asked for each connection, on its loop. nil is never.
	Full func() bool
	// Quit ends the process, to begin anew if restart, as an administrator has
	// ordered. It does not wait. nil: nobody can.
	Quit func(restart bool)
}

// Server is a running server, or one about to be.
type Server struct {
	opt       Options
	config    *config.Config
	group     *loop.Group
	routers   []*route.Router
	throttle  *auth.Throttle
	wire      *wire.Server
	streams   *stream.Shared
	chat      *chat.Page // nil: no chat page, or one of the operator's own
	users     *auth.Accounts
	tokens    *auth.Tokens
	depot     *depot.Depot // of uploaded files
	operator  *muc.Operator
	sweeping  context.CancelFunc
	web       *web.Server  // nil: no HTTP
	webWire   *wire.Server // of its listeners
	listeners []*wire.Listener
	mu        sync.Mutex
}

// New makes a server that does not listen yet.
func New(cfg *config.Config, opt Options) (*Server, error) {
	s := &Server{opt: opt, config: cfg, group: opt.Group}
	if s.opt.Logger == nil {
		s.opt.Logger = slog.Default()
	}
	if err := s.makeLoops(); err != nil {
		return nil, err
	}
	mechanisms, err := s.makeAuth()
	if err != nil {
		return nil, err
	}
	hosts, err := prepare(cfg.Domains)
	if err != nil {
		return nil, err
	}
	if err := s.makeDepot(); err != nil {
		return nil, err
	}
	f := newFeatures(cfg, opt.Store, s.group.Len(), opt.Version, s.group.At(0).Now(), opt.Quit, s.depot)
	s.operator = f.operator
	plan := route.NewPlan(hosts, f.list)
	plan.Outbound, plan.Inbound = f.outbound(), f.inbound()
	plan.PresenceOut, plan.PresenceIn = f.presenceOut(), f.presenceIn()
	plan.FilterOut, plan.FilterIn = f.filterOut(), f.filterIn()
	plan.Notices = f.notices()
	plan.Hides = f.blocking.Hides
	s.routers = route.New(plan, s.group, feature.Env{
		Store: opt.Store, Config: cfg, Users: s.users, Log: s.opt.Logger,
	})
	s.makeStreams(f, mechanisms)
	return s, s.makeWeb()
}

func (s *Server) makeLoops() (err error) {
	if s.group != nil {
		return nil
	}
	cfg := s.config.Loops
	n := cfg.Count
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	s.group, err = loop.New(loop.Options{
		Loops: n, Workers: cfg.Workers, ReadBuffer: int(s.config.Limits.BytesPerTurn),
		Logger: s.opt.Logger, OnSlowTurn: s.opt.OnSlowTurn,
	})
	return err
}

func (s *Server) makeAuth() (*auth.Mechanisms, error) {
	cfg := s.config
	s.users = auth.NewAccounts(s.opt.Store)
	s.throttle = auth.NewThrottle(loginThrottle(cfg))
	secret, err := auth.LoadSecret(s.opt.Store)
	if err != nil {
		return nil, err
	}
	s.tokens = auth.NewTokens(s.users, secret, time.Duration(cfg.SASL.TokenLife))
	return auth.New(auth.Options{
		Names: cfg.SASL.Mechanisms, RequireTLS: cfg.C2S.RequireTLS,
		Backend: s.users, Secret: secret, Iterations: cfg.Limits.ScramIterations,
	})
}

func loginThrottle(cfg *config.Config) auth.ThrottleOptions {
	return auth.ThrottleOptions{
		Failures: cfg.Limits.LoginFailuresPerAddress, Block: time.Duration(cfg.Limits.LoginBlock),
	}
}

func prepare(domains []string) ([]string, error) {
	var hosts []string
	for _, d := range domains {
		h, err := jid.Domain(d)
		if err != nil {
			return nil, fmt.Errorf("domains: %q is no domain: %w", d, err)
		}
		hosts = append(hosts, h.String())
	}
	return hosts, nil
}

func (s *Server) makeStreams(f *features, m *auth.Mechanisms) {
	s.streams = stream.New(stream.Options{
		Config: s.config, Group: s.group,
		Router:     func(l *loop.Loop) *route.Router { return s.routers[l.Index] },
		Mechanisms: m, Throttle: s.throttle,
		Features: f.stream(), PreAuth: f.preAuth, Resume: f.resume(), Inline: f.inline(), Tokens: s.tokens,
		TLS: s.opt.TLS != nil, Full: s.opt.Full,
	})
	lim := &s.config.Limits
	opt := wire.Options{
		Logger:     s.opt.Logger,
		OutputSoft: int(lim.OutputSoft), OutputHard: int(lim.OutputHard), Stall: time.Duration(lim.OutputStall),
		Handshake:  min(30*time.Second, time.Duration(lim.AuthTimeout)),
		PerAddress: unbounded(lim.ConnectionsPerAddress), Unauthenticated: unbounded(lim.Unauthenticated),
	}
	if s.opt.TLS != nil {
		opt.TLS = tls.NewServer(s.opt.TLS, 0)
	}
	s.wire = wire.New(s.group, opt)
}

// unbounded turns the configuration's 0, no limit, into one nobody meets.
func unbounded(limit int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}

// Start listens. An error names the address; what listened before is closed.
func (s *Server) Start() error {
	for _, addr := range s.config.C2S.Listen {
		if err := s.listenXMPP(addr, false); err != nil {
			return err
		}
	}
	for _, addr := range s.config.C2S.DirectTLS {
		if err := s.listenXMPP(addr, true); err != nil {
			return err
		}
	}
	if err := s.listenWeb(); err != nil {
		return err
	}
	s.sweep()
	return nil
}

func (s *Server) listenXMPP(addr string, direct bool) error {
	return s.listen("c2s", addr, s.wire, wire.ListenOptions{
		DirectTLS: direct, New: func() wire.Upper { return s.streams.NewUpper(direct) },
	})
}

func (s *Server) listen(section, addr string, on *wire.Server, opt wire.ListenOptions) error {
	ln := s.opt.Listeners[addr]
	if ln == nil {
		var err error
		if ln, err = wire.Bind(addr); err != nil {
			s.closeListeners()
			return fmt.Errorf("%s: cannot listen on %s: %w", section, addr, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, on.Listen(ln, opt))
	return nil
}

// Addrs returns the addresses listened on, those of STARTTLS first, those of
// HTTP last.
func (s *Server) Addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addrs []string
	for _, l := range s.listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// PipeHTTP is Pipe for a client that speaks HTTP.
func (s *Server) PipeHTTP(l *loop.Loop, secure bool) *loop.Peer {
	return s.webWire.Pipe(l, s.web.NewUpper(), secure)
}

// Pipe connects a client in memory to a loop of a manual Group, for tests.
func (s *Server) Pipe(l *loop.Loop, direct bool) *loop.Peer {
	return s.wire.Pipe(l, s.streams.NewUpper(direct), direct)
}

// Reload brings the options of cfg into effect that can change while the server
// runs. Nobody is disconnected.
func (s *Server) Reload(cfg *config.Config) {
	s.throttle.SetOptions(loginThrottle(cfg))
	s.depot.SetLimits(cfg)
	if s.chat != nil {
		s.chat.Reload(cfg)
	}
	for _, r := range s.routers {
		r.Env().Loop.Post(func() {
			r.Env().Config = cfg
			r.Env().Changes++
		})
	}
}

// Shutdown ends all streams with system-shutdown, waits until what they were
// told has left or ctx ends, and stops the loops. What was acknowledged is in
// the store already.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closeListeners()
	s.streams.Drain()
	if s.sweeping != nil {
		s.sweeping()
	}
	if s.web != nil {
		s.web.Shutdown(ctx)
	}
	return s.group.Stop(ctx)
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		l.Close()
	}
	s.listeners = nil
}

// Beat returns how long ago the slowest loop ended a turn.
func (s *Server) Beat() time.Duration {
	var worst time.Duration
	for _, d := range s.group.Beat() {
		worst = max(worst, d)
	}
	return worst
}
