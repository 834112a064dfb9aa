package xml

// Edit says what the start-tag of a forwarded stanza says instead, and what is
// left out or added.
type Edit struct {
	// Attributes, unescaped: nil keeps, empty removes, else is the new value,
	// whether there was one or not.
	To, From, ID, Type, Lang []byte
	// Skip tells which children to leave out. nil keeps all.
	Skip func(child Elem) bool
	// Tail is well-formed XML that becomes the last children. Its default
	// namespace is the one that the stanza has when written.
	Tail []byte
}

// Places of the edited attributes in an editor.
const (
	editTo = iota
	editFrom
	editID
	editType
	editLang
	nEdits
)

var editNames = [nEdits]string{" to='", " from='", " id='", " type='", " xml:lang='"}

// editor writes one element with an Edit.
type editor struct {
	e    Elem
	dst  []byte
	at   uint32         // in the input: what is before it is written
	with [nEdits][]byte // new values
	had  [nEdits]uint32 // Attr entries
	decl uint32         // Decl entry of the default namespace
}

// AppendEdited is AppendTo with an edit. If e is in a content namespace
// (jabber:client, jabber:server) it is written in that of the target, and its
// children that inherit the namespace stay in it (RFC 6120 §4.8.3): without a
// declaration if space is a content namespace, else (WebSocket frames, forwarded
// stanzas) as jabber:client with a declaration.
func (e Elem) AppendEdited(dst []byte, space string, ed *Edit) []byte {
	if e.t == nil {
		return dst
	}
	w := editor{e: e, dst: dst, with: [nEdits][]byte{ed.To, ed.From, ed.ID, ed.Type, ed.Lang}}
	x := e.t.tape[e.i]
	content := isContent(e.Space())
	if content && x.b&flagPrefix != 0 {
		return w.rewrite(space, ed)
	}
	w.find()
	w.start(space, content)
	w.attrs(content)
	w.children(ed)
	return w.dst
}

// find looks up the attributes that may be edited, and the declaration.
func (w *editor) find() {
	t := w.e.t
	for j := w.e.i + 1; ; j++ {
		x := t.tape[j]
		switch {
		case x.kind() == kindAttr:
			if i := editOf(t, x); i < nEdits {
				w.had[i] = j
			}
		case x.isDefault():
			w.decl = j
		case x.kind() != kindDecl:
			return
		}
	}
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

// start writes "<name", declarations, and the attributes that are new.
func (w *editor) start(space string, content bool) {
	t := w.e.t
	x := t.tape[w.e.i]
	w.at = x.lo() - 1
	w.upTo(x.lo() + x.nameLen())
	switch {
	case !content:
		w.dst = w.e.appendDecls(w.dst, space)
	default:
		if !isContent(space) {
			w.dst = append(w.dst, " xmlns='"+nsClient+"'"...)
		}
		if t.prefixed {
			w.dst = w.e.appendPrefixes(w.dst)
		}
	}
	for i, v := range w.with {
		if len(v) > 0 && w.had[i] == 0 {
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

// attrs writes the attributes that were there, edited, up to the tag's end.
func (w *editor) attrs(content bool) {
	t := w.e.t
	for j := w.e.i + 1; ; j++ {
		x := t.tape[j]
		if k := x.kind(); k != kindAttr && k != kindDecl {
			return
		}
		if content && j == w.decl {
			w.remove(x)
			continue
		}
		for i, had := range w.had {
			if had == j && w.with[i] != nil {
				w.replace(x, w.with[i])
			}
		}
	}
}

// replace writes v for the value of x.
func (w *editor) replace(x entry, v []byte) {
	if len(v) == 0 {
		w.remove(x)
		return
	}
	raw, off := w.e.t.raw(x)
	w.upTo(off)
	w.dst = AppendEscapedAttr(w.dst, v)
	w.at = off + uint32(len(raw))
}

// remove leaves out x and the white space before it.
func (w *editor) remove(x entry) {
	_, name := w.e.t.name(x)
	w.upTo(w.e.t.skipBack(name))
	raw, off := w.e.t.raw(x)
	w.at = off + uint32(len(raw)) + 1
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
