package xml

import "encoding/binary"

// entry is one record of the tape. Which field means what depends on its kind:
//
//	kind   lo              hi                     nameLen  ns
//	Start  name offset     index of its End       yes      of the element
//	Attr   value offset    value length           yes      of the attribute
//	Decl   value offset    value length           yes      -
//	Text   offset          length                 -        -
//	End    offset of its   offset behind it       -        -
//	       first byte
//
// Offsets count from the '<' of the top-level element. Attr and Decl follow
// their Start. The End of <a/> begins at the '/'.
type entry struct {
	a uint64 // lo | hi<<32
	b uint64 // kind | flags<<4 | nameLen<<8 | ns<<32
}

const (
	kindStart = iota + 1
	kindAttr
	kindDecl // xmlns='' or xmlns:p=''
	kindText
	kindEnd
	kindMask = 15
)

// Flags of an entry.
const (
	flagEsc    = 1 << 4 // value or text has references or line ends to replace
	flagSide   = 1 << 5 // that was done: lo and hi lead into tree.side
	flagPrefix = 1 << 6 // the name has a prefix
	flagGap    = 1 << 7 // Attr, Decl: there is space between the name and the quote
	flagCData  = 1 << 7 // Text: a CDATA section
)

// Namespaces in an entry: 0 is none, below nsContext it is the index of the
// Decl, above it an index of context.uris.
const (
	nsContext = 1 << 31
	nsIsXML   = nsContext // index 0 of every context
	nsDefault = nsContext | 1
)

func (x entry) kind() uint64    { return x.b & kindMask }
func (x entry) lo() uint32      { return uint32(x.a) }
func (x entry) hi() uint32      { return uint32(x.a >> 32) }
func (x entry) nameLen() uint32 { return uint32(x.b) >> 8 }
func (x entry) ns() uint32      { return uint32(x.b >> 32) }
func pack(lo, hi int) uint64    { return uint64(lo) | uint64(hi)<<32 }

// frame is an open element.
type frame struct {
	name, nameLen uint32 // where its name is
	start         uint32 // its entry
	def           uint32 // default namespace inside it
}

// tree is one parsed element: its bytes, its tape, and the scratch that parsing
// and reading it need. All of it is used again for the next element.
type tree struct {
	in       []byte // the element's bytes; there may be more behind it
	tape     []entry
	ctx      *context
	side     []byte   // unescaped values: 8 bytes of the entry's old a, then the value
	levels   []frame  // [0] is what is around the element
	frames   []frame  // open elements; those of levels behind the first
	binds    []uint32 // Decl entries of the prefixes in scope, innermost last
	need     []uint32 // scratch of appendDecls
	prefixed bool     // a prefix other than xml is used
	late     bool     // in is one element, which is parsed when it is looked at
	at       int      // behind the last whole tag or CDATA section
	elems    int      // elements seen
	masks    masks
	cur      cursor
	copied   []byte // input that lacked room behind it
}

func (t *tree) reset(in []byte, ctx *context) {
	t.in, t.ctx = in, ctx
	t.tape, t.side = t.tape[:0], t.side[:0]
	t.binds = t.binds[:0]
	if len(t.levels) > 0 {
		t.frames = t.levels[1:1]
	}
	t.prefixed, t.late, t.at, t.elems = false, false, 0, 0
}

// raw returns the bytes of an Attr, Decl or Text as they came, and their offset.
func (t *tree) raw(x entry) (b []byte, off uint32) {
	a := x.a
	if x.b&flagSide != 0 {
		a = binary.LittleEndian.Uint64(t.side[x.lo()-8:])
	}
	off = uint32(a)
	return t.in[off : off+uint32(a>>32)], off
}

// value returns the meaning of an Attr, Decl or Text: unescaped, normalised.
func (t *tree) value(j uint32) []byte {
	x := t.tape[j]
	if x.b&(flagEsc|flagSide) == 0 {
		return t.in[x.lo() : x.lo()+x.hi()]
	}
	if x.b&flagSide == 0 {
		x = t.unescape(j)
	}
	return t.side[x.lo() : x.lo()+x.hi() : x.lo()+x.hi()]
}

// unescape fills in tree.side for entry j, once for as long as the tree lives.
func (t *tree) unescape(j uint32) entry {
	x := &t.tape[j]
	raw, _ := t.raw(*x)
	t.side = binary.LittleEndian.AppendUint64(t.side, x.a)
	lo := len(t.side)
	switch {
	case x.kind() != kindText:
		t.side = appendAttrValue(t.side, raw)
	case x.b&flagCData != 0:
		t.side = appendCData(t.side, raw)
	default:
		t.side = appendText(t.side, raw)
	}
	x.a = pack(lo, len(t.side)-lo)
	x.b |= flagSide
	return *x
}

// name returns the name of an entry as written, and its offset.
func (t *tree) name(x entry) (b []byte, off uint32) {
	n := x.nameLen()
	if x.kind() == kindStart {
		return t.in[x.lo() : x.lo()+n], x.lo()
	}
	_, off = t.raw(x)
	off -= 2 // = and the quote
	if x.b&flagGap != 0 {
		off = t.skipBack(off + 1) // space before the quote; one behind the '='
		off = t.skipBack(off - 1) // space before the '='
	}
	return t.in[off-n : off], off - n
}

// skipBack returns where the white space before off begins.
func (t *tree) skipBack(off uint32) uint32 {
	for isSpace(t.in[off-1]) {
		off--
	}
	return off
}

// split cuts a name at its colon.
func split(name []byte) (prefix, local []byte) {
	for i, c := range name {
		if c == ':' {
			return name[:i], name[i+1:]
		}
	}
	return nil, name
}

// local returns an entry's name without its prefix.
func (t *tree) local(x entry) []byte {
	name, _ := t.name(x)
	if x.b&flagPrefix != 0 {
		_, name = split(name)
	}
	return name
}

// uri returns the namespace name of an entry's ns.
func (t *tree) uri(ns uint32) []byte {
	switch {
	case ns == 0:
		return nil
	case ns >= nsContext:
		return t.ctx.uris[ns-nsContext]
	}
	return t.value(ns)
}

// isDefault tells whether entry x is xmlns='...'.
func (x entry) isDefault() bool { return x.b&(kindMask|flagPrefix) == kindDecl }
