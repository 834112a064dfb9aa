package loop

import (
	"sync"
	"sync/atomic"

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

	refs atomic.Int32
	buf  *bytebufferpool.ByteBuffer
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
	switch n := p.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("loop: packet released more often than retained")
	}
	p.buf.B = p.B
	buffers.Put(p.buf)
	if cap(p.X) > maxX {
		p.X = nil
	}
	p.B, p.X, p.Ref, p.N, p.Kind, p.buf = nil, p.X[:0], nil, 0, 0, nil
	packets.Put(p)
}
