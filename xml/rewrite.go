package xml

// rewrite is AppendEdited for a stanza whose name has a prefix bound to a
// content namespace. No client does that, and no peer need understand it: all
// elements are written without prefixes, each with the default namespace that
// it needs.
func (w *editor) rewrite(space string, ed *Edit) []byte {
	t := w.e.t
	content := string(t.uri(t.tape[w.e.i].ns()))
	target := space
	if !isContent(space) {
		target = nsClient
	}
	r := rewriter{t: t, dst: w.dst, content: content, target: target, frames: t.frames[:0]}
	r.root, r.def = w.e.i, space
	r.run(w, ed)
	t.frames = r.frames[:0]
	return r.dst
}

type rewriter struct {
	t               *tree
	dst             []byte
	content, target string  // elements in the first are written in the second
	def             string  // default namespace around the root
	frames          []frame // open elements
	root            uint32
}

// run writes all entries of the element.
func (r *rewriter) run(w *editor, ed *Edit) {
	for j, end := r.root, w.e.end(); j <= end; j++ {
		switch x := r.t.tape[j]; x.kind() {
		case kindStart:
			if ed.Skip != nil && len(r.frames) == 1 && ed.Skip(Elem{r.t, j}) {
				j = x.hi()
				continue
			}
			r.start(w, j)
		case kindText:
			r.dst = AppendEscaped(r.dst, r.t.value(j))
		case kindEnd:
			if j == end {
				r.dst = append(r.dst, ed.Tail...)
			}
			r.end()
		}
	}
}

// space returns the namespace that an element is written in.
func (r *rewriter) space(j uint32) string {
	uri := r.t.uri(r.t.tape[j].ns())
	if string(uri) == r.content {
		return r.target
	}
	return string(uri)
}

// start writes a start-tag.
func (r *rewriter) start(w *editor, j uint32) {
	x := r.t.tape[j]
	around := r.def
	if n := len(r.frames); n > 0 {
		around = r.space(r.frames[n-1].start)
	}
	r.frames = append(r.frames, frame{start: j})
	r.dst = append(append(r.dst, '<'), r.t.local(x)...)
	if s := r.space(j); s != around {
		r.dst = append(r.dst, " xmlns='"...)
		r.dst = append(appendEscapedAttrString(r.dst, s), '\'')
	}
	r.attrs(w, j)
	r.dst = append(r.dst, '>')
}

// attrs writes the attributes of the element at j; a prefix is declared on the
// element that uses it.
func (r *rewriter) attrs(w *editor, j uint32) {
	t := r.t
	if j == r.root {
		r.edited(w)
	}
	t.need = t.need[:0]
	for i := j + 1; t.tape[i].kind() == kindAttr || t.tape[i].kind() == kindDecl; i++ {
		x := t.tape[i]
		if x.kind() == kindDecl {
			continue
		}
		if e := editOf(t, x); j == r.root && e < nEdits && w.with[e] != nil {
			continue
		}
		name, _ := t.name(x)
		if prefix, _ := split(name); prefix != nil && x.ns() != nsIsXML && !t.needs(prefix) {
			t.need = append(t.need, i)
			r.dst = appendDecl(r.dst, prefix, t.uri(x.ns()))
		}
		r.attr(name, t.value(i))
	}
}

// edited writes the attributes of the root that have new values.
func (r *rewriter) edited(w *editor) {
	for i, v := range w.with {
		if len(v) > 0 {
			r.dst = append(r.dst, editNames[i]...)
			r.dst = append(AppendEscapedAttr(r.dst, v), '\'')
		}
	}
}

func (r *rewriter) attr(name, value []byte) {
	r.dst = append(append(append(r.dst, ' '), name...), "='"...)
	r.dst = append(AppendEscapedAttr(r.dst, value), '\'')
}

// end writes an end-tag.
func (r *rewriter) end() {
	j := r.frames[len(r.frames)-1].start
	r.frames = r.frames[:len(r.frames)-1]
	r.dst = append(append(append(r.dst, "</"...), r.t.local(r.t.tape[j])...), '>')
}
