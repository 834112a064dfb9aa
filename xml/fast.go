package xml

import (
	"math/bits"
	"unsafe"
)

// Memory behind in is read without a check. That is safe since every position
// is found by a mask, which stops at the input's end, and goes on from there by
// at most some bytes before it is compared with the end.

func byteAt(p unsafe.Pointer, i int) byte     { return *(*byte)(unsafe.Add(p, i)) }
func load16(p unsafe.Pointer, i int) uint16   { return *(*uint16)(unsafe.Add(p, i)) }
func load64(p unsafe.Pointer, i int) uint64   { return *(*uint64)(unsafe.Add(p, i)) }
func bitsAt(row unsafe.Pointer, i int) uint64 { return load64(row, i>>3) >> (uint(i) & 7) }

// isLittle tells whether masks can be read at any byte.
var isLittle = *(*byte)(unsafe.Pointer(&[1]uint16{1})) == 1

const (
	xmlnsKey = 'x'<<24 | 'm'<<32 | 'l'<<40 | 'n'<<48 | 's'<<56
	langKey  = 'x' | 'm'<<8 | 'l'<<16 | ':'<<24 | 'l'<<32 | 'a'<<40 | 'n'<<48 | 'g'<<56
	equApos  = '=' | '\''<<8
	equQuot  = '=' | '"'<<8

	// attrHash spreads the names that stand in one tag over 64 bits. It is the
	// first random one without a collision in what TestCommonAttributesDoNotCollide
	// lists.
	attrHash = 0x68255aaf95e94627

	entrySize = unsafe.Sizeof(entry{})
	frameSize = unsafe.Sizeof(frame{})
)

// cursor is where the fast tokenizer is. While that runs, what changes is in its
// variables; what does not it reads here.
type cursor struct {
	in   unsafe.Pointer
	n    int            // bytes of input
	p    int            // '<' of the tag, or where a text begins
	q    int            // next byte
	e    unsafe.Pointer // next entry
	tag  unsafe.Pointer // entry of the tag
	top  unsafe.Pointer // frame of the innermost open element
	seen uint64         // hashes of the tag's attribute names
	def  int            // default namespace inside the tag
	name int            // length of the tag's name

	a, v, r int    // an attribute's name and quotes; r is also the end of a text
	flags   uint64 // of the value or text

	tape      unsafe.Pointer
	lastEntry unsafe.Pointer // leaves room for a tag
	lastFrame unsafe.Pointer // at the depth allowed
	maxAttrs  uintptr        // in bytes of entries
	maxElems  int
}

// Where the fast tokenizer begins, and why it stops.
const (
	atTag   = iota // a tag at p
	atValue        // in a tag: the value from v to r, with flags
	atText         // the text from q to r, with flags
	atNext         // behind a tag, at q

	isDone     // the element ends at q
	isMore     // the input ends in what begins at p
	isOdd      // what begins at p is for the plain tokenizer
	isTwice    // the attribute at a may have been there
	isLong     // the value of the attribute at a does not end in the masks at hand
	isLongText // nor does the text at q
	isLongName // nor the name of the tag at p
	isValue    // the value at v has special bytes
	isSpecial  // the text at q has special bytes at r
	isFull     // the tape needs room for the tag at p
)

// attrBit hashes the first 8 bytes, in key, of a name of l bytes.
func attrBit(key uint64, l int) uint64 {
	key <<= uint(64-8*min(l, 8)) & 63
	return 1 << (key * attrHash >> 58)
}

