package xml

import (
	"math/bits"
	"unsafe"
)

// masks holds three bits for each byte of the input, found many bytes at a
// time, so that the tokenizer can jump:
//
//	name   the byte is not one of [A-Za-z0-9._-]
//	value  the byte is a quote, '<', '>', '&', below 0x20 or above 0x7F
//	text   the byte is '<', '&', ']', above 0x7F, or below 0x20 and no tab or LF
//
// Bits are found when they are asked for, some blocks of 64 bytes ahead. Behind
// those found there are 192 zeros, behind the end of the input at least 128 ones.
type masks struct {
	words  []uint64 // three arrays of stride words
	rows   [3]unsafe.Pointer
	stride int
	done   int // input bytes classified, a multiple of 64
	n      int // input bytes there are
}

const (
	maskName = iota
	maskValue
	maskText

	block     = 64
	slack     = 64        // bytes of memory that must follow the input
	firstStep = 8 * block // classified at first
	nextStep  = 8 * block // and when more is needed
)

// reset makes m ready for n bytes at in, which slack bytes of memory follow.
func (m *masks) reset(in unsafe.Pointer, n int) {
	m.n, m.done = n, 0
	m.room(n)
	m.extend(in, firstStep)
}

// room makes the rows long enough for n bytes.
func (m *masks) room(n int) {
	if need := n/block + 5; need > m.stride {
		m.stride = max(need, 2*m.stride, 64)
		m.words = make([]uint64, 3*m.stride)
		for i := range m.rows {
			m.rows[i] = unsafe.Pointer(&m.words[i*m.stride])
		}
	}
}

// extend classifies step more bytes of in, or what is left.
func (m *masks) extend(in unsafe.Pointer, step int) {
	blocks := min(step, m.n-m.done+block-1) / block
	if blocks > 0 {
		dst := (*uint64)(unsafe.Add(m.rows[0], m.done/8))
		classify(dst, uintptr(m.stride)*8, unsafe.Add(in, m.done), blocks)
		m.done += blocks * block
	}
	if m.done >= m.n {
		m.seal()
		return
	}
	for _, row := range m.rows {
		w := (*[3]uint64)(unsafe.Add(row, m.done/8))
		w[0], w[1], w[2] = 0, 0, 0
	}
}

// reach classifies up to q, at most the input's length.
func (m *masks) reach(in unsafe.Pointer, q int) {
	if m.done < q {
		m.extend(in, q-m.done+nextStep)
	}
}

// seal sets all bits behind the input.
func (m *masks) seal() {
	off, tail := m.n/block*8, ^uint64(0)<<uint(m.n%block)
	if m.n%block == 0 { // no block begins there
		for _, row := range m.rows {
			*(*uint64)(unsafe.Add(row, off)) = 0
		}
	}
	sealRow(m.rows[0], off, tail)
	sealRow(m.rows[1], off, tail)
	sealRow(m.rows[2], off, tail)
}

func sealRow(row unsafe.Pointer, off int, tail uint64) {
	w := (*[3]uint64)(unsafe.Add(row, off))
	w[0] |= tail
	w[1], w[2] = ^uint64(0), ^uint64(0)
}

// find returns the first position from q on whose bit in the row is set, at
// most the input's length. q is at most that.
func (m *masks) find(in unsafe.Pointer, row, q int) int {
	m.reach(in, q)
	for {
		for q < m.done {
			if x := bitsAt(m.rows[row], q); x != 0 {
				return min(q+bits.TrailingZeros64(x), m.n)
			}
			q = q&^7 + block
		}
		q = min(q, m.done)
		if m.done >= m.n {
			return m.n
		}
		m.extend(in, nextStep)
	}
}

// classes has for each byte its three bits, eight bits apart.
var classes = makeMaskClasses()

func makeMaskClasses() (t [256]uint32) {
	for c := range 256 {
		b := byte(c)
		if class[b]&isNameChar == 0 {
			t[c] |= 1 << (8 * maskName)
		}
		if class[b]&isPlainAttr == 0 {
			t[c] |= 1 << (8 * maskValue)
		}
		if class[b]&isPlainText == 0 {
			t[c] |= 1 << (8 * maskText)
		}
	}
	return t
}

// classify is classifyGo or what the processor has better.
func classify(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int) {
	if !hasAVX2 {
		classifyGo(dst, stride, src, blocks)
		return
	}
	classifyAVX2(dst, stride, src, blocks)
}

// classifyGo writes the masks of blocks of 64 bytes from src on. The second and
// the third row lie stride and 2*stride bytes behind dst.
func classifyGo(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int) {
	for range blocks {
		var name, value, text uint64
		b := (*[block]byte)(src)
		for i := 0; i < block; i += 8 {
			x := classes[b[i]] | classes[b[i+1]]<<1 | classes[b[i+2]]<<2 | classes[b[i+3]]<<3 |
				classes[b[i+4]]<<4 | classes[b[i+5]]<<5 | classes[b[i+6]]<<6 | classes[b[i+7]]<<7
			name |= uint64(x&0xFF) << i
			value |= uint64(x>>8&0xFF) << i
			text |= uint64(x>>16&0xFF) << i
		}
		*dst = name
		*(*uint64)(unsafe.Add(unsafe.Pointer(dst), stride)) = value
		*(*uint64)(unsafe.Add(unsafe.Pointer(dst), 2*stride)) = text
		dst = (*uint64)(unsafe.Add(unsafe.Pointer(dst), 8))
		src = unsafe.Add(src, block)
	}
}
