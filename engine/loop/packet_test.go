package loop

import "testing"

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
