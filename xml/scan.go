package xml

import (
	"math/bits"
	"unsafe"
)

// parse reads one element from the start of in, which begins with '<'. It
// answers errMore if in ends before the element does; then t.at, t.frames and
// the tape tell what was whole.
func (t *tree) parse(in []byte, lim *Limits, ctx *context) (end int, err Error) {
	if cap(in)-len(in) >= slack {
		t.reset(in, ctx)
		return t.scan(lim)
	}
	if n := len(in) - slack; n > 2*slack { // all but the last element end before
		t.reset(in[:n], ctx)
		if end, err = t.scan(lim); err != errMore {
			return end, err
		}
	}
	t.copied = append(append(t.copied[:0], in...), zeros[:]...)
	t.reset(t.copied[:len(in)], ctx)
	return t.scan(lim)
}

var zeros [slack]byte

// Memory behind in is read without a check. That is safe since every position
// is found by a mask, which stops at the input's end, and goes on from there by
// at most some bytes before it is compared with the end.

func byteAt(p unsafe.Pointer, i int) byte     { return *(*byte)(unsafe.Add(p, i)) }
func load16(p unsafe.Pointer, i int) uint16   { return *(*uint16)(unsafe.Add(p, i)) }
func load64(p unsafe.Pointer, i int) uint64   { return *(*uint64)(unsafe.Add(p, i)) }
func entryAt(p unsafe.Pointer, i int) *entry  { return (*entry)(unsafe.Add(p, i<<4)) }
func frameAt(p unsafe.Pointer, i int) *frame  { return (*frame)(unsafe.Add(p, i<<4)) }
func bitsAt(row unsafe.Pointer, i int) uint64 { return load64(row, i>>3) >> (uint(i) & 7) }

// isLittle tells whether masks can be read at any byte.
var isLittle = *(*byte)(unsafe.Pointer(&[1]uint16{1})) == 1

const (
	xmlnsKey = 'x'<<24 | 'm'<<32 | 'l'<<40 | 'n'<<48 | 's'<<56
	langKey  = 'x' | 'm'<<8 | 'l'<<16 | ':'<<24 | 'l'<<32 | 'a'<<40 | 'n'<<48 | 'g'<<56
	equApos  = '=' | '\''<<8
	equQuot  = '=' | '"'<<8

	// attrHash spreads the names that stand in one tag over 64 bits; TestAttrHash
	// says which.
	attrHash = 0x9E3779B97F4A7C15
)

// room makes the tape long enough for one more tag and its text.
func (t *tree) room(lim *Limits) {
	if need := len(t.tape) + lim.Attrs + 8; need > cap(t.tape) {
		tape := make([]entry, len(t.tape), 2*need)
		copy(tape, t.tape)
		t.tape = tape
	}
	if cap(t.frames) <= lim.Depth {
		frames := make([]frame, len(t.frames), lim.Depth+1)
		copy(frames, t.frames)
		t.frames = frames
	}
}

