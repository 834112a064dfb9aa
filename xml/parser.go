package xml

import (
	"bytes"
	"math/bits"
)

// Parser parses the streams of one event loop. It holds the buffers, the tape
// and what is unfinished of all its connections. It is not for concurrent use.
type Parser struct {
	// MaxHeld bounds the bytes of unfinished elements held; beyond it Next
	// answers NoRoom to who would need more.
	MaxHeld int

	tree  tree
	whole []byte // an element put together from several reads
	parts parts
}

// defaultMaxHeld is for a loop with some 100,000 connections; what one of them
// may hold is Limits.Bytes.
const defaultMaxHeld = 1 << 30

// NewParser returns a Parser that holds at most 1 GiB of unfinished elements.
func NewParser() *Parser { return &Parser{MaxHeld: defaultMaxHeld} }

// Drop frees what p holds for s, whose connection is gone. s then awaits a
// stream header.
func (p *Parser) Drop(s *State) {
	p.parts.drop(s)
	*s = State{}
}

// Held returns the bytes of the buffers that hold unfinished elements now.
func (p *Parser) Held() int { return p.parts.held }

// Next reads from in up to the end of one thing and returns what it is and how
// many bytes it used. The caller decides what becomes of the rest: it is given
// again, thrown away, or goes to another Parser. White space between elements
// is a keepalive and skipped. e borrows in, or the Parser's buffers, until the
// next call for this or any other State.
//
// After an error s is of no more use, and every further call answers NotWellFormed.
//
// Next may read, but never heeds, up to 64 bytes behind in, within its capacity.
// Where there are less, the last element of in is copied.
func (p *Parser) Next(s *State, in []byte, lim *Limits) (k Kind, e Elem, n int, err error) {
	if s.held != 0 {
		if len(in) == 1 { // one byte that neither ends a tag nor needs room
			next, b, i := steps[s.frame%nStates][in[0]], p.parts.bufs[s.part], uint(s.held)
			if next&actMask == 0 && i < uint(len(b)) && i < uint(lim.Bytes) {
				b[i] = in[0]
				s.held++
				if next != s.frame { // mostly it is not, and the next byte need not wait
					s.frame = next
				}
				return None, Elem{}, 1, nil
			}
		}
		return p.resume(s, in, lim)
	}
	i := 0
	if len(in) > 0 && in[0] != '<' {
		if i = skipSpace(in); i == len(in) {
			return p.blank(s, i)
		}
		if in[i] != '<' {
			return p.fail(s, p.noise(s, in[i:]))
		}
	} else if len(in) == 0 {
		return None, Elem{}, 0, nil
	}
	switch {
	case s.mode > modeFramed:
		return p.fail(s, NotWellFormed)
	case s.mode < modeStream:
		if i > 0 && s.mode == modeHeader {
			s.mode = modeSpaced
		}
		k, e, n, err = p.open(s, in[i:], lim)
	default:
		k, e, n, err = p.fresh(s, in[i:], lim)
	}
	return k, e, i + n, err
}

// blank answers white space. Before a first header it rules out a declaration.
func (p *Parser) blank(s *State, n int) (Kind, Elem, int, error) {
	if s.mode == modeHeader {
		s.mode = modeSpaced
	}
	return None, Elem{}, n, nil
}

// noise says what is wrong with in, which does not begin an element.
func (p *Parser) noise(s *State, in []byte) Error {
	switch s.mode {
	case modeStream, modeFramed:
		return BadFormat
	case modeHeader, modeAgain:
		if in[0] >= 0xFE || in[0] == 0 { // UTF-16 with a byte order mark or without
			return BadEncoding
		}
	}
	return NotWellFormed
}

// fail ends s.
func (p *Parser) fail(s *State, err Error) (Kind, Elem, int, error) {
	p.parts.drop(s)
	*s = State{mode: modeFailed}
	return None, Elem{}, 0, err
}

// fresh reads an element or the stream's end-tag from its '<' on.
func (p *Parser) fresh(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	ctx := contextAt(s.ctx)
	if len(in) > 1 && in[1] == '/' {
		return p.end(s, in, ctx.name, lim)
	}
	if len(in) < 64 && in[len(in)-1] != '>' && s.frame == inText {
		return p.scrap(s, in, lim)
	}
	n, err := p.tree.parse(in[:min(len(in), lim.Bytes)], lim, ctx)
	switch err {
	case 0:
		if p.reopened(s) {
			return p.fail(s, Reopened)
		}
		return Element, Elem{&p.tree, 0}, n, nil
	case errMore:
		return p.hold(s, in, lim)
	}
	return p.fail(s, err)
}

// scrap reads in, which is short and seems to end within an element: then it is
// cheaper to begin with the framer.
func (p *Parser) scrap(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	n, done, err := p.frame(s, in, 0, lim)
	if done {
		return p.fresh(s, in[:n:cap(in)], lim)
	}
	if len(in) > lim.Bytes {
		err = TooBig
	}
	switch {
	case err != 0:
		return p.fail(s, err)
	case s.depth > 0:
		return p.rooted(s, in, lim)
	}
	return p.keep(s, in)
}

// end reads the stream's end-tag.
func (p *Parser) end(s *State, in []byte, name string, lim *Limits) (Kind, Elem, int, error) {
	n, err := streamEnd(in, name)
	switch err {
	case 0:
		s.mode = modeClosed
		return End, Elem{}, n, nil
	case errMore:
		s.depth, s.frame = 0, inText
		s.advance(in, lim.Depth)
		return p.keep(s, in)
	}
	return p.fail(s, err)
}

