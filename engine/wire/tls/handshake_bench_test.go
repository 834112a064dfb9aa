package tls

import (
	ctls "crypto/tls"
	"syscall"
	"testing"
	"time"
)

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverCPU is the CPU of one handshake of ours, without the client's: it is
// read whenever the turn changes.
func serverCPU(b *testing.B, s *Server, cfg *ctls.Config) (used time.Duration) {
	_, raw := stepClient(cfg)
	ready := make(chan struct{}, 4)
	h := s.Handshake(func(*Handshake) { ready <- struct{}{} })
	in := raw.step(nil)
	for {
		start := cpu()
		h.Feed(in)
		<-ready
		out, done, _, _, err := h.Take(nil)
		used += cpu() - start
		if err != nil {
			b.Fatal(err)
		}
		if done {
			if len(out) > 0 {
				raw.step(out)
			}
			return used
		}
		in = raw.step(out)
	}
}

// plainCPU is the same for crypto/tls alone, in a goroutine of its own.
func plainCPU(b *testing.B, serverCfg, cfg *ctls.Config) (used time.Duration) {
	_, raw := stepClient(cfg)
	in := raw.step(nil)
	start := cpu()
	sraw := newStepConn()
	server := ctls.Server(sraw, serverCfg)
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		server.ConnectionState()
		done <- err
		sraw.finish()
	}()
	for {
		out := sraw.step(in)
		used += cpu() - start
		select {
		case err := <-done:
			if err != nil {
				b.Fatal(err)
			}
			if len(out) > 0 {
				raw.step(out)
			}
			return used
		default:
		}
		in = raw.step(out)
		start = cpu()
	}
}

// BenchmarkHandshake compares the server's CPU for one handshake with that of
// crypto/tls alone, taken in turns. The budget is a ratio of 1.15.
func BenchmarkHandshake(b *testing.B) {
	for _, v := range []struct {
		name string
		max  uint16
	}{{"TLS1.3", ctls.VersionTLS13}, {"TLS1.2", ctls.VersionTLS12}} {
		b.Run(v.name, func(b *testing.B) {
			s, plain := newServer(), serverConfig(func(c *ctls.Config) { c.SessionTicketsDisabled = true })
			cfg := clientConfig(func(c *ctls.Config) { c.MaxVersion = v.max })
			var ours, theirs time.Duration
			for b.Loop() {
				ours += serverCPU(b, s, cfg)
				theirs += plainCPU(b, plain, cfg)
			}
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "us/ours")
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "us/crypto-tls")
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
		})
	}
}
