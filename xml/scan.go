package xml

import "unsafe"

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

// room makes the tape long enough for one more tag and its text, and the frames
// for all levels.
func (t *tree) room(lim *Limits) {
	if need := len(t.tape) + lim.Attrs + 8; need > cap(t.tape) {
		tape := make([]entry, len(t.tape), 2*need)
		copy(tape, t.tape)
		t.tape = tape
	}
	if len(t.levels) < lim.Depth+2 {
		t.levels = make([]frame, lim.Depth+2)
		t.frames = t.levels[1:1]
	}
}

// load points t.cur to the end of the tape and the frames.
func (t *tree) load(lim *Limits) {
	t.room(lim)
	u := &t.cur
	u.tape = unsafe.Pointer(unsafe.SliceData(t.tape))
	u.e = unsafe.Add(u.tape, uintptr(len(t.tape))*entrySize)
	u.lastEntry = unsafe.Add(u.tape, uintptr(cap(t.tape)-lim.Attrs-8)*entrySize)
	u.top = unsafe.Pointer(&t.levels[len(t.frames)])
	u.lastFrame = unsafe.Pointer(&t.levels[lim.Depth])
	u.maxAttrs, u.maxElems = uintptr(lim.Attrs)*entrySize, lim.Elems
}

// store makes the tape and the frames end where t.cur points to.
func (t *tree) store() {
	u := &t.cur
	t.tape = t.tape[:(uintptr(u.e)-uintptr(u.tape))/entrySize]
	d := (uintptr(u.top) - uintptr(unsafe.Pointer(unsafe.SliceData(t.levels)))) / frameSize
	t.frames = t.levels[1 : 1+d]
}

// scan reads the element at the start of t.in: the fast tokenizer as far as it
// goes, and help where it stops.
func (t *tree) scan(lim *Limits) (int, Error) {
	if !isLittle {
		return t.plainElement(lim)
	}
	u := &t.cur
	u.in, u.n = unsafe.Pointer(unsafe.SliceData(t.in)), len(t.in)
	u.p = 0
	t.masks.reset(u.in, u.n)
	t.load(lim)
	t.levels[0] = frame{def: t.ctx.def()}
	for why := t.run(atTag); ; {
		switch why {
		case isDone:
			t.store()
			return u.q, 0
		case isMore:
			t.store()
			t.at = u.p
			return 0, errMore
		case isFull:
			t.store()
			t.load(lim)
			why = t.run(atTag)
		case isOdd:
			if err := t.odd(lim); err != 0 {
				t.at = u.p
				return 0, err
			}
			if len(t.frames) == 0 {
				return u.q, 0
			}
			why = t.run(atNext)
		default:
			why = t.help(why)
		}
	}
}

// odd lets the plain tokenizer read what begins at p: a text and a tag.
func (t *tree) odd(lim *Limits) (err Error) {
	t.store()
	s := plain{tree: t, p: t.cur.p, lim: lim}
	if len(t.frames) == 0 {
		err = s.first()
	} else {
		err = s.content()
	}
	t.load(lim)
	t.cur.q = s.p
	t.masks.reach(t.cur.in, s.p)
	return err
}

// help finds what the fast tokenizer needs to go on, and lets it. The answer is
// why it stopped again.
func (t *tree) help(why int) int {
	u, m := &t.cur, &t.masks
	switch why {
	case isLongName:
		if m.reach(u.in, min(u.p+2*block, u.n)); bitsAt(m.rows[maskName], u.p+1) != 0 {
			return t.run(atTag)
		}
		return isOdd
	case isTwice:
		return t.twice()
	case isLong:
		u.v = m.find(u.in, maskValue, min(u.a, u.n))
		u.r = m.find(u.in, maskValue, min(u.v+1, u.n))
		return t.special()
	case isValue:
		return t.special()
	case isLongText:
		u.r = m.find(u.in, maskText, u.q)
	}
	if u.r, u.flags = t.textEnd(u.r); u.r < 0 {
		u.tag = u.e
		return isOdd
	}
	if u.r >= u.n {
		return isMore
	}
	return t.run(atText)
}

// special finds the end of a value that has special bytes.
func (t *tree) special() int {
	u := &t.cur
	if u.v >= u.n {
		u.e = u.tag
		return isMore
	}
	if w := load16(u.in, u.v-1); w != equApos && w != equQuot {
		u.e = u.tag
		return isOdd
	}
	if u.r, u.flags = t.valueEnd(u.v, u.r); u.r < 0 {
		u.e = u.tag
		return isOdd
	}
	if u.r >= u.n {
		u.e = u.tag
		return isMore
	}
	return t.run(atValue)
}

// twice looks whether the tag has had an attribute of the name at a, of which
// the hash was met before.
func (t *tree) twice() int {
	u := &t.cur
	t.store()
	start := (uintptr(u.tag) - uintptr(u.tape)) / entrySize
	if u.v > u.n || t.has(int(start), t.in[u.a:u.v-1]) {
		u.e = u.tag
		return isOdd
	}
	u.seen &^= attrBit(load64(u.in, u.a), u.v-1-u.a)
	return t.run(atValue)
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
