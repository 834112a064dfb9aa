package xml

import (
	"math/bits"
	"unsafe"
)

// jumpBlocks is how many blocks jump classifies at a time.
const jumpBlocks = 8

// jump is State.advance by masks, from b[q] on: it looks only at bytes that can
// change the state. slack bytes of memory have to follow b. It takes the masks
// a block at a time, a word each, since what was just written can't be read
// quickly at other borders.
func (m *masks) jump(s *State, b []byte, q, maxDepth int) (n int, done bool, err Error) {
	m.room(jumpBlocks * block)
	j := jumper{State: s, in: unsafe.Pointer(unsafe.SliceData(b)), n: len(b), from: q, maxDepth: maxDepth}
	k := uint(q % block)
	for base := q - q%block; base < j.n; {
		blocks := min(jumpBlocks, (j.n-base+block-1)/block)
		classify((*uint64)(m.rows[0]), uintptr(m.stride)*8, unsafe.Add(j.in, base), blocks)
		for i := range blocks {
			v := *(*uint64)(unsafe.Add(m.rows[maskValue], i*8))
			t := *(*uint64)(unsafe.Add(m.rows[maskText], i*8))
			end := uint(min(block, j.n-base))
			if end < block {
				v, t = v&(1<<end-1), t&(1<<end-1)
			}
			k, done, err = j.block(base, v, t, k, end, s.frame)
			if done || err != 0 {
				return base + int(k), done, err
			}
			k = 0
			base += block
		}
	}
	if s.frame == inTag && j.n > j.from && byteAt(j.in, j.n-1) == '/' {
		s.frame = inSlash
	}
	return j.n, false, 0
}

// jumper is a run of jump.
type jumper struct {
	*State
	in       unsafe.Pointer
	n        int
	from     int // where the stretch of a tag that is being looked at begins
	maxDepth int
}

// block frames the block at base from k up to end, where v and t are its bits
// special in values and in text. It is one function, each state a label, since
// it runs over most of what is cut.
func (j *jumper) block(base int, v, t uint64, k, end uint, state uint8) (at uint, done bool, err Error) {
	var (
		in    = unsafe.Add(j.in, base)
		c     byte
		quote byte
		w     uint64
	)
	switch state {
	case inText:
		goto text
	case inTag:
		goto tag
	case inApos:
		quote = '\''
		goto value
	case inQuot:
		quote = '"'
		goto value
	case inEnd:
		goto endTag
	}
	goto step

text:
	w = t >> k
	if w == 0 {
		j.frame = inText
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w))
	c = byteAt(in, int(k))
	k++
	if c != '<' {
		goto text
	}
	if k == end {
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

tag:
	w = v >> k
	if w == 0 {
		j.frame = inTag
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w))
	quote = byteAt(in, int(k))
	k++
	if quote != '\'' && quote != '"' {
		goto tagEnd
	}

value:
	w = v >> k
	if w == 0 {
		j.frame = inApos
		if quote == '"' {
			j.frame = inQuot
		}
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w))
	c = byteAt(in, int(k))
	k++
	if c == quote {
		goto newTag
	}
	if c == '<' {
		return k, false, NotWellFormed
	}
	goto value

tagEnd: // quote is what came in its place
	if quote != '>' {
		if quote == '<' {
			return k, false, NotWellFormed
		}
		goto tag
	}
	if q := base + int(k); q-2 >= j.from && byteAt(j.in, q-2) == '/' {
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
	w = v >> k
	if w == 0 {
		j.frame = inEnd
		return end, false, 0
	}
	k += uint(bits.TrailingZeros64(w))
	c = byteAt(in, int(k))
	k++
	if c == '>' {
		if j.depth <= 1 {
			j.depth, j.frame = 0, inText
			return k, true, 0
		}
		j.depth--
		goto text
	}
	if c == '<' {
		return k, false, NotWellFormed
	}
	goto endTag

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
