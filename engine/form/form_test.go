package form

import (
	"fmt"
	"slices"
	"testing"

	"meerkat/xml"
)

func parse(t *testing.T, text string) xml.Elem {
	t.Helper()
	var doc xml.Doc
	e, err := doc.Parse([]byte(text), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRead(t *testing.T) {
	e := parse(t, `<query xmlns='urn:q'><x xmlns='jabber:x:data' type='submit'>
		<title>T</title>
		<field var='FORM_TYPE' type='hidden'><value>urn:q</value></field>
		<field var='one'><value>a&amp;b</value></field>
		<field var='many'><value>1</value><other xmlns='urn:o'/><value/><value>3</value></field>
		<field var='none'/>
		<field><value>fixed</value></field>
		<field var='yes'><value>true</value></field>
		<field var='no'><value>0</value></field>
		<field xmlns='urn:o' var='foreign'><value>x</value></field>
	</x></query>`)
	f := Of(e)
	if !f.OK() || !f.Submits() || f.Cancels() || !f.Is("urn:q") || f.Is("urn:r") {
		t.Errorf("the form is not read as what it is")
	}
	var got []string
	for name, field := range f.Fields() {
		got = append(got, fmt.Sprint(name, slices.Collect(field.Values())))
	}
	want := "[one[a&b] many[1  3] none[] yes[true] no[0]]"
	if fmt.Sprint(got) != want {
		t.Errorf("fields are %v, want %s", got, want)
	}
	if v, ok := f.Value("none"); ok || v != "" {
		t.Errorf("none has the value %q", v)
	}
	if f.Field("many").Len() != 3 || f.Field("absent").OK() || !f.Field("none").OK() {
		t.Error("fields are not found as they are")
	}
	for name, want := range map[string][2]bool{"yes": {true, true}, "no": {false, true}, "one": {}, "absent": {}} {
		if v, ok := f.Bool(name); v != want[0] || ok != want[1] {
			t.Errorf("%s is the boolean %v %v, want %v", name, v, ok, want)
		}
	}
	if none := Of(parse(t, "<query xmlns='urn:q'/>")); none.OK() || none.Is("") || none.Submits() {
		t.Error("there is a form in nothing")
	}
}

func TestWrite(t *testing.T) {
	var b xml.Builder
	b.Reset(nil, "jabber:client").Start("query", "urn:q")
	Start(&b, Ask, "urn:q").
		Title("T").Instructions("I & you").
		Field(Def{Var: "a", Type: ListSingle, Label: "L", Desc: "D", Required: true, Options: []Option{{"One", "1"}, {"", "2"}}}, "1").
		Field(Def{Var: "ids", Type: ListMulti, Open: true}).
		Value("v", "x", "y").
		End()
	b.End()
	want := "<query xmlns='urn:q'><x xmlns='jabber:x:data' type='form'>" +
		"<title>T</title><instructions>I &amp; you</instructions>" +
		"<field var='FORM_TYPE' type='hidden'><value>urn:q</value></field>" +
		"<field var='a' type='list-single' label='L'><desc>D</desc><required/><value>1</value>" +
		"<option label='One'><value>1</value></option><option><value>2</value></option></field>" +
		"<field var='ids' type='list-multi'><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate></field>" +
		"<field var='v'><value>x</value><value>y</value></field>" +
		"</x></query>"
	if got := string(b.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
