package enginetest

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// remote is a running server.
type remote struct {
	t    *testing.T
	addr string
}

// patience is how long an answer may take, quietTime how long it takes to
// believe that there is none.
const (
	patience  = 10 * time.Second
	quietTime = 200 * time.Millisecond
)

func (r *remote) configure(string) error { return errors.New("a running server has its configuration") }

func (r *remote) account(string, string) error { return nil }

func (r *remote) restart() error { return errors.New("a running server is not ours to restart") }

func (r *remote) crash() error { return errors.New("a running server is not ours to kill") }

func (r *remote) sleep(d time.Duration) { time.Sleep(d) }

func (r *remote) settle() { time.Sleep(quietTime) }

func (r *remote) until(ok func() bool) bool {
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

func (r *remote) dial(direct bool) (pipe, error) {
	nc, err := net.DialTimeout("tcp", r.addr, patience)
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { nc.Close() })
	if direct {
		return r.handshake(nc)
	}
	return newNetPipe(nc), nil
}

// secure is called when <proceed/> has come, so that the reader of p has
// nothing to read: it is stopped by a deadline.
func (r *remote) secure(p pipe) (pipe, error) {
	old := p.(*netPipe)
	old.nc.SetReadDeadline(time.Now())
	<-old.done
	old.nc.SetReadDeadline(time.Time{})
	return r.handshake(old.nc)
}

func (r *remote) handshake(nc net.Conn) (pipe, error) {
	tc := tls.Client(nc, clientTLS())
	if err := tc.Handshake(); err != nil {
		return nil, err
	}
	return newNetPipe(tc), nil
}

// clientTLS asks for the domain of the transcripts. The certificate is a test's
// own: nothing would be proved by checking it.
func clientTLS() *tls.Config {
	return &tls.Config{ServerName: Domain, InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}
}

// netPipe reads a net.Conn on a goroutine of its own.
type netPipe struct {
	nc   net.Conn
	done chan struct{} // closed when nothing is read any more

	mu    sync.Mutex
	awake sync.Cond // deaf is over
	deaf  bool      // nobody reads
	got   []byte
	ended bool
}

func newNetPipe(nc net.Conn) *netPipe {
	p := &netPipe{nc: nc, done: make(chan struct{})}
	p.awake.L = &p.mu
	go p.read()
	return p
}

func (p *netPipe) read() {
	defer close(p.done)
	buf := make([]byte, 4096)
	for {
		n, err := p.nc.Read(buf)
		p.mu.Lock()
		p.got = append(p.got, buf[:n]...)
		p.ended = err != nil
		for p.deaf && err == nil {
			p.awake.Wait()
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *netPipe) Send(b []byte) { p.nc.Write(b) } // an error shows when nothing comes

func (p *netPipe) Read() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.got
	p.got = nil
	return b
}

func (p *netPipe) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended && len(p.got) == 0
}

func (p *netPipe) Close() {
	p.nc.Close()
	p.StartReading()
}

// StopReading takes effect behind what comes next.
func (p *netPipe) StopReading() { p.hear(false) }

// StartReading undoes StopReading.
func (p *netPipe) StartReading() { p.hear(true) }

func (p *netPipe) hear(again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = !again
	p.awake.Broadcast()
}
