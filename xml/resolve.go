package xml

// maxBinds bounds the prefixes in scope at one place, so that looking one up
// stays cheap whatever is sent.
const maxBinds = 1024

// resolve gives the element at start and its attributes their namespaces, and
// checks what Namespaces in XML 1.0 asks. def is the default namespace around
// the element, the result is that inside it. The element is the last on the tape.
func (t *tree) resolve(start, def uint32) (uint32, Error) {
	def, err := t.declare(start, def)
	if err != 0 {
		return 0, err
	}
	x := &t.tape[start]
	ns := def
	if x.b&flagPrefix != 0 {
		if ns, err = t.lookup(*x); err != 0 {
			return 0, err
		}
	}
	x.b |= uint64(ns) << 32
	return def, t.resolveAttrs(start)
}

// declare puts the declarations of the element at start in force.
func (t *tree) declare(start, def uint32) (uint32, Error) {
	for j := start + 1; j < uint32(len(t.tape)); j++ {
		x := t.tape[j]
		if x.kind() != kindDecl {
			continue
		}
		if x.isDefault() {
			uri := t.value(j)
			if string(uri) == nsXML || string(uri) == nsXMLNS {
				return 0, NotWellFormed
			}
			def = 0
			if len(uri) > 0 {
				def = j
			}
			continue
		}
		if err := t.bind(j); err != 0 {
			return 0, err
		}
	}
	return def, 0
}

// bind puts the prefix that entry j declares in scope: Namespaces in XML §3.
func (t *tree) bind(j uint32) Error {
	prefix, uri := t.local(t.tape[j]), t.value(j)
	isXML := string(uri) == nsXML
	switch {
	case string(prefix) == "xml":
		if isXML {
			return 0
		}
		return NotWellFormed
	case string(prefix) == "xmlns" || isXML || len(uri) == 0 || string(uri) == nsXMLNS:
		return NotWellFormed
	case len(t.binds) >= maxBinds:
		return TooManyAttrs
	}
	t.binds = append(t.binds, j)
	return 0
}

// lookup returns the namespace of a name with a prefix.
func (t *tree) lookup(x entry) (uint32, Error) {
	name, _ := t.name(x)
	prefix, _ := split(name)
	if string(prefix) == "xml" {
		return nsIsXML, 0
	}
	t.prefixed = true
	for i := len(t.binds) - 1; i >= 0; i-- {
		if string(t.local(t.tape[t.binds[i]])) == string(prefix) {
			return t.binds[i], 0
		}
	}
	if ns, ok := t.ctx.find(prefix); ok {
		return ns, 0
	}
	return 0, BadPrefix
}

// resolveAttrs looks up the prefixes of attributes. No two attributes may have
// the same expanded name (Namespaces in XML §6.3).
func (t *tree) resolveAttrs(start uint32) Error {
	for j := start + 1; j < uint32(len(t.tape)); j++ {
		x := &t.tape[j]
		if x.b&(kindMask|flagPrefix) != kindAttr|flagPrefix {
			continue
		}
		if x.ns() == 0 {
			ns, err := t.lookup(*x)
			if err != 0 {
				return err
			}
			x.b |= uint64(ns) << 32
		}
		if t.expandedTwice(start, j) {
			return NotWellFormed
		}
	}
	return 0
}

// expandedTwice tells whether attribute j, which has a prefix, has the expanded
// name of an earlier one.
func (t *tree) expandedTwice(start, j uint32) bool {
	for i := start + 1; i < j; i++ {
		x := t.tape[i]
		if x.b&(kindMask|flagPrefix) != kindAttr|flagPrefix {
			continue
		}
		if string(t.local(x)) == string(t.local(t.tape[j])) && string(t.uri(x.ns())) == string(t.uri(t.tape[j].ns())) {
			return true
		}
	}
	return false
}
