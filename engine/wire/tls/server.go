package tls

import (
	ctls "crypto/tls"
	"fmt"
	"runtime"
	"sync/atomic"
)

// Server makes handshakes. It is safe for concurrent use.
type Server struct {
	configs  configs
	schedule schedule
	count    counters
}

type counters struct{ begun, done, failed, aborted, panics atomic.Uint64 }

// Stats are for the metrics of who owns the Server.
type Stats struct {
	Begun   uint64 // handshakes with a whole ClientHello
	Done    uint64 // ended in a session
	Failed  uint64 // ended in an error, garbage included
	Aborted uint64 // given up by the caller
	Panics  uint64 // of them our own bugs, or crypto/tls's
	Waiting int    // now waiting for a worker
}

// NewServer returns a Server that computes up to workers handshakes at a time,
// one a CPU if workers is 0.
//
// cfg is asked at each handshake, from workers: to reload certificates, return
// another config. A config must not change once returned. What it allows beyond
// doc.go is taken away; its KeyLogWriter is ignored. Its callbacks hold a
// worker while they run, so they must not block.
func NewServer(cfg func() *ctls.Config, workers int) *Server {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Server{configs: configs{cfg: cfg}, schedule: schedule{free: workers}}
}

// Handshake begins one, with nothing but a small struct until Feed brings bytes.
//
// out is called when there is something to Take: from a worker, or from inside
// Feed. It must not block, nor call the Handshake: it posts to the connection's
// loop. It may be called once more while Abort runs.
func (s *Server) Handshake(out func(h *Handshake)) *Handshake {
	return &Handshake{s: s, out: out}
}

// Stats returns the counters of now.
func (s *Server) Stats() Stats {
	c := &s.count
	return Stats{
		Begun: c.begun.Load(), Done: c.done.Load(), Failed: c.failed.Load(),
		Aborted: c.aborted.Load(), Panics: c.panics.Load(), Waiting: s.schedule.waiting(),
	}
}

// work is a goroutine's life: h, and then whoever waits, as long as it has a
// worker's right to compute.
func (s *Server) work(h *Handshake) {
	for h != nil {
		if !h.run() {
			return
		}
		h = s.schedule.next()
	}
}

// run computes h and reports whether it still has a worker at the end, which is
// not so after an Abort.
func (h *Handshake) run() bool {
	if !h.begin() {
		return true
	}
	conn, err := h.compute()
	clear(h.work.keys.client[:])
	clear(h.work.keys.clientHandshake[:])
	clear(h.work.keys.server[:])
	clear(h.work.keys.master[:])
	h.end(conn, err)
	return h.work.holds
}

// compute does the handshake, parking in transport.Read.
func (h *Handshake) compute() (conn Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.s.count.panics.Add(1)
			err = fmt.Errorf("tls: panic in handshake: %v", p)
		}
	}()
	c := ctls.Server(transport{h}, h.config(h.s.configs.get()))
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	cs := c.ConnectionState()
	return takeOver(&cs, &h.work.keys, h.work.flight[:], h.work.record, h.work.cert)
}
