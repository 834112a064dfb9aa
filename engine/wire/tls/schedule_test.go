package tls

import (
	ctls "crypto/tls"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// New handshakes are taken from both ends of the queue in turn.
func TestOrderOfFreshHandshakes(t *testing.T) {
	var s schedule
	names := map[*Handshake]string{}
	for _, n := range strings.Split("abcdef", "") {
		h := &Handshake{}
		names[h] = n
		s.start(h)
	}
	var got string
	for h := s.pickFresh(); h != nil; h = s.pickFresh() {
		got += names[h]
	}
	if want := "afbecd"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if s.fresh.n != 0 || s.fresh.first != nil || s.fresh.last != nil {
		t.Errorf("the queue is not empty: %+v", s.fresh)
	}
}

// Somebody in the second flight goes before somebody in the first.
func TestSecondFlightGoesFirst(t *testing.T) {
	s := &schedule{}
	parked := &Handshake{work: &work{wake: make(chan bool, 1)}}
	s.start(&Handshake{})
	s.resume(parked)
	s.park()
	select {
	case with := <-parked.work.wake:
		if !with {
			t.Error("woken without a worker")
		}
	default:
		t.Error("not woken")
	}
	if s.fresh.n != 1 || s.again.n != 0 {
		t.Errorf("%d and %d wait, want 1 and 0", s.fresh.n, s.again.n)
	}
}

// 10,000 clients send a ClientHello at once and then nothing. The next to come
// is served as if they were not there: before more than a few of them, which
// says more than a time on a busy machine.
func TestHalfOpenHandshakesDelayNobody(t *testing.T) {
	const half, few = 10_000, 500
	s := newServer()
	_, raw := stepClient(clientConfig())
	first := raw.step(nil)
	raw.Close()
	flood := make([]*Handshake, half)
	for i := range flood {
		flood[i] = s.Handshake(func(h *Handshake) { h.Take(nil) })
		flood[i].Feed(first)
	}
	if n := s.Stats().Waiting; n < half/2 {
		t.Fatalf("only %d wait, this is no flood", n)
	}
	var slowest time.Duration
	for range 20 {
		start := time.Now()
		if n := servedBefore(t, s); n > few {
			t.Errorf("%d of the flood went first, want at most %d", n, few)
		}
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("%d still wait, slowest of 20 handshakes %v", s.Stats().Waiting, slowest)
	for _, h := range flood {
		h.Abort()
	}
	if n := s.Stats().Waiting; n != 0 {
		t.Errorf("%d wait after Abort", n)
	}
}

// servedBefore makes a session and counts who left the queues while it waited
// for a worker.
func servedBefore(t *testing.T, s *Server) (n int) {
	_, raw := stepClient(clientConfig())
	left := make(chan int, 4) // in the queues when there is an answer
	h := s.Handshake(func(*Handshake) { left <- s.Stats().Waiting })
	for in := raw.step(nil); ; {
		before := s.Stats().Waiting
		h.Feed(in)
		n += before - <-left
		out, done, _, _, err := h.Take(nil)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return n
		}
		in = raw.step(out)
	}
}

// Many at a time, some given up at any moment: all others end in a session, and
// all workers come home.
func TestManyHandshakesAtOnce(t *testing.T) {
	s := newServer()
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			cfg := clientConfig(func(c *ctls.Config) { c.MaxVersion = ctls.VersionTLS12 + uint16(i%2) })
			client, raw := stepClient(cfg)
			h := begin(s)
			for in := raw.step(nil); len(in) > 0; {
				if i%3 == 0 && rnd.IntN(3) == 0 {
					raw.Close()
					h.Abort()
					return
				}
				cut := min(len(in), 1+rnd.IntN(400))
				h.Feed(in[:cut])
				if in = in[cut:]; len(in) > 0 {
					continue
				}
				<-h.out
				out, done, conn, _, err := h.Take(nil)
				if err != nil {
					t.Errorf("handshake %d: %v", i, err)
				}
				if len(out) > 0 {
					in = raw.step(out)
				}
				if !done && len(in) == 0 {
					t.Errorf("handshake %d stands still", i)
				}
				if done {
					wire, _ := conn.Seal(NewCache(1), nil, []byte(fmt.Sprint(i)))
					raw.in.Write(wire)
					b := make([]byte, 10)
					if n, err := client.Read(b); err != nil || string(b[:n]) != fmt.Sprint(i) {
						t.Errorf("handshake %d: client read %q, %v", i, b[:n], err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	free := func() int {
		s.schedule.mu.Lock()
		defer s.schedule.mu.Unlock()
		return s.schedule.free
	}
	for i := 0; (runtime.NumGoroutine() > before || free() != 2) && i < 500; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines are left", n-before)
	}
	if s.Stats().Waiting != 0 || free() != 2 {
		t.Errorf("%d wait, %d workers are free, want 0 and 2", s.Stats().Waiting, free())
	}
}
