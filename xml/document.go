package xml

// Doc holds one element that did not come from a stream of this loop: bytes
// from the store, or a packet of another loop. It is used again and again, and
// is not for concurrent use.
type Doc struct {
	tree  tree
	ctx   context
	space string
}

// docLimits are for what was read before within the limits of a stream, or was
// written by a Builder.
var docLimits = Limits{Bytes: MaxBytes, Depth: 1 << 10, Attrs: 1 << 10, Elems: 1 << 22}

// Parse reads in, which has to be exactly one element. Its default namespace is
// space where it declares none. d and what is got from it borrow in until the
// next Parse.
func (d *Doc) Parse(in []byte, space string) (Elem, error) {
	d.within(space)
	if len(in) == 0 || in[0] != '<' {
		return Elem{}, NotWellFormed
	}
	if len(in) > docLimits.Bytes {
		return Elem{}, TooBig
	}
	n, err := d.tree.parse(in, &docLimits, &d.ctx)
	if err == errMore || err == 0 && n != len(in) {
		err = NotWellFormed
	}
	if err != 0 {
		return Elem{}, err
	}
	return Elem{&d.tree, 0}, nil
}

// Defer is Parse for what has been parsed before, such as a stanza of another
// loop: it is read only when something but Raw is asked of it. Bytes that are
// not one element make it panic then.
func (d *Doc) Defer(in []byte, space string) Elem {
	d.within(space)
	d.tree.reset(in, &d.ctx)
	d.tree.late = true
	return Elem{&d.tree, 0}
}

// within sets the default namespace.
func (d *Doc) within(space string) {
	if d.ctx.uris == nil || d.space != space {
		d.ctx = *newContext("", []byte(space))
		d.space = space
	}
}

func (t *tree) parseLate() {
	n, err := t.parse(t.in, &docLimits, t.ctx)
	if err != 0 || n != len(t.in) {
		panic("xml: a deferred element is not one: " + err.Error())
	}
}
