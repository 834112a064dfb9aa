package xml

import (
	"math/bits"
	"unsafe"
)

// jump is State.advance by masks, from b[q] on: it looks only at bytes that can
// change the state. slack bytes of memory have to follow b. It is one function,
// each state a label, since it runs over most of what is cut.
func (m *masks) jump(s *State, b []byte, q, maxDepth int) (n int, done bool, err Error) {
	n = len(b)
	if q >= n {
		return q, false, 0
	}
	var (
		in            = unsafe.Pointer(unsafe.SliceData(b))
		values, texts unsafe.Pointer
		from          int // where the stretch of the tag began
		w             uint64
		c, quote      byte
	)
	m.resetAt(in, n, q)
	values, texts = m.rows[maskValue], m.rows[maskText]
	switch s.frame {
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
		goto end
	}
	goto step

text:
	w = bitsAt(texts, q)
	q += bits.TrailingZeros64(w)
	if w == 0 {
		q = m.find(in, maskText, q-64)
	}
	if q >= n {
		s.frame = inText
		return n, false, 0
	}
	if byteAt(in, q) != '<' {
		q++
		goto text
	}
	q++
	s.frame = inLess
	if q >= n {
		return n, false, 0
	}
	c = byteAt(in, q)
	if c == '/' {
		q++
		goto end
	}
	if class[c]&isNameStart == 0 {
		goto step
	}

tag:
	from = q
	w = bitsAt(values, q)
	q += bits.TrailingZeros64(w)
	if w == 0 {
		q = m.find(in, maskValue, q-64)
	}
	if q >= n {
		s.frame = inTag
		if n > from && byteAt(in, n-1) == '/' {
			s.frame = inSlash
		}
		return n, false, 0
	}
	quote = byteAt(in, q)
	q++
	if quote != '\'' && quote != '"' {
		goto tagEnd
	}

value:
	w = bitsAt(values, q)
	q += bits.TrailingZeros64(w)
	if w == 0 {
		q = m.find(in, maskValue, q-64)
	}
	if q >= n {
		s.frame = inApos
		if quote == '"' {
			s.frame = inQuot
		}
		return n, false, 0
	}
	c = byteAt(in, q)
	q++
	if c == quote {
		goto tag
	}
	if c == '<' {
		return q, false, NotWellFormed
	}
	goto value

tagEnd: // quote is what came in its place
	if quote != '>' {
		if quote == '<' {
			return q, false, NotWellFormed
		}
		goto tag
	}
	if q-2 >= from && byteAt(in, q-2) == '/' {
		if s.depth == 0 {
			s.frame = inText
			return q, true, 0
		}
		goto text
	}
	if s.depth++; int(s.depth) > maxDepth {
		return q, false, TooDeep
	}
	goto text

end:
	w = bitsAt(values, q)
	q += bits.TrailingZeros64(w)
	if w == 0 {
		q = m.find(in, maskValue, q-64)
	}
	if q >= n {
		s.frame = inEnd
		return n, false, 0
	}
	c = byteAt(in, q)
	q++
	if c == '>' {
		if s.depth <= 1 {
			s.depth, s.frame = 0, inText
			return q, true, 0
		}
		s.depth--
		goto text
	}
	if c == '<' {
		return q, false, NotWellFormed
	}
	goto end

step: // the states in which each byte counts
	for q < n {
		done, err = s.step(byteAt(in, q), maxDepth)
		q++
		if done || err != 0 {
			return q, done, err
		}
		if s.frame == inText || s.frame == inTag {
			break
		}
	}
	if q < n {
		m.reach(in, q)
		if s.frame == inText {
			goto text
		}
		goto tag
	}
	return n, false, 0
}
