package xml

import "math/bits"

// parts holds the unfinished elements of all connections of a loop. A buffer
// grows by size classes, so that one byte costs little and a large stanza is
// copied a bounded number of times; what is freed is used again.
type parts struct {
	bufs [][]byte // by State.part; the first is unused
	free []uint32 // unused places of bufs
	pool [partClasses][][]byte
	held int // bytes of the buffers in use
}

// A buffer of class i has 64<<(2*i) bytes. Above the largest class they are made
// to measure.
const partClasses = 7

// maxPooled bounds the unused bytes kept of each class.
const maxPooled = 1 << 20

// partClass returns the class of buffers that n bytes, at least one, fit in.
func partClass(n int) int { return max(0, bits.Len(uint(n-1))-5) / 2 }

// take returns a buffer of at least n bytes.
func (p *parts) take(n int) []byte {
	i := partClass(n)
	if i >= partClasses {
		p.held += 2 * n
		return make([]byte, 2*n)
	}
	size := 64 << (2 * i)
	p.held += size
	if k := len(p.pool[i]); k > 0 {
		b := p.pool[i][k-1]
		p.pool[i] = p.pool[i][:k-1]
		return b
	}
	return make([]byte, size)
}

// give takes back what take returned.
func (p *parts) give(b []byte) {
	p.held -= len(b)
	i := partClass(len(b))
	if i < partClasses && (len(p.pool[i])+1)*len(b) <= maxPooled {
		p.pool[i] = append(p.pool[i], b)
	}
}

// add keeps b behind what s has already.
func (p *parts) add(s *State, b []byte) {
	if s.part == 0 {
		s.part = p.place()
		p.bufs[s.part] = p.take(firstPart(len(b)))
	}
	buf := p.bufs[s.part]
	if int(s.held)+len(b) > len(buf) {
		buf = p.take(int(s.held) + len(b))
		copy(buf, p.bufs[s.part][:s.held])
		p.give(p.bufs[s.part])
		p.bufs[s.part] = buf
	}
	copy(buf[s.held:], b)
	s.held += uint32(len(b))
}

// firstPart is the room to ask for when the first read brought n bytes: small
// reads let expect more of them.
func firstPart(n int) int {
	if n <= 16 {
		return n
	}
	return n + 512
}

// place returns an unused place of bufs.
func (p *parts) place() uint32 {
	if k := len(p.free); k > 0 {
		i := p.free[k-1]
		p.free = p.free[:k-1]
		return i
	}
	if len(p.bufs) == 0 {
		p.bufs = append(p.bufs, nil)
	}
	p.bufs = append(p.bufs, nil)
	return uint32(len(p.bufs) - 1)
}

// of returns what is held of s.
func (p *parts) of(s *State) []byte { return p.bufs[s.part][:s.held] }

// drop frees what s has.
func (p *parts) drop(s *State) {
	if s.part == 0 {
		return
	}
	p.give(p.bufs[s.part])
	p.bufs[s.part] = nil
	p.free = append(p.free, s.part)
	s.part, s.held = 0, 0
}
