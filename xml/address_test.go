package xml

import "testing"

func TestAddressIsWhatAttrSays(t *testing.T) {
	for _, in := range []string{
		"<message/>",
		"<message to='a@b/c' from=\"d@e\" id='&lt;1&gt;' type='chat' xml:lang='de'><to from='x'/></message>",
		"<message xmlns='urn:x' xmlns:p='urn:p' p:to='no' p:id='no' to='' tot='no' tp='no' FROM='no' lang='no' id='x'/>",
		"<iq type='g&#101;t' id=' a\tb '/>",
	} {
		var d Doc
		e, err := d.Parse([]byte(in), "jabber:client")
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		a := e.Address()
		for _, c := range []struct {
			name      string
			got, want []byte
		}{{"to", a.To, e.Attr("to")}, {"from", a.From, e.Attr("from")}, {"id", a.ID, e.Attr("id")}, {"type", a.Type, e.Attr("type")}, {"lang", a.Lang, e.Lang()}} {
			if string(c.got) != string(c.want) || (c.got == nil) != (c.want == nil) {
				t.Errorf("%s: %s is %q, Attr says %q", in, c.name, c.got, c.want)
			}
		}
	}
	if a := (Elem{}).Address(); a.To != nil || a.ID != nil {
		t.Errorf("no element has %v", a)
	}
}
