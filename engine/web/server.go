package web

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
)

// Options of a Server.
type Options struct {
	HTTP    *config.HTTP
	Domains []string
	// DirectTLS are the listeners of XEP-0368, for host-meta.json.
	DirectTLS []string
	Group     *loop.Group
	Logger    *slog.Logger

	// Stream returns a new stream for a WebSocket, of whose messages the first
	// ones may have FirstMessage bytes.
	Stream       func() wire.Framed
	FirstMessage int
}

// Server answers HTTP.
type Server struct {
	opt     Options
	proxies []netip.Prefix
	mux     *http.ServeMux
	http    http.Server
	queue   *queue
	heads   []head // by loop
}

// New makes a server that knows /ws and host-meta. Handle adds to that, before
// connections come.
func New(opt Options) (*Server, error) {
	proxies, err := opt.HTTP.Networks()
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, proxies: proxies, mux: http.NewServeMux(), queue: newQueue(), heads: make([]head, opt.Group.Len())}
	s.http.Handler = http.HandlerFunc(s.serve)
	s.http.ConnState = s.connState
	s.http.ConnContext = func(ctx context.Context, nc net.Conn) context.Context { return context.WithValue(ctx, pipeKey{}, nc) }
	s.http.ErrorLog = log.New(io.Discard, "", 0) // what clients cause
	s.http.MaxHeaderBytes = int(opt.HTTP.Head)
	s.describe()
	go s.run()
	return s, nil
}

func (s *Server) run() {
	if err := s.http.Serve(s.queue); !errors.Is(err, http.ErrServerClosed) {
		s.opt.Logger.Error("web: HTTP has ended", "err", err)
	}
}

// Handle has requests for a pattern, as in http.ServeMux, answered by h.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// NewUpper returns the reader of requests of a connection that has just been
// accepted.
func (s *Server) NewUpper() wire.Upper { return &conn{srv: s} }

// Proxies are those that are believed what they say of their clients.
func (s *Server) Proxies() []netip.Prefix { return s.proxies }

// Shutdown lets requests be answered for a second, then ends net/http.
// WebSockets are not its business.
func (s *Server) Shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}

// connState is told by net/http what it does with a connection.
func (s *Server) connState(nc net.Conn, state http.ConnState) {
	if p := nc.(*pipe); state == http.StateIdle {
		p.loop.Post(p.c.answered)
	}
}

type pipeKey struct{}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	requests.Add(0, 1)
	s.locate(r)
	if r.ProtoMinor == 0 {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// locate sets the address of the client in r, and the scheme of the address it
// asked for.
func (s *Server) locate(r *http.Request) {
	p := r.Context().Value(pipeKey{}).(*pipe)
	r.URL.Scheme = "http"
	if p.secure {
		r.URL.Scheme = "https"
	}
	if !p.trusted {
		return
	}
	if client := s.client(strings.Join(r.Header["X-Forwarded-For"], ",")); client.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
	}
	switch r.Header.Get("X-Forwarded-Proto") {
	case "https", "wss":
		r.URL.Scheme = "https"
	}
}