// scan is the fast tokenizer. What is common it does itself: tags on one line,
// without prefixes, whose values and text mean themselves. All else, errors
// included, it leaves to the plain one, a tag or a text at a time, so that both
// give the same tape and the same verdict.
//
// It is one long function so that its state stays in registers. Jumps depend
// on what was sent and are what it costs; so as few as can be.
func (t *tree) scan(lim *Limits) (int, Error) {
	if !isLittle {
		return t.plainElement(lim)
	}
	var (
		m                    = &t.masks
		n                    = len(t.in)
		in                   = unsafe.Pointer(unsafe.SliceData(t.in))
		names, values, texts unsafe.Pointer
		tape, frames         unsafe.Pointer
		k, kMax              int    // next entry; the last that leaves room for a tag
		d                    int    // open elements
		elems                int    // started
		def, newDef          int    // default namespace outside and inside of the tag
		p                    int    // '<' of the tag
		q                    int    // next byte
		start, tagLen        int    // entry of the tag, length of its name
		a, nameLen           int    // an attribute's name
		v, r                 int    // its quotes; r is also the end of a text
		seen                 uint64 // hashes of the attribute names in the tag
		w, w2, key, flags    uint64
		c                    byte
		f                    *frame
		x                    *entry
		s                    plain
		err                  Error
	)
	m.reset(in, n)
	names, values, texts = m.rows[maskName], m.rows[maskValue], m.rows[maskText]
	def = int(t.ctx.def())

reload: // the tree was changed by others
	t.room(lim)
	tape = unsafe.Pointer(unsafe.SliceData(t.tape))
	frames = unsafe.Pointer(unsafe.SliceData(t.frames))
	k, kMax = len(t.tape), cap(t.tape)-lim.Attrs-8
	d, elems = len(t.frames), t.elems
	if d > 0 {
		def = int(frameAt(frames, d-1).def)
	}
	if q > p {
		goto content
	}

tag: // p is at '<'
	start = k
	if k > kMax {
		t.tape, t.frames, t.elems = t.tape[:k], t.frames[:d], elems
		q = p
		goto reload
	}
	c = byteAt(in, p+1)
	if c < 'A' { // no letter
		if c == '/' && d > 0 {
			goto endTag
		}
		goto odd
	}
	w = bitsAt(names, p+1)
	q = p + 1 + bits.TrailingZeros64(w)
	if w == 0 {
		q = m.find(in, maskName, p+1)
	}
	tagLen = q - p - 1
	newDef = def
	seen = 0
	k++

inTag: // q is behind the name or a value
	c = byteAt(in, q)
	if c != ' ' {
		goto tagEnd
	}

	// An attribute: its value is between the next two bytes that are special in
	// values, if those are quotes; its name reaches from here to the '='.
	a = q + 1
	w = bitsAt(values, a)
	w2 = w & (w - 1)
	v = a + bits.TrailingZeros64(w)
	r = a + bits.TrailingZeros64(w2)
	if w2 == 0 { // the value is long, or its masks are not made yet
		if w == 0 {
			v = m.find(in, maskValue, min(a, n))
		}
		w = bitsAt(values, v+1)
		r = v + 1 + bits.TrailingZeros64(w)
		if w == 0 {
			r = m.find(in, maskValue, v+1)
		}
	}
	if w := load16(in, v-1); w != equApos && w != equQuot {
		if v >= n {
			goto more
		}
		goto odd
	}
	flags = 0
	if byteAt(in, r) != byteAt(in, v) {
		if v >= n {
			goto more
		}
		if r, flags = t.valueEnd(v, r); r < 0 {
			goto odd
		}
		if r >= n {
			goto more
		}
	}
	nameLen = v - 1 - a
	key = load64(in, a)
	if bits.TrailingZeros64(bitsAt(names, a)) != nameLen && m.find(in, maskName, min(a, n)) != v-1 {
		if key != langKey || nameLen != 8 {
			goto odd
		}
		flags |= flagPrefix | nsIsXML<<32
	}
	if byte(key) < 'A' {
		goto odd
	}
	if nameLen < 8 {
		key <<= uint(64-8*nameLen) & 63
	}
	w = 1 << (key * attrHash >> 58)
	if seen&w != 0 {
		t.tape = t.tape[:k]
		if t.has(start, t.in[a:a+nameLen]) {
			goto odd
		}
	}
	seen |= w
	if k-start > lim.Attrs {
		goto odd
	}
	x = entryAt(tape, k)
	x.a = pack(v+1, r-v-1)
	x.b = kindAttr | uint64(nameLen)<<8 | flags
	if key == xmlnsKey {
		if l := r - v - 1; l == 0 || l == len(nsXML) || l == len(nsXMLNS) || flags != 0 {
			goto odd
		}
		x.b = kindDecl | uint64(nameLen)<<8
		newDef = k
	}
	k++
	q = r + 1
	goto inTag

tagEnd: // c, at q, is no space
	if q >= n {
		goto more
	}
	if d >= lim.Depth || elems >= lim.Elems {
		goto odd
	}
	x = entryAt(tape, start)
	if c == '>' {
		q++
		x.a = uint64(p + 1)
		x.b = kindStart | uint64(tagLen)<<8 | uint64(newDef)<<32
		f = frameAt(frames, d)
		f.name, f.nameLen = uint32(p+1), uint32(tagLen)
		f.start, f.def = uint32(start), uint32(newDef)
		d++
		elems++
		def = newDef
		goto content
	}
	if c != '/' || byteAt(in, q+1) != '>' {
		goto odd
	}
	q += 2
	if q > n {
		goto more
	}
	x.a = pack(p+1, k)
	x.b = kindStart | uint64(tagLen)<<8 | uint64(newDef)<<32
	x = entryAt(tape, k)
	x.a = pack(q-2, q)
	x.b = kindEnd
	k++
	elems++
	if d == 0 {
		goto done
	}

content: // q is behind a tag
	w = bitsAt(texts, q)
	r = q + bits.TrailingZeros64(w)
	if w == 0 {
		r = m.find(in, maskText, q)
	}
	flags = kindText
	if byteAt(in, r) != '<' {
		start, p = k, q
		if r, flags = t.textEnd(r); r < 0 {
			goto odd
		}
	}
	if r >= n {
		p = q
		goto more
	}
	x = entryAt(tape, k) // if there is no text, the next entry takes its place
	x.a = pack(q, r-q)
	x.b = flags
	k += int(uint(q-r) >> 63)
	p = r
	goto tag

endTag: // "</" is at p
	f = frameAt(frames, d-1)
	tagLen = int(f.nameLen)
	w = load64(in, p+2) ^ load64(in, int(f.name))
	if tagLen <= 8 {
		w <<= uint(64-8*tagLen) & 63
	} else {
		if tagLen > 16 {
			goto odd
		}
		w |= load64(in, p+tagLen-6) ^ load64(in, int(f.name)+tagLen-8)
	}
	q = p + 2 + tagLen
	if q >= n {
		goto more
	}
	if w != 0 || byteAt(in, q) != '>' || len(t.binds) > 0 {
		goto odd
	}
	q++
	entryAt(tape, int(f.start)).a = pack(int(f.name), k)
	x = entryAt(tape, k)
	x.a = pack(p, q)
	x.b = kindEnd
	k++
	d--
	if d > 0 {
		def = int(frameAt(frames, d-1).def)
		goto content
	}

done:
	t.tape, t.frames, t.elems = t.tape[:k], t.frames[:0], elems
	return q, 0

more: // what begins at p is not whole
	t.tape, t.frames, t.elems, t.at = t.tape[:k], t.frames[:d], elems, p
	return 0, errMore

odd: // so is what begins at p
	t.tape, t.frames, t.elems = t.tape[:start], t.frames[:d], elems
	s = plain{tree: t, p: p, lim: lim}
	if d == 0 {
		err = s.first()
	} else {
		err = s.content()
	}
	if err != 0 {
		t.at = p
		return 0, err
	}
	q = s.p
	if len(t.frames) == 0 {
		return q, 0
	}
	m.reach(in, q)
	goto reload
}

