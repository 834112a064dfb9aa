package loop

import (
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkEcho is a message of 100 bytes there and back, the client's system
// calls included, with as many in flight as the name says.
func BenchmarkEcho(b *testing.B) {
	for name, window := range map[string]int{"window=1": 1, "window=8": 8, "window=32": 32} {
		b.Run(name, func(b *testing.B) { benchEcho(b, window) })
	}
}

func benchEcho(b *testing.B, window int) {
	g := start(b, 1)
	h := func() Handler {
		var out []byte
		return &funcs{
			data:  func(c *Conn, in []byte) { out = append(out, in...); c.Dirty() },
			flush: func(c *Conn) { c.Write(out); out = out[:0] },
		}
	}
	nc := dial(b, serve(b, func() (*Loop, Handler) { return g.At(0), h() }, g))
	msg, buf := make([]byte, 100*window), make([]byte, 100*window)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += window {
		_, _ = nc.Write(msg)
		if _, err := io.ReadFull(nc, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(g.At(0).Stats().Turns)/float64(b.N), "turns/op")
}

// BenchmarkSendAcrossLoops is a packet from one loop to another, 100 a turn.
func BenchmarkSendAcrossLoops(b *testing.B) {
	g := start(b, 2)
	var got atomic.Int64
	g.At(1).Receive = func(p *Packet) { p.Release(); got.Add(1) }
	from := g.At(0)
	b.ReportAllocs()
	for n := 0; n < b.N; n += 100 {
		from.Post(func() {
			for range 100 {
				p := NewPacket()
				p.B = append(p.B, "<message/>"...)
				from.Send(g.At(1), p)
			}
		})
		for int64(n)-got.Load() > 10_000 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	waitFor(b, "packets", func() bool { return got.Load() >= int64(b.N) })
}

func BenchmarkTimerSetAndStop(b *testing.B) {
	l := NewManual(1, epoch).At(0)
	timers := make([]Timer, 100_000)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		t := &timers[n%len(timers)]
		l.Stop(t)
		l.Set(t, time.Duration(n%3600)*time.Second)
	}
}

func BenchmarkPacket(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		p := NewPacket()
		p.B = append(p.B, "<message/>"...)
		p.Release()
	}
}