// hold keeps in, the beginning of an element of which p.tree has read what is
// whole.
func (p *Parser) hold(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	if len(in) > lim.Bytes {
		return p.fail(s, TooBig)
	}
	if len(p.tree.frames) > 0 && p.reopened(s) {
		return p.fail(s, Reopened)
	}
	t := &p.tree
	s.depth, s.frame = uint16(len(t.frames)), inText
	_, done, err := p.frame(s, in, t.at, lim)
	if done {
		err = NotWellFormed
	}
	if err != 0 {
		return p.fail(s, err)
	}
	return p.keep(s, in)
}

// keep adds in, all of which is used, to what is held.
func (p *Parser) keep(s *State, in []byte) (Kind, Elem, int, error) {
	if p.parts.held+len(in) > p.MaxHeld {
		return p.fail(s, NoRoom)
	}
	p.parts.add(s, in)
	return None, Elem{}, len(in), nil
}

// reopened tells whether the element in p.tree, of which the start-tag is
// there, is a stream header.
func (p *Parser) reopened(s *State) bool {
	x := p.tree.tape[0]
	return (x.nameLen() == 6 || x.b&flagPrefix != 0) && s.mode == modeStream &&
		Elem{&p.tree, 0}.Is("stream", nsStream)
}

// resume goes on with an element or header of which bytes are held.
func (p *Parser) resume(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	if s.mode < modeStream {
		return p.resumeOpen(s, in, lim)
	}
	depth := s.depth
	n, done, err := p.frame(s, in, 0, lim)
	if int(s.held)+n > lim.Bytes {
		err = TooBig
	}
	switch {
	case err != 0:
		return p.fail(s, err)
	case done:
		return p.complete(s, in[:n], lim)
	case depth == 0 && s.depth > 0:
		return p.rooted(s, in, lim)
	}
	return p.keep(s, in)
}

// frame advances s over in from q on, by jumps where there are enough bytes.
func (p *Parser) frame(s *State, in []byte, q int, lim *Limits) (n int, done bool, err Error) {
	far := len(in)
	if short := far + slack - cap(in); short > 0 {
		far -= short
	}
	if far >= q+16 && isLittle {
		if q, done, err = s.jump(in[:far], q, lim.Depth); done || err != 0 {
			return q, done, err
		}
	}
	if q == len(in) {
		return q, false, 0
	}
	n, done, err = s.advance(in[q:], lim.Depth)
	return q + n, done, err
}

// rooted keeps in, with which the start-tag of a top-level element has come.
func (p *Parser) rooted(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	if k, e, n, err := p.keep(s, in); err != nil {
		return k, e, n, err
	}
	if held := p.parts.of(s); namesStream(held) {
		_, err := p.tree.parse(held, lim, contextAt(s.ctx))
		if err == errMore && len(p.tree.frames) > 0 && p.reopened(s) {
			err = Reopened
		}
		if err != errMore {
			return p.fail(s, err)
		}
	}
	return None, Elem{}, len(in), nil
}

// namesStream tells whether the tag at the start of b may have the local name
// "stream".
func namesStream(b []byte) bool {
	i := 1
	for i < len(b) && b[i] > ' ' && b[i] != '>' && b[i] != '/' {
		i++
	}
	return bytes.HasSuffix(b[:i], []byte("stream"))
}

// complete reads an element from what is held and in, which ends it.
func (p *Parser) complete(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	p.whole = append(append(p.whole[:0], p.parts.of(s)...), in...)
	p.parts.drop(s)
	s.frame = inText
	k, e, n, err := p.fresh(s, p.whole, lim)
	if err != nil {
		return None, Elem{}, 0, err
	}
	if n != len(p.whole) || k == None {
		return p.fail(s, NotWellFormed)
	}
	return k, e, len(in), nil
}

// open reads a stream header.
func (p *Parser) open(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	t := &p.tree
	t.reset(in[:min(len(in), lim.Header)], frameless)
	n, err := t.header(lim, s.mode == modeSpaced)
	if err == errMore && len(in) > lim.Header {
		err = TooBig
	}
	if err == 0 {
		s.ctx, err = internContext(t)
	}
	switch err {
	case 0:
		s.mode, s.frame = modeStream, inText
		return Header, Elem{t, 0}, n, nil
	case errMore:
		s.frame = inHeader
		s.endsHeader(in)
		return p.keep(s, in)
	}
	return p.fail(s, err)
}

// resumeOpen goes on with a header. It is read anew only when a byte came that
// can end it, while it is short, and when it has become twice as long.
func (p *Parser) resumeOpen(s *State, in []byte, lim *Limits) (Kind, Elem, int, error) {
	held := int(s.held)
	longer := bits.Len(uint(held)) != bits.Len(uint(held+len(in)))
	if !s.endsHeader(in) && !longer && held > 64 && held+len(in) <= lim.Header {
		return p.keep(s, in)
	}
	p.whole = append(append(p.whole[:0], p.parts.of(s)...), in...)
	t := &p.tree
	t.reset(p.whole[:min(len(p.whole), lim.Header)], frameless)
	if _, err := t.header(lim, s.mode == modeSpaced); err == errMore && len(p.whole) <= lim.Header {
		return p.keep(s, in)
	}
	p.parts.drop(s)
	k, e, n, fault := p.open(s, p.whole, lim)
	return k, e, max(0, n-held), fault
}
