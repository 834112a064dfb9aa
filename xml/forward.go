package xml

// AppendTo appends e so that it is well-formed and means the same where the
// default namespace is space and no prefix but xml is bound. Declarations of the
// stream header, or of an element around e, that e used are added to its
// start-tag; nothing else changes.
func (e Elem) AppendTo(dst []byte, space string) []byte {
	if e.none() {
		return dst
	}
	x := e.t.tape[e.i]
	name := x.lo() + x.nameLen()
	dst = append(dst, e.t.in[x.lo()-1:name]...)
	dst = e.appendDecls(dst, space)
	return append(dst, e.t.in[name:e.t.tape[e.end()].hi()]...)
}

// AppendInner is AppendTo for the content of e, children and text.
func (e Elem) AppendInner(dst []byte, space string) []byte {
	if e.none() {
		return dst
	}
	t := e.t
	at := t.contentOf(e.i)
	for c := e.First(); c.OK(); c = c.Next() {
		x := t.tape[c.i]
		dst = append(dst, t.in[at:x.lo()-1]...)
		dst = c.AppendTo(dst, space)
		at = t.tape[x.hi()].hi()
	}
	return append(dst, t.in[at:max(at, t.tape[e.end()].lo())]...)
}

// contentOf returns the offset behind the start-tag of the element at i.
func (t *tree) contentOf(i uint32) uint32 {
	off := t.tape[i].lo() + t.tape[i].nameLen()
	for j := i + 1; t.tape[j].kind() == kindAttr || t.tape[j].kind() == kindDecl; j++ {
		raw, lo := t.raw(t.tape[j])
		off = lo + uint32(len(raw)) + 1
	}
	for t.in[off] != '>' {
		off++
	}
	return off + 1
}

// appendDecls appends the declarations that e needs from outside where the
// default namespace is space.
func (e Elem) appendDecls(dst []byte, space string) []byte {
	if ns, used := e.outerDefault(); used && string(e.t.uri(ns)) != space {
		dst = appendDecl(dst, nil, e.t.uri(ns))
	}
	if e.t.prefixed {
		dst = e.appendPrefixes(dst)
	}
	return dst
}

func appendDecl(dst, prefix, uri []byte) []byte {
	dst = append(dst, " xmlns"...)
	if prefix != nil {
		dst = append(append(dst, ':'), prefix...)
	}
	dst = append(dst, "='"...)
	return append(AppendEscapedAttr(dst, uri), '\'')
}

// outerDefault returns the default namespace around e, and whether e or
// something in it inherits it.
func (e Elem) outerDefault() (ns uint32, used bool) {
	if e.defaultDecl() != 0 {
		return 0, false
	}
	x := e.t.tape[e.i]
	if x.b&flagPrefix == 0 {
		return x.ns(), true
	}
	end := e.end()
	for j := e.i; j < end && !used; j++ {
		y := e.t.tape[j]
		used = y.b&(kindMask|flagPrefix) == kindStart && !e.declares(y.ns())
	}
	return e.t.defaultAt(e.i), used
}

// declares tells whether ns was declared by e or inside it.
func (e Elem) declares(ns uint32) bool { return ns > e.i && ns < e.end() }

// defaultAt returns the default namespace around the element at i.
func (t *tree) defaultAt(i uint32) uint32 {
	ns := t.ctx.def()
	for j := uint32(0); j < i; j++ {
		x := t.tape[j]
		switch {
		case x.kind() == kindStart && x.hi() < i:
			j = x.hi() // not around it
		case x.isDefault() && len(t.value(j)) == 0:
			ns = 0
		case x.isDefault():
			ns = j
		}
	}
	return ns
}

// appendPrefixes appends a declaration for each prefix that is used in e and
// bound outside of it.
func (e Elem) appendPrefixes(dst []byte) []byte {
	t := e.t
	t.need = t.need[:0]
	for j, end := e.i, e.end(); j < end; j++ {
		x := t.tape[j]
		if k := x.kind(); k != kindStart && k != kindAttr || x.b&flagPrefix == 0 {
			continue
		}
		if x.ns() == nsIsXML || e.declares(x.ns()) {
			continue
		}
		name, _ := t.name(x)
		prefix, _ := split(name)
		if t.needs(prefix) {
			continue
		}
		t.need = append(t.need, j)
		dst = appendDecl(dst, prefix, t.uri(x.ns()))
	}
	return dst
}

// needs tells whether appendPrefixes has seen prefix.
func (t *tree) needs(prefix []byte) bool {
	for _, j := range t.need {
		name, _ := t.name(t.tape[j])
		if p, _ := split(name); string(p) == string(prefix) {
			return true
		}
	}
	return false
}
