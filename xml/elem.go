package xml

// Elem is a view of an element, passed by value. It and all that its methods
// return borrow the bytes that were parsed. The zero Elem is no element: all
// its methods may be called and answer nothing.
type Elem struct {
	t *tree
	i uint32 // its Start
}

// OK tells whether there is an element.
func (e Elem) OK() bool { return e.t != nil }

// none tells that there is no element. One that is deferred is parsed: every
// method that looks at the tape asks here first.
func (e Elem) none() bool {
	if e.t == nil {
		return true
	}
	if e.t.late {
		e.t.parseLate()
	}
	return false
}

// end is the index of e's End.
func (e Elem) end() uint32 { return e.t.tape[e.i].hi() }

// Local returns the name without a prefix.
func (e Elem) Local() []byte {
	if e.none() {
		return nil
	}
	return e.t.local(e.t.tape[e.i])
}

// Space returns the namespace name, nil if the element is in none.
func (e Elem) Space() []byte {
	if e.none() {
		return nil
	}
	return e.t.uri(e.t.tape[e.i].ns())
}

// Is tells whether e has this name and namespace.
func (e Elem) Is(local, space string) bool {
	return !e.none() && string(e.Local()) == local && string(e.Space()) == space
}

// Default returns the default namespace that e itself declares, nil if it
// declares none. Of a stream header it is the content namespace.
func (e Elem) Default() []byte {
	if j := e.defaultDecl(); j != 0 {
		return e.t.value(j)
	}
	return nil
}

// defaultDecl returns the entry of e's own xmlns=”, or 0.
func (e Elem) defaultDecl() uint32 {
	if e.none() {
		return 0
	}
	for j := e.i + 1; ; j++ {
		switch x := e.t.tape[j]; {
		case x.isDefault():
			return j
		case x.kind() != kindAttr && x.kind() != kindDecl:
			return 0
		}
	}
}

// Attr returns the attribute of this name in no namespace: nil if there is
// none, not nil if it is empty.
func (e Elem) Attr(local string) []byte {
	if j := e.attr(local); j != 0 {
		return e.t.value(j)
	}
	return nil
}

func (e Elem) attr(local string) uint32 {
	if e.none() {
		return 0
	}
	for j := e.i + 1; ; j++ {
		x := e.t.tape[j]
		if k := x.kind(); k != kindAttr && k != kindDecl {
			return 0
		}
		if x.b&(kindMask|flagPrefix) != kindAttr || int(x.nameLen()) != len(local) {
			continue
		}
		if name, _ := e.t.name(x); string(name) == local {
			return j
		}
	}
}

// AttrNS is Attr for an attribute in the namespace space.
func (e Elem) AttrNS(local, space string) []byte {
	if space == "" {
		return e.Attr(local)
	}
	if j := e.attrNS(local, space); j != 0 {
		return e.t.value(j)
	}
	return nil
}

func (e Elem) attrNS(local, space string) uint32 {
	if e.none() {
		return 0
	}
	for j := e.i + 1; ; j++ {
		x := e.t.tape[j]
		if k := x.kind(); k != kindAttr && k != kindDecl {
			return 0
		}
		if x.b&(kindMask|flagPrefix) == kindAttr|flagPrefix &&
			string(e.t.local(x)) == local && string(e.t.uri(x.ns())) == space {
			return j
		}
	}
}

// Lang returns e's own xml:lang.
func (e Elem) Lang() []byte { return e.AttrNS("lang", nsXML) }

// Attrs calls yield for each attribute, declarations left out, until it answers
// false.
func (e Elem) Attrs(yield func(space, local, value []byte) bool) {
	if e.none() {
		return
	}
	for j := e.i + 1; ; j++ {
		switch x := e.t.tape[j]; x.kind() {
		case kindAttr:
			if !yield(e.t.uri(x.ns()), e.t.local(x), e.t.value(j)) {
				return
			}
		case kindDecl:
		default:
			return
		}
	}
}

// First returns the first child element.
func (e Elem) First() Elem {
	if e.none() {
		return Elem{}
	}
	return e.t.startAt(e.i + 1)
}

// Next returns the next sibling. It does not look at what is inside e.
func (e Elem) Next() Elem {
	if e.none() || e.i == 0 {
		return Elem{}
	}
	return e.t.startAt(e.end() + 1)
}

// startAt returns the first element that starts at entry j or behind it, within
// the same parent.
func (t *tree) startAt(j uint32) Elem {
	for ; ; j++ {
		switch t.tape[j].kind() {
		case kindStart:
			return Elem{t, j}
		case kindEnd:
			return Elem{}
		}
	}
}

// Child returns the first child of this name and namespace.
func (e Elem) Child(local, space string) Elem {
	c := e.First()
	for c.OK() && !c.Is(local, space) {
		c = c.Next()
	}
	return c
}

// Text returns the character data directly inside e, unescaped, nil if there is
// none.
func (e Elem) Text() []byte {
	first := e.textAt(e.i)
	if first == 0 {
		return nil
	}
	if e.textAt(first) == 0 {
		return e.t.value(first)
	}
	for j := first; j != 0; j = e.textAt(j) {
		e.t.value(j) // into side now: below it must not grow in between
	}
	lo := len(e.t.side)
	for j := first; j != 0; j = e.textAt(j) {
		e.t.side = append(e.t.side, e.t.value(j)...)
	}
	return e.t.side[lo:len(e.t.side):len(e.t.side)]
}

// textAt returns the first Text directly inside e behind entry j, or 0.
func (e Elem) textAt(j uint32) uint32 {
	if e.none() {
		return 0
	}
	for j++; ; j++ {
		switch x := e.t.tape[j]; x.kind() {
		case kindText:
			return j
		case kindStart:
			j = x.hi()
		case kindEnd:
			return 0
		}
	}
}

// HasText tells whether there is character data directly inside e that is not
// white space.
func (e Elem) HasText() bool {
	for j := e.textAt(e.i); j != 0; j = e.textAt(j) {
		if v := e.t.value(j); skipSpace(v) < len(v) {
			return true
		}
	}
	return false
}

// Raw returns the bytes of e as they came. They may need declarations from
// outside: to send them on use AppendTo.
func (e Elem) Raw() []byte {
	if e.t != nil && e.t.late {
		return e.t.in
	}
	if e.none() {
		return nil
	}
	return e.t.in[e.t.tape[e.i].lo()-1 : e.t.tape[e.end()].hi()]
}
