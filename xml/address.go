package xml

// Address is what the start-tag of a stanza says about it: attributes unescaped,
// nil where there is none. Lang is xml:lang.
type Address struct{ To, From, ID, Type, Lang []byte }

// Address reads them in one go. The values are borrowed like e.
func (e Elem) Address() (a Address) {
	if e.none() {
		return a
	}
	for j := e.i + 1; ; j++ {
		x := e.t.tape[j]
		if k := x.kind(); k != kindAttr {
			if k != kindDecl {
				return a
			}
			continue
		}
		switch editOf(e.t, x) {
		case editTo:
			a.To = e.t.value(j)
		case editFrom:
			a.From = e.t.value(j)
		case editID:
			a.ID = e.t.value(j)
		case editType:
			a.Type = e.t.value(j)
		case editLang:
			a.Lang = e.t.value(j)
		}
	}
}
