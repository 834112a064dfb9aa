package engine

import (
	stdtls "crypto/tls"
	"sync/atomic"

	"meerkat/engine/web"
	"meerkat/engine/web/bosh"
	"meerkat/engine/web/chat"
	"meerkat/engine/web/landing"
	"meerkat/engine/web/upload"
	"meerkat/engine/wire"
	"meerkat/engine/wire/tls"
)

// makeWeb makes what answers HTTP, if anything is to listen for it.
func (s *Server) makeWeb() (err error) {
	cfg := &s.config.HTTP
	if len(cfg.Listen)+len(cfg.TLSListen) == 0 {
		return nil
	}
	s.web, err = web.New(web.Options{
		HTTP: cfg, Domains: s.config.Domains, DirectTLS: s.config.C2S.DirectTLS,
		Group: s.group, Logger: s.opt.Logger,
		Stream: s.streams.NewFramed, FirstMessage: s.streams.FirstMessage(),
	})
	if err != nil {
		return err
	}
	var t *tls.Server
	if s.opt.TLS != nil {
		t = tls.NewServer(forHTTP(s.opt.TLS), 0)
	}
	s.webWire = s.wire.With(t, s.web.Proxies())
	return s.handleWeb()
}

// handleWeb says who answers which requests.
func (s *Server) handleWeb() error {
	cfg := &s.config.HTTP
	if cfg.BOSH {
		s.web.Handle("/bosh", bosh.New(bosh.Options{
			HTTP: cfg, Group: s.group, Wire: s.wire, Limits: s.streams.Limits(),
			Stream: s.streams.NewFramed, FirstMessage: s.streams.FirstMessage(),
		}))
	}
	if s.config.Uploads() {
		s.web.Handle(upload.Prefix, upload.New(upload.Options{Depot: s.depot, HTTP: cfg, Logger: s.opt.Logger}))
	}
	if s.config.Invites.Page {
		s.web.Handle(landing.Prefix, landing.Handler())
	}
	if cfg.Chat {
		return s.handleChat()
	}
	return nil
}

// handleChat has the chat page answer whatever nobody else does.
func (s *Server) handleChat() error {
	cfg := &s.config.HTTP
	if cfg.ChatDir != "" {
		page, err := chat.Dir(cfg.ChatDir)
		if err == nil {
			s.web.Handle("/", page)
		}
		return err
	}
	page, err := chat.New(chat.Options{
		HTTP: cfg, Domains: s.config.Domains, Rooms: s.config.Rooms.Name, Domain: s.web.Domain, Base: s.web.Base,
	})
	if err != nil {
		return err
	}
	page.Reload(s.config)
	s.chat = page
	s.web.Handle("/", page)
	return nil
}

// forHTTP is the same configuration of TLS for clients that speak HTTP/1.1.
func forHTTP(cfg func() *stdtls.Config) func() *stdtls.Config {
	type pair struct{ from, to *stdtls.Config }
	var last atomic.Pointer[pair]
	return func() *stdtls.Config {
		from := cfg()
		if p := last.Load(); p != nil && p.from == from {
			return p.to
		}
		to := from.Clone()
		to.NextProtos = []string{"http/1.1"}
		last.Store(&pair{from, to})
		return to
	}
}

func (s *Server) listenWeb() error {
	for _, addr := range s.config.HTTP.Listen {
		if err := s.listenHTTP(addr, false); err != nil {
			return err
		}
	}
	for _, addr := range s.config.HTTP.TLSListen {
		if err := s.listenHTTP(addr, true); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) listenHTTP(addr string, secure bool) error {
	return s.listen("http", addr, s.webWire, wire.ListenOptions{DirectTLS: secure, New: s.web.NewUpper})
}
