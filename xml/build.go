package xml

import "strconv"

// Builder writes XML by appending to B. It escapes every value; only Raw takes
// XML as it is. Its methods return the Builder, so that calls can be chained.
// The zero Builder has to be Reset. A Builder is used again and again; up to 32
// levels it does not allocate but for B.
type Builder struct {
	B []byte

	depth int
	inTag bool // the innermost start-tag is not closed yet
	space string
	stack [32]level
	more  []level // beyond 32
}

// level is an open element: its name, and the default namespace around it.
type level struct{ name, outer string }

// Reset begins to append to dst. space is the default namespace where the
// result goes.
func (b *Builder) Reset(dst []byte, space string) *Builder {
	b.B, b.space = dst, space
	b.depth, b.inTag, b.more = 0, false, b.more[:0]
	return b
}

// Start opens an element. It declares space unless that is in force; "" is the
// namespace in force. local may have a prefix that is declared outside, as in
// "stream:error", and then space has to be "". It panics if local is empty,
// which is a bug of the caller.
func (b *Builder) Start(local, space string) *Builder {
	if local == "" {
		panic("xml: element without a name")
	}
	b.closeTag()
	b.push(level{local, b.space})
	b.B = append(append(b.B, '<'), local...)
	b.inTag = true
	if space != "" && space != b.space {
		b.space = space
		b.Attr("xmlns", space)
	}
	return b
}

func (b *Builder) push(l level) {
	if b.depth < len(b.stack) {
		b.stack[b.depth] = l
	} else {
		b.more = append(b.more, l)
	}
	b.depth++
}

func (b *Builder) pop() (l level) {
	b.depth--
	if b.depth < len(b.stack) {
		return b.stack[b.depth]
	}
	l = b.more[len(b.more)-1]
	b.more = b.more[:len(b.more)-1]
	return l
}

// closeTag ends the start-tag that attributes were added to.
func (b *Builder) closeTag() {
	if b.inTag {
		b.B = append(b.B, '>')
		b.inTag = false
	}
}

// name begins an attribute. It panics outside of a start-tag, which is a bug of
// the caller.
func (b *Builder) name(name string) {
	if !b.inTag {
		panic("xml: attribute outside of a start-tag")
	}
	b.B = append(append(append(b.B, ' '), name...), "='"...)
}

// Attr adds an attribute to the element just started. name may have a prefix
// that is in scope, as in "xml:lang".
func (b *Builder) Attr(name, value string) *Builder {
	b.name(name)
	b.B = append(AppendEscapedAttrString(b.B, value), '\'')
	return b
}

// AttrBytes is Attr for bytes.
func (b *Builder) AttrBytes(name string, value []byte) *Builder {
	b.name(name)
	b.B = append(AppendEscapedAttr(b.B, value), '\'')
	return b
}

// AttrInt is Attr for a number.
func (b *Builder) AttrInt(name string, v int64) *Builder {
	b.name(name)
	b.B = append(strconv.AppendInt(b.B, v, 10), '\'')
	return b
}

// OptAttr is Attr, but adds nothing if value is empty.
func (b *Builder) OptAttr(name, value string) *Builder {
	if value == "" {
		return b
	}
	return b.Attr(name, value)
}

// Text adds character data.
func (b *Builder) Text(s string) *Builder {
	if s == "" {
		return b
	}
	b.closeTag()
	b.B = AppendEscapedString(b.B, s)
	return b
}

// TextBytes is Text for bytes.
func (b *Builder) TextBytes(s []byte) *Builder {
	if len(s) == 0 {
		return b
	}
	b.closeTag()
	b.B = AppendEscaped(b.B, s)
	return b
}

// Raw adds well-formed content as it is, for example what Elem.AppendTo wrote
// for the namespace in force.
func (b *Builder) Raw(xml []byte) *Builder {
	if len(xml) == 0 {
		return b
	}
	b.closeTag()
	b.B = append(b.B, xml...)
	return b
}

// Elem adds e with all that it needs to mean the same here.
func (b *Builder) Elem(e Elem) *Builder {
	if e.OK() {
		b.closeTag()
		b.B = e.AppendTo(b.B, b.space)
	}
	return b
}

// End closes the innermost element.
func (b *Builder) End() *Builder {
	l := b.pop()
	b.space = l.outer
	if b.inTag {
		b.inTag = false
		b.B = append(b.B, "/>"...)
		return b
	}
	b.B = append(append(append(b.B, "</"...), l.name...), '>')
	return b
}

// Bytes returns what was written, dst included.
func (b *Builder) Bytes() []byte { return b.B }

// Space returns the default namespace in force.
func (b *Builder) Space() string { return b.space }