// run is the fast tokenizer. What is common it does itself: tags on one line,
// without prefixes, whose values and text mean themselves. For all else it
// stops and says why; it may be started anew where that left off.
//
// It is one long function without calls, so that what changes stays in
// registers. What it costs are jumps that depend on the input, so it has as few
// as can be.
func (t *tree) run(from int) int {
	var (
		u           = &t.cur
		in          = u.in
		p, q        = u.p, u.q
		e, tag, top = u.e, u.tag, u.top
		seen        = u.seen
		def         = u.def
		a, v, r     = u.a, u.v, u.r
		flags       = u.flags
		w, w2, key  uint64
		c           byte
		l           int
		x           *entry
		f           *frame
		why         int
	)
	switch from {
	case atTag:
		goto tag
	case atValue:
		goto value
	case atText:
		goto text
	}
	goto content

tag: // p is at '<'
	if uintptr(e) > uintptr(u.lastEntry) {
		why = isFull
		goto stop
	}
	c = byteAt(in, p+1)
	tag = e
	if c < 'A' { // no letter
		if c == '/' {
			goto endTag
		}
		goto odd
	}
	w = bitsAt(t.masks.rows[maskName], p+1)
	if w == 0 {
		why = isLongName
		goto stop
	}
	q = p + 1 + bits.TrailingZeros64(w)
	u.name = q - p - 1
	def = int((*frame)(top).def)
	seen = 0
	e = unsafe.Add(e, entrySize)

inTag: // q is behind the name or a value
	c = byteAt(in, q)
	if c != ' ' {
		goto tagEnd
	}

	// An attribute: its value is between the next two bytes that are special in
	// values, if those are quotes; its name reaches from here to the '='.
	a = q + 1
	w = bitsAt(t.masks.rows[maskValue], a)
	w2 = w & (w - 1)
	v = a + bits.TrailingZeros64(w)
	r = a + bits.TrailingZeros64(w2)
	if w2 == 0 { // the value is long, or its masks are not made yet
		if w != 0 {
			w = bitsAt(t.masks.rows[maskValue], v+1)
		}
		if w == 0 {
			why = isLong
			goto stop
		}
		r = v + 1 + bits.TrailingZeros64(w)
	}
	flags = 0
	if byteAt(in, r) != byteAt(in, v) {
		why = isValue
		goto stop
	}

value:
	if w := load16(in, v-1); w != equApos && w != equQuot {
		goto odd
	}
	l = v - 1 - a
	key = load64(in, a)
	if l > 56 { // more than the masks show at once
		goto odd
	}
	if bits.TrailingZeros64(bitsAt(t.masks.rows[maskName], a)) != l {
		if key != langKey || l != 8 {
			goto odd
		}
		flags |= flagPrefix | nsIsXML<<32
	}
	if byte(key) < 'A' {
		goto odd
	}
	w = attrBit(key, l)
	if seen&w != 0 {
		why = isTwice
		goto stop
	}
	seen |= w

	x = (*entry)(e)
	x.a = pack(v+1, r-v-1)
	x.b = kindAttr | uint64(l)<<8 | flags
	if uintptr(e)-uintptr(tag) > u.maxAttrs {
		goto odd
	}
	q = r + 1
	if l == 5 && key<<24 == xmlnsKey {
		l = r - v - 1
		if l == 0 || l == len(nsXML) || l == len(nsXMLNS) || flags != 0 {
			goto odd
		}
		x.b = kindDecl | uint64(len("xmlns"))<<8
		def = int(uintptr(e)-uintptr(u.tape)) / int(entrySize)
	}
	e = unsafe.Add(e, entrySize)
	goto inTag

tagEnd: // c, at q, is no space
	if q >= u.n {
		goto more
	}
	if uintptr(top) >= uintptr(u.lastFrame) || t.elems >= u.maxElems {
		goto odd
	}
	x = (*entry)(tag)
	if c == '>' {
		q++
		t.elems++
		l = u.name
		x.a = uint64(p + 1)
		x.b = kindStart | uint64(l)<<8 | uint64(def)<<32
		top = unsafe.Add(top, frameSize)
		f = (*frame)(top)
		f.name, f.nameLen = uint32(p+1), uint32(l)
		f.start, f.def = uint32((uintptr(tag)-uintptr(u.tape))/entrySize), uint32(def)
		goto content
	}
	if c != '/' || byteAt(in, q+1) != '>' {
		goto odd
	}
	q += 2
	if q > u.n {
		goto more
	}
	t.elems++
	x.a = uint64(p+1) | uint64(uintptr(e)-uintptr(u.tape))/uint64(entrySize)<<32
	x.b = kindStart | uint64(u.name)<<8 | uint64(def)<<32
	x = (*entry)(e)
	x.a = pack(q-2, q)
	x.b = kindEnd
	e = unsafe.Add(e, entrySize)
	if (*frame)(top).nameLen == 0 {
		goto done
	}

content: // q is behind a tag
	w = bitsAt(t.masks.rows[maskText], q)
	r = q + bits.TrailingZeros64(w)
	if w == 0 {
		w = bitsAt(t.masks.rows[maskText], r&^7)
		if w == 0 {
			goto longText
		}
		r = r&^7 + bits.TrailingZeros64(w)
	}
	flags = kindText
	if byteAt(in, r) != '<' {
		why = isSpecial
		p = q
		goto stop
	}

text:
	x = (*entry)(e) // if there is no text, the next entry takes its place
	x.a = pack(q, r-q)
	x.b = flags
	e = unsafe.Add(e, uint(q-r)>>63*uint(entrySize))
	p = r
	if p < u.n {
		goto tag
	}
	p = q
	goto more

endTag: // "</" is at p
	f = (*frame)(top)
	l = int(f.nameLen)
	if l > 16 {
		goto odd
	}
	r = int(f.name)
	v = max(l-8, 0)
	w = load64(in, p+2) ^ load64(in, r)
	w2 = load64(in, p+2+v) ^ load64(in, r+v)
	w = (w | w2) << (uint(64-8*(l-v)) & 63)
	q = p + 2 + l
	if q >= u.n {
		goto more
	}
	if w != 0 || byteAt(in, q) != '>' || len(t.binds) > 0 {
		goto odd
	}
	q++
	(*entry)(unsafe.Add(u.tape, uintptr(f.start)*entrySize)).a = uint64(r) | uint64(uintptr(e)-uintptr(u.tape))/uint64(entrySize)<<32
	x = (*entry)(e)
	x.a = pack(p, q)
	x.b = kindEnd
	e = unsafe.Add(e, entrySize)
	top = unsafe.Add(top, -int(frameSize))
	if (*frame)(top).nameLen != 0 {
		goto content
	}

done:
	why = isDone
	goto stop
longText:
	why = isLongText
	p = q
	goto stop
more:
	why = isMore
	goto stop
odd:
	e = tag
	why = isOdd
stop:
	u.p, u.q = p, q
	u.e, u.tag, u.top = e, tag, top
	u.seen, u.def = seen, def
	u.a, u.v, u.r, u.flags = a, v, r, flags
	return why
}
