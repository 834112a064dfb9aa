package xml

// rewriter writes a stanza whose name has a prefix bound to a content namespace.
// No client does that, and no peer need understand it: all elements are written
// without prefixes, each with the default namespace that it needs.
type rewriter struct {
	editor
	ed     Edit
	t      *tree
	root   entry
	outer  uint32  // default namespace around the stanza
	target []byte  // what the stanza's content namespace becomes
	space  string  // default namespace where the result goes
	open   []frame // open elements
}

var clientName, serverName = []byte(nsClient), []byte(nsServer)

// rewrite is AppendEdited for such a stanza. It and rewriter hold copies: with
// pointers the editor of every stanza would be on the heap.
func rewrite(w editor, ed Edit, space string) []byte {
	t := w.e.t
	r := rewriter{editor: w, ed: ed, t: t, space: space, target: clientName, open: t.frames[:0]}
	r.at, r.end = 0, 0 // nothing is copied
	r.root, r.outer = t.tape[w.e.i], t.defaultAt(w.e.i)
	if space == nsServer {
		r.target = serverName
	}
	for j, end := w.e.i, w.e.end(); j <= end; j++ {
		switch x := t.tape[j]; x.kind() {
		case kindStart:
			if len(r.open) == 1 && ed.Skip != nil && ed.Skip(Elem{t, j}) {
				j = x.hi()
				continue
			}
			r.startTag(j)
		case kindText:
			r.dst = AppendEscaped(r.dst, t.value(j))
		case kindEnd:
			r.endTag()
		}
	}
	return r.dst
}

// uri returns the namespace that the element at j is written in. The stanza's
// own, and the same inherited from around it, become the target's.
func (r *rewriter) uri(j uint32) []byte {
	ns := r.t.tape[j].ns()
	uri := r.t.uri(ns)
	if ns == r.root.ns() || ns == r.outer && string(uri) == string(r.t.uri(r.root.ns())) {
		return r.target
	}
	return uri
}

func (r *rewriter) startTag(j uint32) {
	same := false
	uri := r.uri(j)
	if n := len(r.open); n > 0 {
		same = string(uri) == string(r.uri(r.open[n-1].start))
	} else {
		same = string(uri) == r.space
	}
	r.open = append(r.open, frame{start: j})
	r.dst = append(append(r.dst, '<'), r.t.local(r.t.tape[j])...)
	if !same {
		r.dst = appendDecl(r.dst, nil, uri)
	}
	r.attributes(j)
	r.dst = append(r.dst, '>')
}

// attributes writes those of the element at j; a prefix is declared on the
// element that uses it.
func (r *rewriter) attributes(j uint32) {
	t, root := r.t, len(r.open) == 1
	if root {
		r.added(0, &r.ed)
	}
	t.need = t.need[:0]
	for i := j + 1; t.tape[i].kind() == kindAttr || t.tape[i].kind() == kindDecl; i++ {
		x := t.tape[i]
		if x.kind() == kindDecl {
			continue
		}
		if k := editOf(t, x); root && k < nEdits && r.ed.value(k) != nil {
			continue
		}
		name, _ := t.name(x)
		if prefix, _ := split(name); prefix != nil && x.ns() != nsIsXML && !t.needs(prefix) {
			t.need = append(t.need, i)
			r.dst = appendDecl(r.dst, prefix, t.uri(x.ns()))
		}
		r.dst = append(append(append(r.dst, ' '), name...), "='"...)
		r.dst = append(AppendEscapedAttr(r.dst, t.value(i)), '\'')
	}
}

func (r *rewriter) endTag() {
	if len(r.open) == 1 {
		r.dst = append(r.dst, r.ed.Tail...)
	}
	j := r.open[len(r.open)-1].start
	r.open = r.open[:len(r.open)-1]
	r.dst = append(append(append(r.dst, "</"...), r.t.local(r.t.tape[j])...), '>')
}
