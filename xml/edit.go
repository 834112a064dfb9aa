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
	end  uint32         // the entry behind the attributes
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
	x := e.t.tape[e.i]
	w := editor{e: e, dst: dst, at: x.lo() - 1}
	w.with = [nEdits][]byte{ed.To, ed.From, ed.ID, ed.Type, ed.Lang}
	content := e.inContent(x)
	if content && x.b&flagPrefix != 0 {
		return rewrite(w, *ed, space)
	}
	w.find()
	w.start(x, space, content)
	w.attrs(content)
	w.children(ed)
	return w.dst
}

// inContent tells whether e, whose entry is x, is in a content namespace.
func (e Elem) inContent(x entry) bool {
	if x.ns() == nsDefault {
		return e.t.ctx.content
	}
	return isContent(e.t.uri(x.ns()))
}

// find looks up the attributes that may be edited, and the declaration.
func (w *editor) find() {
	t := w.e.t
	for j := w.e.i + 1; ; j++ {
		x := t.tape[j]
		switch x.kind() {
		case kindAttr:
			if i := editOf(t, x); i < nEdits {
				w.had[i] = j
			}
		case kindDecl:
			if x.isDefault() {
				w.decl = j
			}
		default:
			w.end = j
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
func (w *editor) start(x entry, space string, content bool) {
	t := w.e.t
	name := x.lo() + x.nameLen()
	if !content {
		w.upTo(name)
		w.dst = w.e.appendDecls(w.dst, space)
	} else if t.prefixed || !isContent(space) {
		w.upTo(name)
		if !isContent(space) {
			w.dst = append(w.dst, " xmlns='"+nsClient+"'"...)
		}
		w.dst = w.e.appendPrefixes(w.dst)
	}
	for i := range w.with {
		if len(w.with[i]) > 0 && w.had[i] == 0 {
			w.upTo(name)
			w.dst = append(w.dst, editNames[i]...)
			w.dst = append(AppendEscapedAttr(w.dst, w.with[i]), '\'')
		}
	}
}

// upTo copies the input up to off.
func (w *editor) upTo(off uint32) {
	w.dst = append(w.dst, w.e.t.in[w.at:off]...)
	w.at = off
}

// attrs writes the attributes that were there, edited.
func (w *editor) attrs(content bool) {
	for j := w.e.i + 1; j < w.end; j++ {
		if j == w.decl && content {
			w.remove(w.e.t.tape[j])
			continue
		}
		for i := range w.had {
			if w.had[i] == j && w.with[i] != nil {
				w.replace(w.e.t.tape[j], w.with[i])
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
