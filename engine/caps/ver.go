package caps

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"

	"meerkat/engine/form"
	"meerkat/xml"
)

// hashes are the functions that verification strings are made with, by their
// names in the registry of textual names of hash functions.
var hashes = map[string]func([]byte) []byte{
	"sha-1":   func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
	"sha-256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
	"sha-512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
}

// Features returns the features of a disco#info. ok is false if it is ill-formed
// as XEP-0115 §5.4 has it: the same identity, feature or form twice.
func Features(info xml.Elem) (features []string, ok bool) {
	i := read(info)
	return i.features, i.ok
}

// Verify reports whether a's verification string is that of info (XEP-0115 §5.4):
// then info may be taken for all who advertise the same.
func Verify(a Advert, info xml.Elem) bool {
	hash := hashes[string(a.Hash)]
	i := read(info)
	if hash == nil || !i.ok {
		return false
	}
	s := i.append(nil)
	return i.wishesOf(s) && base64.StdEncoding.EncodeToString(hash(s)) == string(a.Ver)
}

// wishesOf reports whether s, the string that is hashed, has no other wishes for
// events than i's features. Different answers may have one string (XEP-0115
// §9.2): features that are the fields of a form, or one with a "<" in it. Somebody
// who answers so for a client of others would keep events from all of its users.
func (i *info) wishesOf(s []byte) bool {
	n := 0
	for _, f := range i.features {
		if strings.ContainsAny(f, "<\n") {
			return false
		}
		if strings.HasSuffix(f, wish) {
			n++
		}
	}
	return bytes.Count(s, []byte(wish+"<")) == n
}

// info is a disco#info taken apart, in the order of XEP-0115 §5.1.
type info struct {
	identities, features []string
	forms                []dataForm
	ok                   bool
}

// dataForm is one of XEP-0128.
type dataForm struct {
	formType string
	fields   [][]string // name and values
}

func read(e xml.Elem) (i info) {
	for c := e.First(); c.OK(); c = c.Next() {
		switch {
		case c.Is("identity", InfoSpace):
			i.identities = append(i.identities, identity(c))
		case c.Is("feature", InfoSpace):
			i.features = append(i.features, string(c.Attr("var")))
		case c.Is("x", form.Space):
			if f, ok := readForm(c); ok {
				i.forms = append(i.forms, f)
			}
		}
	}
	slices.Sort(i.identities)
	slices.Sort(i.features)
	slices.SortStableFunc(i.forms, func(a, b dataForm) int { return strings.Compare(a.formType, b.formType) })
	i.ok = distinct(i.identities) && distinct(i.features)
	for n := 1; n < len(i.forms); n++ {
		i.ok = i.ok && i.forms[n].formType != i.forms[n-1].formType
	}
	for _, f := range i.forms {
		i.ok = i.ok && f.formType != ""
	}
	return i
}

func distinct(sorted []string) bool {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return false
		}
	}
	return true
}

func identity(e xml.Elem) string {
	return string(e.Attr("category")) + "/" + string(e.Attr("type")) + "/" + string(e.Lang()) + "/" + string(e.Attr("name"))
}

// readForm reads a form. ok is false for one that does not count: without a
// FORM_TYPE, or with one that is not hidden. One with several has the type "".
func readForm(e xml.Elem) (f dataForm, ok bool) {
	for c := e.First(); c.OK(); c = c.Next() {
		if !c.Is("field", form.Space) {
			continue
		}
		name := string(c.Attr("var"))
		field := []string{name}
		for v := c.First(); v.OK(); v = v.Next() {
			if v.Is("value", form.Space) {
				field = append(field, string(v.Text()))
			}
		}
		slices.Sort(field[1:])
		switch {
		case name != "FORM_TYPE":
			f.fields = append(f.fields, field)
		case string(c.Attr("type")) != "hidden":
			return f, false
		default:
			ok = true
			if kinds := slices.Compact(field[1:]); len(kinds) == 1 {
				f.formType = kinds[0]
			}
		}
	}
	slices.SortStableFunc(f.fields, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return f, ok
}

// append appends the string that is hashed.
func (i *info) append(b []byte) []byte {
	add := func(list []string) {
		for _, s := range list {
			b = append(append(b, s...), '<')
		}
	}
	add(i.identities)
	add(i.features)
	for _, f := range i.forms {
		add([]string{f.formType})
		for _, field := range f.fields {
			add(field)
		}
	}
	return b
}
