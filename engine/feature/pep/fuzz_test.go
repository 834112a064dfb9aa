package pep_test

import (
	"testing"

	"meerkat/xml"
)

// Whatever an account's client or a stranger asks of its nodes, each request is
// answered, once.
func FuzzRequests(f *testing.F) {
	for _, s := range []string{
		"<publish node='n'><item id='a'><x xmlns='urn:x'/></item></publish>",
		"<publish node='n'><item/></publish><publish-options><x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#max_items'><value>max</value></field></x></publish-options>",
		"<retract node='n' notify='1'><item id='a'/></retract>", "<items node='n' max_items='3'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/></set>",
		"<create/>", "<create node='m'/><configure><x xmlns='jabber:x:data'/></configure>", "<subscribe node='n' jid='romeo@test'/>",
		"<unsubscribe node='n' jid='romeo@test'/>", "<subscriptions/>", "<affiliations node='n'/>", "<configure node='n'/>", "<default/>",
		"<delete node='n'><redirect uri='x'/></delete>", "<purge node='n'/>", "<affiliations node='n'><affiliation jid='c1@test' affiliation='outcast'/></affiliations>",
		"<subscriptions node='n'><subscription jid='c1@test' subscription='none'/></subscriptions>", "<options/>", "",
	} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(3))
		f.Add(s, uint8(7))
	}
	w := newCrowd(f, false, 0)
	f.Fuzz(func(t *testing.T, payload string, kind uint8) {
		w.t = t
		text := "<iq id='1' type='" + []string{"get", "set"}[kind&1] + "'" +
			[]string{"", " to='c1@test'"}[kind>>1&1] + "><pubsub xmlns='http://jabber.org/protocol/pubsub" +
			[]string{"", "#owner"}[kind>>2&1] + "'>" + payload + "</pubsub></iq>"
		if e, err := new(xml.Doc).Parse([]byte(text), "jabber:client"); err != nil || e.First().Next().OK() {
			return
		}
		w.out.n = 0
		w.send(w.romeo, text)
		if w.out.n == 0 {
			t.Errorf("%s: no answer", text)
		}
	})
}
