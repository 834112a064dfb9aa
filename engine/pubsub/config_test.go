package pubsub

import (
	"testing"

	"meerkat/engine/form"
	"meerkat/xml"
)

func parseForm(t testing.TB, fields string) form.Form {
	t.Helper()
	e, err := new(xml.Doc).Parse([]byte("<x xmlns='jabber:x:data' type='submit'>"+fields+"</x>"), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	return form.View(e)
}

// The form that we send, filled in as it is, changes nothing; and every field can
// be changed.
func TestFormComesBack(t *testing.T) {
	var b xml.Builder
	b.Reset(nil, "jabber:client")
	PersonalConfig.ask(&b)
	e, err := new(xml.Doc).Parse(b.Bytes(), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	ch, err := readChange(form.View(e))
	if err != nil {
		t.Fatal(err)
	}
	if got := ch.apply(ServiceConfig, 1000); !got.equal(&PersonalConfig) || ch.unknown {
		t.Errorf("the form makes %+v, want %+v", got, PersonalConfig)
	}
	if len(ch.fields) != len(options) {
		t.Errorf("%d fields came back of %d", len(ch.fields), len(options))
	}
}

func TestValuesOfFields(t *testing.T) {
	for _, c := range []struct {
		field, value, want string // want "" is: refused
	}{
		{"access_model", "open", "open"}, {"access_model", "presence", "presence"}, {"access_model", "roster", "roster"},
		{"access_model", "authorize", "authorize"}, {"access_model", "whitelist", "whitelist"}, {"access_model", "OPEN", ""},
		{"publish_model", "open", "open"}, {"publish_model", "subscribers", "subscribers"}, {"publish_model", "", ""},
		{"persist_items", "true", "1"}, {"persist_items", "0", "0"}, {"persist_items", "yes", ""},
		{"max_items", "7", "7"}, {"max_items", "max", "max"}, {"max_items", "99999", "max"}, {"max_items", "0", ""}, {"max_items", "-1", ""}, {"max_items", "99999999999", ""},
		{"max_payload_size", "10", "10"}, {"max_payload_size", "x", ""},
		{"send_last_published_item", "never", "never"}, {"send_last_published_item", "on_sub", "on_sub"}, {"send_last_published_item", "always", ""},
		{"notification_type", "normal", "normal"}, {"notification_type", "headline", "headline"}, {"notification_type", "chat", ""},
		{"node_type", "leaf", "leaf"}, {"node_type", "collection", ""},
		{"title", "A & B", "A & B"}, {"language", "de", "de"}, {"language", "gsw", "gsw"}, {"roster_groups_allowed", "g", "g"},
	} {
		name := prefix + c.field
		ch, err := readChange(parseForm(t, "<field var='"+name+"'><value>"+escape(c.value)+"</value></field>"))
		if (err != nil) != (c.want == "") {
			t.Errorf("%s=%q: %v", c.field, c.value, err)
			continue
		}
		cfg := ch.apply(PersonalConfig, 1000)
		for _, o := range options {
			if err == nil && o.Var == name && o.get(&cfg)[0] != c.want {
				t.Errorf("%s=%q gives %q, want %q", c.field, c.value, o.get(&cfg), c.want)
			}
		}
	}
}

func escape(s string) string { return string(xml.AppendEscaped(nil, []byte(s))) }
