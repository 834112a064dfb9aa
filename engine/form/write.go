package form

import "meerkat/xml"

// Kind is the type of a form.
type Kind string

// A form to fill in, one filled in, and data (XEP-0004 §3.1).
const (
	Ask    Kind = "form"
	Submit Kind = "submit"
	Result Kind = "result"
)

// Types of fields (XEP-0004 §3.3).
const (
	Boolean    = "boolean"
	Fixed      = "fixed"
	Hidden     = "hidden"
	JIDMulti   = "jid-multi"
	JIDSingle  = "jid-single"
	ListMulti  = "list-multi"
	ListSingle = "list-single"
	TextMulti  = "text-multi"
	Password   = "text-private"
	TextSingle = "text-single"
)

// Writer writes a form into a Builder: Start, what is for people, fields, End.
type Writer struct {
	b        *xml.Builder
	formType string // still to be written, before the first field
}

// Start begins a form; formType may be "" where there is none.
func Start(b *xml.Builder, k Kind, formType string) *Writer {
	b.Start("x", Space).Attr("type", string(k))
	return &Writer{b, formType}
}

// Title and Instructions say to people what the form is for.
func (w *Writer) Title(s string) *Writer { return w.text("title", s) }

// Instructions says how to fill the form in.
func (w *Writer) Instructions(s string) *Writer { return w.text("instructions", s) }

func (w *Writer) text(name, s string) *Writer {
	w.b.Start(name, Space).Text(s).End()
	return w
}

// Def is what is known of a field besides its values.
type Def struct {
	Var, Type, Label string
	Desc             string
	Required         bool
	Options          []Option
	// Open says that values other than Options are welcome (XEP-0122 §4.1).
	Open bool
}

// Option is a value to choose.
type Option struct{ Label, Value string }

// Field writes a field with its values.
func (w *Writer) Field(d Def, values ...string) *Writer {
	b := w.b
	w.writeType()
	b.Start("field", Space).OptAttr("var", d.Var).OptAttr("type", d.Type).OptAttr("label", d.Label)
	if d.Desc != "" {
		b.Start("desc", Space).Text(d.Desc).End()
	}
	if d.Required {
		b.Start("required", Space).End()
	}
	if d.Open {
		b.Start("validate", "http://jabber.org/protocol/xdata-validate").Attr("datatype", "xs:string")
		b.Start("open", "").End().End()
	}
	for _, v := range values {
		b.Start("value", Space).Text(v).End()
	}
	for _, o := range d.Options {
		b.Start("option", Space).OptAttr("label", o.Label)
		b.Start("value", Space).Text(o.Value).End().End()
	}
	b.End()
	return w
}

// Value writes a field of which only name and values matter, as in a form that
// is submitted or a result.
func (w *Writer) Value(name string, values ...string) *Writer {
	return w.Field(Def{Var: name}, values...)
}

// writeType writes FORM_TYPE, once.
func (w *Writer) writeType() {
	if v := w.formType; v != "" {
		w.formType = ""
		w.Field(Def{Var: typeVar, Type: Hidden}, v)
	}
}

// End ends the form.
func (w *Writer) End() {
	w.writeType()
	w.b.End()
}

// Bool is a boolean field's value.
func Bool(v bool) string {
	if v {
		return "1"
	}
	return "0"
}
