package xml

import "slices"

// Edit says what the start-tag of a forwarded stanza says instead, and what is
// left out or added.
type Edit struct {
	// Attributes, unescaped: nil keeps, empty removes, else is the new value,
	// whether there was one or not.
	To, From, ID, Type, Lang []byte
	// Fresh says that the element has no from and no xml:lang, or that they are kept:
	// they need not be looked for. To, ID and Type are nil then.
	Fresh bool
	// Skip tells which children to leave out. nil keeps all.
	Skip func(child Elem) bool
	// Tail is well-formed XML that becomes the last children. Its default
	// namespace is the one that the stanza has when written.
	Tail []byte
}

// The attributes of an Edit.
const (
	editTo = iota
	editFrom
	editID
	editType
	editLang
	nEdits
)

var editNames = [nEdits]string{" to='", " from='", " id='", " type='", " xml:lang='"}

// value returns the new value of one of them.
func (ed *Edit) value(i int) []byte {
	switch i {
	case editTo:
		return ed.To
	case editFrom:
		return ed.From
	case editID:
		return ed.ID
	case editType:
		return ed.Type
	}
	return ed.Lang
}

// editOf returns which edited attribute x is, or nEdits.
func editOf(t *tree, x entry) int {
	n := x.nameLen()
	if n != 2 && n != 4 && n != 8 {
		return nEdits
	}
	name, _ := t.name(x)
	switch string(name) {
	case "to":
		return editTo
	case "from":
		return editFrom
	case "id":
		return editID
	case "type":
		return editType
	case "xml:lang":
		return editLang
	}
	return nEdits
}

// editor writes one element with an Edit.
type editor struct {
	e   Elem
	dst []byte
	at  uint32 // in the input: what is before it is written
	end uint32 // in the input: behind the last attribute
}

// AppendEdited is AppendTo with an edit. If e is in a content namespace
// (jabber:client, jabber:server) it is written in that of the target, and its
// children that inherit the namespace stay in it (RFC 6120 §4.8.3): without a
// declaration if space is a content namespace, else (WebSocket frames, forwarded
// stanzas) as jabber:client with a declaration.
func (e Elem) AppendEdited(dst []byte, space string, ed *Edit) []byte {
	if e.none() {
		return dst
	}
	x := e.t.tape[e.i]
	w := editor{e: e, dst: dst, at: x.lo() - 1}
	content := e.inContent(x)
	if ed.Fresh && x.ns() == nsDefault && !e.t.prefixed && isContent(space) && content {
		w.fresh(x, ed)
		return w.dst
	}
	if content && x.b&flagPrefix != 0 {
		return rewrite(w, *ed, space)
	}
	w.dst = slices.Grow(dst, int(e.t.tape[x.hi()].hi()-w.at)+len(ed.To)+len(ed.From)+len(ed.Tail)+64)
	had := w.attrs(x, content, ed)
	w.decls(space, content)
	w.added(had, ed)
	w.children(ed)
	return w.dst
}

// fresh writes an element whose start-tag only gets more attributes.
func (w *editor) fresh(x entry, ed *Edit) {
	w.upTo(x.lo() + x.nameLen())
	if len(ed.From) > 0 {
		w.dst = append(w.dst, editNames[editFrom]...)
		w.dst = append(AppendEscapedAttr(w.dst, ed.From), '\'')
	}
	if len(ed.Lang) > 0 {
		w.dst = append(w.dst, editNames[editLang]...)
		w.dst = append(AppendEscapedAttr(w.dst, ed.Lang), '\'')
	}
	w.children(ed)
}

// inContent tells whether e, whose entry is x, is in a content namespace.
func (e Elem) inContent(x entry) bool {
	if x.ns() == nsDefault {
		return e.t.ctx.content
	}
	return isContent(e.t.uri(x.ns()))
}

// attrs writes the attributes that were there, edited, but for the last ones that
// stay. It returns a bit for each edited attribute.
func (w *editor) attrs(x entry, content bool, ed *Edit) (had uint) {
	t := w.e.t
	w.end = x.lo() + x.nameLen()
	for j := w.e.i + 1; ; j++ {
		x := t.tape[j]
		if k := x.kind(); k != kindAttr && k != kindDecl {
			return had
		}
		raw, off := t.raw(x)
		w.end = off + uint32(len(raw)) + 1
		if i := editOf(t, x); i < nEdits {
			had |= 1 << i
			if v := ed.value(i); v != nil {
				w.replace(x, off, v)
			}
		} else if content && x.isDefault() {
			w.remove(x)
		}
	}
}

// decls writes the declarations that the element needs where it goes.
func (w *editor) decls(space string, content bool) {
	if !content {
		w.upTo(w.end)
		w.dst = w.e.appendDecls(w.dst, space)
		return
	}
	if !isContent(space) {
		w.upTo(w.end)
		w.dst = append(w.dst, " xmlns='"+nsClient+"'"...)
	}
	if w.e.t.prefixed {
		w.upTo(w.end)
		w.dst = w.e.appendPrefixes(w.dst)
	}
}

// added writes the attributes that were not there.
func (w *editor) added(had uint, ed *Edit) {
	for i := range nEdits {
		if v := ed.value(i); len(v) > 0 && had>>i&1 == 0 {
			w.upTo(w.end)
			w.dst = append(w.dst, editNames[i]...)
			w.dst = append(AppendEscapedAttr(w.dst, v), '\'')
		}
	}
}

// upTo copies the input up to off.
func (w *editor) upTo(off uint32) {
	w.dst = append(w.dst, w.e.t.in[w.at:off]...)
	w.at = off
}

// replace writes v for the value of x, which begins at off and is the last so far.
func (w *editor) replace(x entry, off uint32, v []byte) {
	if len(v) == 0 {
		w.remove(x)
		return
	}
	w.upTo(off)
	w.dst = AppendEscapedAttr(w.dst, v)
	w.at = w.end - 1
}

// remove leaves out x, the last so far, and the white space before it.
func (w *editor) remove(x entry) {
	_, name := w.e.t.name(x)
	w.upTo(w.e.t.skipBack(name))
	w.at = w.end
}

// children writes the rest, without what is skipped and with the tail.
func (w *editor) children(ed *Edit) {
	t := w.e.t
	end := t.tape[w.e.end()]
	if ed.Skip != nil {
		for c := w.e.First(); c.OK(); c = c.Next() {
			if ed.Skip(c) {
				x := t.tape[c.i]
				w.upTo(x.lo() - 1)
				w.at = t.tape[x.hi()].hi()
			}
		}
	}
	if len(ed.Tail) > 0 {
		w.upTo(end.lo())
		if t.in[end.lo()] == '/' {
			w.openEmpty(ed.Tail)
			return
		}
		w.dst = append(w.dst, ed.Tail...)
	}
	w.upTo(end.hi())
}

// openEmpty writes tail into an element that was written "<name/>", of which
// the '/' comes next.
func (w *editor) openEmpty(tail []byte) {
	name, _ := w.e.t.name(w.e.t.tape[w.e.i])
	w.dst = append(append(w.dst, '>'), tail...)
	w.dst = append(append(append(w.dst, "</"...), name...), '>')
}
