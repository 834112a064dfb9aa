package loop

import (
	"runtime"
	"testing"
)

func TestPacketComesBackEmptyAfterTheLastRelease(t *testing.T) {
	p := NewPacket()
	p.B, p.X = append(p.B, "bytes"...), append(p.X, "targets"...)
	p.Kind, p.N, p.Ref = 1, 2, "ref"
	p.Retain()
	p.Release()
	if string(p.B) != "bytes" || string(p.X) != "targets" {
		t.Fatal("emptied although it is retained")
	}
	p.Release()
	for range 100 {
		q := NewPacket()
		if len(q.B) != 0 || len(q.X) != 0 || q.Kind != 0 || q.N != 0 || q.Ref != nil {
			t.Fatalf("a new packet has %q, %q, %d, %d, %v", q.B, q.X, q.Kind, q.N, q.Ref)
		}
		defer q.Release()
	}
}

func TestPacketReleasedTooOftenPanics(t *testing.T) {
	p := NewPacket()
	p.refs.Store(0)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	p.Release()
}

func TestLargeTargetListsAreNotKept(t *testing.T) {
	p := NewPacket()
	p.X = make([]byte, maxX+1)
	p.Release()
	if cap(p.X) != 0 {
		t.Errorf("the pool keeps %d bytes of targets", cap(p.X))
	}
}

// What a loop keeps for itself is empty, outlives collections, and is bounded.
func TestPacketsOfALoop(t *testing.T) {
	l := NewManual(1, epoch).At(0)
	burst := func(n, size int) {
		var list []*Packet
		for range n {
			p := l.NewPacket(0)
			if len(p.B) != 0 || len(p.X) != 0 || p.Kind != 0 || p.N != 0 || p.Ref != nil {
				t.Fatalf("a new packet has %q, %q, %d, %d, %v", p.B, p.X, p.Kind, p.N, p.Ref)
			}
			p.B, p.X = append(p.B, make([]byte, size)...), append(p.X, "targets"...)
			p.Kind, p.N, p.Ref = 1, 2, "ref"
			list = append(list, p)
		}
		for _, p := range list {
			l.Release(p)
		}
	}
	burst(100, 1000)
	kept := l.spareBytes
	if n := len(l.spares); n != 100 || kept < 100_000 {
		t.Errorf("%d packets of %d bytes are kept, want 100 of 100,000 at least", n, kept)
	}
	runtime.GC()
	runtime.GC()
	if !raceEnabled {
		if n := testing.AllocsPerRun(10, func() {
			for range 50 {
				a, b := l.NewPacket(0), l.NewPacket(0)
				a.B, b.B = append(a.B, make([]byte, 1000)...), append(b.B, make([]byte, 900)...)
				l.Release(a)
				l.Release(b)
			}
		}); n > 0 {
			t.Errorf("%v allocations after a collection", n)
		}
	}
	if l.spareBytes != kept {
		t.Errorf("%d bytes are kept, were %d", l.spareBytes, kept)
	}
	burst(2000, 2*maxSpare) // these go to the pool,
	runtime.GC()            // and from there
	runtime.GC()
	burst(2000, 1000)
	n := len(l.spares)
	if n == 0 {
		t.Error("none is kept after a burst")
	}
	p := l.NewPacket(maxSpare)
	if len(l.spares) != n {
		t.Error("what is to be large is taken from the small ones")
	}
	l.Release(p)
	sum := 0
	for _, p := range l.spares {
		if sum += p.size(); p.size() > maxSpare {
			t.Errorf("a packet of %d bytes is kept", p.size())
		}
	}
	if sum != l.spareBytes || sum > maxSpares {
		t.Errorf("%d bytes are kept, %d by count, want %d at most", sum, l.spareBytes, maxSpares)
	}
	for i := range 10 {
		l.group.Advance(spareFor)
		if n = len(l.spares); i > 2 && n != 5 {
			t.Errorf("%d packets are kept where 5 were needed", n)
		}
		l.Post(func() { burst(5, 10) })
		l.group.Turn()
		if n = len(l.spares); i > 1 && n != 5 {
			t.Errorf("%d packets are kept where 5 are needed", n)
		}
	}
	if l.Release(NewPacket()); len(l.spares) != n {
		t.Error("one of the pool is kept: it would be missed there")
	}
	l.group.Advance(3 * spareFor)
	if n = len(l.spares); n != 0 || l.spareBytes != 0 || l.due.Load() != never {
		t.Errorf("%d packets of %d bytes are kept at rest, and the loop wakes at %d", n, l.spareBytes, l.due.Load())
	}
	p = l.NewPacket(0)
	p.Retain()
	n = len(l.spares)
	if l.Release(p); len(l.spares) != n {
		t.Error("kept although it is retained")
	}
	p.Release()
}

// A small packet that is to become large leaves its place to one of the pool.
func TestGrow(t *testing.T) {
	l := NewManual(1, epoch).At(0)
	p := l.NewPacket(10)
	p.B = append(p.B, "small"...)
	if l.Grow(p, 100) != p {
		t.Error("100 bytes more take another packet")
	}
	q := l.Grow(p, maxSpare)
	if q == p || string(q.B) != "small" || len(l.spares) != 1 {
		t.Errorf("the large packet has %q, and %d small ones are kept", q.B, len(l.spares))
	}
	if l.Grow(q, 10*maxSpare) != q {
		t.Error("a large packet is changed for another")
	}
	if l.Release(q); len(l.spares) != 1 {
		t.Error("the large packet is kept")
	}
}