// has tells whether the element at start has an attribute of this name so far.
func (t *tree) has(start int, name []byte) bool {
	for _, x := range t.tape[start+1:] {
		if other, _ := t.name(x); string(other) == string(name) {
			return true
		}
	}
	return false
}

// valueEnd finds the quote that ends the value whose first quote is at v and
// whose first special byte is at r. The answer is len(t.in) if it is not there
// yet, less than 0 if there is something that the plain tokenizer must judge.
func (t *tree) valueEnd(v, r int) (end int, flags uint64) {
	n, quote := len(t.in), t.in[v]
	for r < n {
		switch c := t.in[r]; {
		case c == quote:
			return r, flags
		case c == '"' || c == '\'' || c == '>':
			r++
		case c == '&':
			_, size, err := reference(t.in[r:])
			if err != 0 {
				return -1, 0
			}
			r += size
			flags = flagEsc
		case isSpace(c):
			r++
			flags = flagEsc
		case c >= 0x80:
			if r = runes(t.in, r); r < 0 {
				return r, 0
			}
		default:
			return -1, 0
		}
		r = t.masks.find(unsafe.Pointer(unsafe.SliceData(t.in)), maskValue, r)
	}
	return n, 0
}

// textEnd finds the '<' that ends a text whose first special byte is at r. It
// answers like valueEnd.
func (t *tree) textEnd(r int) (end int, flags uint64) {
	n := len(t.in)
	flags = kindText
	for r < n {
		switch c := t.in[r]; {
		case c == '<':
			return r, flags
		case c == '&':
			_, size, err := reference(t.in[r:])
			if err != 0 {
				return -1, 0
			}
			r += size
			flags |= flagEsc
		case c == '\r':
			r++
			flags |= flagEsc
		case c == ']':
			if r+2 >= n || t.in[r+1] == ']' {
				return -1, 0
			}
			r++
		case c >= 0x80:
			if r = runes(t.in, r); r < 0 {
				return r, 0
			}
		default:
			return -1, 0
		}
		r = t.masks.find(unsafe.Pointer(unsafe.SliceData(t.in)), maskText, r)
	}
	return n, flags
}

// runes returns where the characters above ASCII and spaces that begin at b[i]
// end, or -1 if one of them is wrong or not whole.
func runes(b []byte, i int) int {
	for i < len(b) {
		c := b[i]
		switch {
		case c == ' ':
			i++
			continue
		case c < 0x80:
			return i
		case c >= 0xC2 && c < 0xE0 && i+1 < len(b) && b[i+1]&0xC0 == 0x80:
			i += 2
			continue
		}
		_, size, err := runeAt(b[i:])
		if err != 0 {
			return -1
		}
		i += size
	}
	return i
}
