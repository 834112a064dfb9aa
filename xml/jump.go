package xml

import (
	"math/bits"
	"unsafe"
)

// jumpBlocks is how many blocks jump marks at a time.
const jumpBlocks = 8

// marks are bits of a block of 64 bytes, for those that tags are made of.
type marks = [4]uint64

const (
	markLess = iota
	markGreater
	markApos
	markQuot
)

// jump is advance by marks, from b[q] on: it looks only at bytes that can change
// the state. slack bytes of memory have to follow b.
func (s *State) jump(b []byte, q, maxDepth int) (n int, done bool, err Error) {
	var found [jumpBlocks]marks
	j := jumper{State: s, in: unsafe.Pointer(unsafe.SliceData(b)), from: q, maxDepth: maxDepth}
	n = len(b)
	k := uint(q % block)
	for base := q - q%block; base < n; {
		blocks := min(jumpBlocks, (n-base+block-1)/block)
		mark(&found[0], unsafe.Add(j.in, base), blocks)
		for i := range blocks {
			end := uint(min(block, n-base))
			if end < block {
				for row := range found[i] {
					found[i][row] &= 1<<end - 1
				}
			}
			k, done, err = j.block(base, &found[i], k, end)
			if done || err != 0 {
				return base + int(k), done, err
			}
			k = 0
			base += block
		}
	}
	if s.frame == inTag && n > j.from && byteAt(j.in, n-1) == '/' {
		s.frame = inSlash
	}
	return n, false, 0
}

// jumper is a run of jump.
type jumper struct {
	*State
	in       unsafe.Pointer
	from     int // where the stretch of a tag that is being looked at begins
	maxDepth int
}

// block frames the block at base from k up to end. It is one function, each
// state a label, since it runs over most of what is cut.
func (j *jumper) block(base int, m *marks, k, end uint) (at uint, done bool, err Error) {
	var (
		in      = unsafe.Add(j.in, base)
		c       byte
		w       uint64
		a, q    uint64
		quote   = markApos
		tagFrom uint
	)
	switch j.frame {
	case inText:
		goto text
	case inTag:
		goto tag
	case inApos:
		goto value
	case inQuot:
		quote = markQuot
		goto value
	case inEnd:
		goto endTag
	}
	goto step

text:
	w = m[markLess] >> k
	if w == 0 {
		j.frame = inText
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w)) + 1
	if k >= end {
		j.frame = inLess
		return end, false, 0
	}
	c = byteAt(in, int(k))
	if c == '/' {
		k++
		goto endTag
	}
	if class[c]&isNameStart == 0 {
		j.frame = inLess
		goto step
	}

newTag:
	j.from = base + int(k)

tag: // to the '>', if the quotes before it are of one kind and in pairs, and no '<'
	w = m[markGreater] >> k
	tagFrom = k
	if w != 0 {
		w ^= w - 1 // the '>' and all before it
		a, q = (m[markApos]|m[markLess])>>k&w, (m[markQuot]|m[markLess])>>k&w
		k += uint(bits.Len64(w))
		if a == 0 && bits.OnesCount64(q)&1 == 0 || q == 0 && bits.OnesCount64(a)&1 == 0 {
			goto tagEnd
		}
		k = tagFrom
	}
	w = (m[markApos] | m[markQuot] | m[markGreater] | m[markLess]) >> k
	if w == 0 {
		j.frame = inTag
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w)) + 1
	quote = markApos
	switch byteAt(in, int(k)-1) {
	case '>':
		goto tagEnd
	case '<':
		return k, false, NotWellFormed
	case '"':
		quote = markQuot
	}

value:
	w = (m[quote] | m[markLess]) >> k
	if w == 0 {
		j.frame = uint8(inApos + quote - markApos)
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w)) + 1
	if byteAt(in, int(k)-1) == '<' {
		return k, false, NotWellFormed
	}
	goto newTag

tagEnd: // k is behind the '>'
	if at := base + int(k) - 2; at >= j.from && byteAt(j.in, at) == '/' {
		if j.depth == 0 {
			j.frame = inText
			return k, true, 0
		}
		goto text
	}
	if j.depth++; int(j.depth) > j.maxDepth {
		return k, false, TooDeep
	}
	goto text

endTag:
	w = (m[markGreater] | m[markLess]) >> k
	if w == 0 {
		j.frame = inEnd
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w)) + 1
	if byteAt(in, int(k)-1) == '<' {
		return k, false, NotWellFormed
	}
	if j.depth <= 1 {
		j.depth, j.frame = 0, inText
		return k, true, 0
	}
	j.depth--
	goto text

step: // the states in which each byte counts
	for k < end {
		done, err = j.step(byteAt(in, int(k)), j.maxDepth)
		k++
		if done || err != 0 {
			return k, done, err
		}
		switch j.frame {
		case inText:
			goto text
		case inTag:
			goto newTag
		}
	}
	return end, false, 0
}

// mark finds the marks of blocks of 64 bytes from src on.
func mark(dst *marks, src unsafe.Pointer, blocks int) {
	if !hasAVX2 {
		marksGo(dst, src, blocks)
		return
	}
	marksAVX2(dst, src, blocks)
}

// markBits has for each byte its four bits, eight bits apart.
var markBits = [256]uint32{'<': 1 << (8 * markLess), '>': 1 << (8 * markGreater), '\'': 1 << (8 * markApos), '"': 1 << (8 * markQuot)}

// marksGo is mark in portable Go.
func marksGo(dst *marks, src unsafe.Pointer, blocks int) {
	for range blocks {
		*dst = marks{}
		b := (*[block]byte)(src)
		for i := 0; i < block; i += 8 {
			x := markBits[b[i]] | markBits[b[i+1]]<<1 | markBits[b[i+2]]<<2 | markBits[b[i+3]]<<3 |
				markBits[b[i+4]]<<4 | markBits[b[i+5]]<<5 | markBits[b[i+6]]<<6 | markBits[b[i+7]]<<7
			for row := range dst {
				dst[row] |= uint64(x>>(8*row)&0xFF) << i
			}
		}
		dst = (*marks)(unsafe.Add(unsafe.Pointer(dst), unsafe.Sizeof(*dst)))
		src = unsafe.Add(src, block)
	}
}
