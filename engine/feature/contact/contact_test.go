package contact

import (
	"reflect"
	"testing"

	"meerkat/engine/config"
	"meerkat/engine/feature"
)

// XEP-0157 §3: what the operator has named, and nothing else, in the order that
// capabilities are summed up in.
func TestAddresses(t *testing.T) {
	f := New(&config.Contact{Support: []string{"https://example.org/help"}, Abuse: []string{"mailto:abuse@example.org", "xmpp:abuse@example.org"}})
	want := &feature.Form{Type: "http://jabber.org/network/serverinfo", Fields: []feature.FormField{
		{Var: "abuse-addresses", Type: "list-multi", Values: []string{"mailto:abuse@example.org", "xmpp:abuse@example.org"}},
		{Var: "support-addresses", Type: "list-multi", Values: []string{"https://example.org/help"}},
	}}
	if !reflect.DeepEqual(f.Form, want) {
		t.Errorf("got %+v, want %+v", f.Form, want)
	}
	if f := New(&config.Contact{}); f.Form != nil {
		t.Errorf("without addresses there is a form: %+v", f.Form)
	}
}
