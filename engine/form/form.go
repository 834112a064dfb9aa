// Package form reads and writes data forms (XEP-0004 2.13.2), with the hidden
// field FORM_TYPE that says what the others mean (XEP-0068). It knows of no
// feature that uses one.
package form

import (
	"iter"

	"meerkat/xml"
)

// Space is the namespace of data forms.
const Space = "jabber:x:data"

// typeVar is the field that names the meaning of the others.
const typeVar = "FORM_TYPE"

// Form is a view of a form that somebody has sent. It borrows from the element.
// The zero Form has no fields.
type Form struct{ e xml.Elem }

// Of returns the form that is a child of parent; OK says whether there is one.
func Of(parent xml.Elem) Form { return Form{parent.Child("x", Space)} }

// View returns the form that e is.
func View(e xml.Elem) Form { return Form{e} }

// OK reports whether there is a form.
func (f Form) OK() bool { return f.e.OK() }

// Submits reports whether f is filled in: of type "submit".
func (f Form) Submits() bool { return string(f.e.Attr("type")) == "submit" }

// Cancels reports whether f says that nothing will be filled in.
func (f Form) Cancels() bool { return string(f.e.Attr("type")) == "cancel" }

// Is reports whether f's FORM_TYPE is formType.
func (f Form) Is(formType string) bool {
	v, ok := f.Value(typeVar)
	return ok && v == formType
}

// Fields yields name and view of each field but FORM_TYPE, in order. The type
// that the sender gives is not looked at: what a field is the reader knows.
func (f Form) Fields() iter.Seq2[string, Field] {
	return func(yield func(string, Field) bool) {
		for c := f.e.First(); c.OK(); c = c.Next() {
			name := string(c.Attr("var"))
			if c.Is("field", Space) && name != "" && name != typeVar && !yield(name, Field{c}) {
				return
			}
		}
	}
}

// Field returns the field called name; without values if there is none.
func (f Form) Field(name string) Field {
	for c := f.e.First(); c.OK(); c = c.Next() {
		if c.Is("field", Space) && string(c.Attr("var")) == name {
			return Field{c}
		}
	}
	return Field{}
}

// Value returns the first value of a field, false if it has none.
func (f Form) Value(name string) (string, bool) { return f.Field(name).Value() }

// Bool returns a boolean field's value; ok is false if there is none or it is no
// boolean (XEP-0004 §3.3).
func (f Form) Bool(name string) (v, ok bool) { return f.Field(name).Bool() }

// Field is a view of a field.
type Field struct{ e xml.Elem }

// OK reports whether there is such a field, with values or not.
func (f Field) OK() bool { return f.e.OK() }

// Value returns the first value, false if there is none.
func (f Field) Value() (string, bool) {
	v := f.e.Child("value", Space)
	return string(v.Text()), v.OK()
}

// Values yields all values.
func (f Field) Values() iter.Seq[string] {
	return func(yield func(string) bool) {
		for v := f.e.First(); v.OK(); v = v.Next() {
			if v.Is("value", Space) && !yield(string(v.Text())) {
				return
			}
		}
	}
}

// Len returns how many values there are.
func (f Field) Len() (n int) {
	for range f.Values() {
		n++
	}
	return n
}

// Bool returns the value as a boolean; ok is false if it is none.
func (f Field) Bool() (v, ok bool) {
	switch s, _ := f.Value(); s {
	case "1", "true":
		return true, true
	case "0", "false":
		return false, true
	}
	return false, false
}
