package loop

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/valyala/bytebufferpool"
)

// Packet is owned bytes: the only thing that crosses loops or waits.
//
// It is counted. NewPacket gives one reference; Send and everything else that
// takes a Packet over takes one reference with it. Between Retain and the last
// Release the bytes may be shared by several loops, and then nobody writes to
// them.
type Packet struct {
	B    []byte // the bytes
	X    []byte // a second list of bytes, such as targets
	Ref  any    // something of the heap that goes along; cleared by the last Release
	N    uint32 // as the user likes
	Kind uint8  // as the user likes

	refs  atomic.Int32
	small bool // it is for a loop's list, if it still is
	buf   *bytebufferpool.ByteBuffer
}

// maxX is the largest X, in bytes, that a pooled Packet keeps.
const maxX = 32 << 10

var (
	packets = sync.Pool{New: func() any { return new(Packet) }}
	buffers bytebufferpool.Pool
)

// NewPacket returns an empty Packet with one reference.
func NewPacket() *Packet {
	p := packets.Get().(*Packet)
	p.buf = buffers.Get()
	p.B = p.buf.B[:0]
	p.refs.Store(1)
	return p
}

// Retain adds a reference.
func (p *Packet) Retain() { p.refs.Add(1) }

// Release gives a reference back. After the last one p and its bytes belong to
// the pool.
func (p *Packet) Release() {
	if p.last() {
		p.pool()
	}
}

// last gives a reference back, and reports whether it was the last one.
func (p *Packet) last() bool {
	n := p.refs.Add(-1)
	if n < 0 {
		panic("loop: packet released more often than retained")
	}
	return n == 0
}

// pool empties p for whoever is next.
func (p *Packet) pool() {
	p.buf.B = p.B
	buffers.Put(p.buf)
	if cap(p.X) > maxX {
		p.X = nil
	}
	p.B, p.X, p.Ref, p.N, p.Kind, p.buf, p.small = nil, p.X[:0], nil, 0, 0, nil, false
	packets.Put(p)
}

const (
	// maxSpares is how many bytes of packets a loop keeps for itself.
	maxSpares = 1 << 20
	// maxSpare is the largest packet among them, bytes.
	maxSpare = 8 << 10
	// spareFor is how long it keeps what it does not need. It is less than what
	// tune.Keeper waits for: a small packet can hold a whole page of the heap.
	spareFor = time.Second
)

// NewPacket is the function of that name for what is needed in each turn. The pool
// is emptied by each collection, and lets go of the largest twentieth of its
// buffers at all times; filling it again would be the garbage that brings the next
// collection about. What a loop keeps stays. size is how many bytes it is for, as far
// as that is known: the pool has what is large.
func (l *Loop) NewPacket(size int) *Packet {
	if size > maxSpare/2 {
		return NewPacket()
	}
	n := len(l.spares) - 1
	if n < 0 {
		p := NewPacket()
		p.small = true
		return p
	}
	p := l.spares[n]
	l.spares[n] = nil
	l.spares = l.spares[:n]
	l.leastSpare = min(l.leastSpare, n)
	l.spareBytes -= p.size()
	p.refs.Store(1)
	return p
}

// Grow returns p, to whose B size bytes will be appended, or, where that would make a
// small packet large, one of the pool that has p's B and nothing else of it.
func (l *Loop) Grow(p *Packet, size int) *Packet {
	if size += len(p.B); !p.small || size <= cap(p.B) || size <= maxSpare/2 {
		return p
	}
	q := NewPacket()
	q.B = append(q.B, p.B...)
	l.Release(p)
	return q
}

// Release is p.Release, wherever p came from; l may keep p for its own NewPacket.
func (l *Loop) Release(p *Packet) {
	if !p.last() {
		return
	}
	size := p.size()
	if !p.small || size > maxSpare || l.spareBytes+size > maxSpares {
		p.pool()
		return
	}
	p.B, p.X, p.Ref, p.N, p.Kind = p.B[:0], p.X[:0], nil, 0, 0
	l.spareBytes += size
	l.spares = append(l.spares, p)
}

// trim gives the pool what has been spare since the last time.
func (l *Loop) trim() {
	if l.now.Sub(l.trimmed) < spareFor {
		return
	}
	for _, p := range l.spares[:l.leastSpare] {
		l.spareBytes -= p.size()
		p.pool()
	}
	l.spares = slices.Delete(l.spares, 0, l.leastSpare)
	l.leastSpare, l.trimmed = len(l.spares), l.now
}

// size is what p takes, bytes.
func (p *Packet) size() int { return int(unsafe.Sizeof(*p)) + cap(p.B) + cap(p.X) }
