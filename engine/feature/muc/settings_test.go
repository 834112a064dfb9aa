package muc_test

import (
	"strings"
	"testing"
)

// TestMaxUsers wants the limit to be of the type that it has in the registry of
// forms, and what is set to be among the options.
func TestMaxUsers(t *testing.T) {
	w := newWorld(t)
	c := w.login("romeo@test/desk")
	c.join("romeo")
	for value, wanted := range map[string]string{
		"37":   "<value>37</value><option label='10'>",
		"500":  "<value>500</value><option label='10'>",
		"none": "<value>none</value><option label='10'>",
		"":     "<value>none</value><option label='10'>",
	} {
		c.configure("<field var='muc#roomconfig_maxusers'><value>" + value + "</value></field>")
		w.settle()
		c.take()
		c.send("<iq type='get' id='f' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>")
		w.settle()
		got := field(t, c.take(), "muc#roomconfig_maxusers")
		if !strings.Contains(got, "type='list-single'") || !strings.Contains(got, wanted) {
			t.Errorf("%q: %s", value, got)
		}
		if option := "<option label='" + value + "'>"; value != "" && strings.Count(got, option) != 1 {
			t.Errorf("%q is not once among the options: %s", value, got)
		}
	}
}

// field is one field of a form.
func field(t *testing.T, form, name string) string {
	t.Helper()
	_, form, ok := strings.Cut(form, "<field var='"+name+"'")
	form, _, end := strings.Cut(form, "</field>")
	if !ok || !end {
		t.Fatalf("no field %s", name)
	}
	return form
}
