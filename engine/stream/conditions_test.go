package stream

import (
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

// inMessage puts what a client sends into a stanza.
func inMessage(s string) string { return "<message to='juliet@test/desk'>" + s + "</message>" }

// mistakes is what ends the stream of a bound client, and how. RFC 6120
// §4.9.3, §8.1.2.1, §11.1 to §11.5.
var mistakes = []struct{ in, want string }{
	{inMessage("<!-- c -->"), "restricted-xml"},
	{inMessage("<?php c?>"), "restricted-xml"},
	{inMessage("<!DOCTYPE a>"), "restricted-xml"},
	{inMessage("<!ENTITY a 'b'>"), "restricted-xml"},
	{inMessage("&nbsp;"), "restricted-xml"},
	{inMessage("<a b='&nbsp;'/>"), "restricted-xml"},
	{"<!-- c -->", "restricted-xml"},
	{"<!DOCTYPE a [<!ENTITY l 'lol'><!ENTITY m '&l;&l;'>]>", "restricted-xml"},
	{"<?xml version='1.0'?>", "not-well-formed"},
	{inMessage("<?xml version='1.0'?>"), "not-well-formed"},

	{inMessage("<a></b>"), "not-well-formed"},
	{inMessage("<a b='' b=''/>"), "not-well-formed"},
	{inMessage("<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>"), "not-well-formed"},
	{inMessage("<a b='<'/>"), "not-well-formed"},
	{inMessage("]]>"), "not-well-formed"},
	{inMessage("<a xmlns:xml='u'/>"), "not-well-formed"},
	{inMessage("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"), "not-well-formed"},
	{inMessage("<a xmlns:xmlns='u'/>"), "not-well-formed"},
	{inMessage("<a xmlns='http://www.w3.org/2000/xmlns/'/>"), "not-well-formed"},
	{inMessage("<a xmlns:p=''/>"), "not-well-formed"},
	{inMessage("<p:a:b xmlns:p='u'/>"), "not-well-formed"},
	{inMessage("<a xmlns:p='u' p:a:b=''/>"), "not-well-formed"},
	{inMessage("<p:a/>"), "bad-namespace-prefix"},
	{inMessage("<a p:b=''/>"), "bad-namespace-prefix"},
	{inMessage("<p:a xmlns:p='u'/><p:b/>"), "bad-namespace-prefix"},
	{"hello", "bad-format"},
	{"<![CDATA[ ]]>", "bad-format"},
	{"&#32;", "bad-format"},

	{inMessage("\xc0\xaf"), "not-well-formed"},         // overlong
	{inMessage("\xed\xa0\x80"), "not-well-formed"},     // a surrogate
	{inMessage("\xf4\x90\x80\x80"), "not-well-formed"}, // above U+10FFFF
	{inMessage("\x80"), "not-well-formed"},             // lone
	{inMessage("\xe2\x82"), "not-well-formed"},         // truncated
	{inMessage("a\x00"), "not-well-formed"},
	{inMessage("\uffff"), "not-well-formed"},
	{inMessage("&#0;"), "not-well-formed"},
	{inMessage("&#x1f;"), "not-well-formed"},
	{inMessage("&#xD800;"), "not-well-formed"},
	{inMessage("&#xFFFE;"), "not-well-formed"},
	{inMessage("&#65535;"), "not-well-formed"},
	{inMessage("&#x110000;"), "not-well-formed"},
	{inMessage("&#4294967361;"), "not-well-formed"},         // 2^32 + 'A'
	{inMessage("&#x10000000000000041;"), "not-well-formed"}, // 2^64 + 'A'

	{"<pubsub xmlns='u'/>", "unsupported-stanza-type"},
	{"<Message to='juliet@test/desk'/>", "unsupported-stanza-type"},
	{"<message xmlns='' to='juliet@test/desk'/>", "unsupported-stanza-type"},
	{"<message xmlns='jabber:server' to='juliet@test/desk'/>", "unsupported-stanza-type"},
	{"<m:message xmlns:m='u' to='juliet@test/desk'/>", "unsupported-stanza-type"},
	{"<stream:features/>", "unsupported-stanza-type"},
	{"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "unsupported-stanza-type"},
	{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>", "unsupported-stanza-type"},
	{"<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", "unsupported-stanza-type"},
	{"<d:result xmlns:d='jabber:server:dialback' from='a' to='test'>x</d:result>", "unsupported-stanza-type"},

	{"<message from='juliet@test/desk' to='juliet@test/desk'/>", "invalid-from"},
	{"<message from='romeo@test/other' to='juliet@test/desk'/>", "invalid-from"},
	{"<message from='test' to='juliet@test/desk'/>", "invalid-from"},
	{"<message from='' to='juliet@test/desk'/>", "invalid-from"},
	{"<message from='@' to='juliet@test/desk'/>", "invalid-from"},
}

// Each mistake ends the stream with exactly its condition, whole and a byte at a
// time. Nothing of it is acted on, and another client is served meanwhile.
func TestConditionOfEveryMistake(t *testing.T) {
	for _, c := range mistakes {
		for _, chunk := range []int{len(c.in), 1} {
			testCondition(t, c.in, c.want, chunk)
		}
	}
}

func testCondition(t *testing.T, in, want string, chunk int) {
	var senders []string
	h := newHarness(t, 1, func(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
		senders = append(senders, c.Session.JID.String())
		return feature.Done
	})
	_, p := h.bind("romeo@test")
	_, other := h.bind("juliet@test")
	for rest := in; rest != ""; {
		n := min(chunk, len(rest))
		p.WriteString(rest[:n])
		h.group.Turn()
		rest = rest[n:]
	}
	got, wantHead := p.ReadString(), "<stream:error><"+want+" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	if len(got) < len(wantHead) || got[:len(wantHead)] != wantHead || !p.Ended() {
		t.Errorf("%q by %d: got %s, want %s", in, chunk, got, want)
	}
	other.WriteString("<message to='romeo@test'/>")
	h.group.Turn()
	if len(senders) != 1 || senders[0] != "juliet@test/desk" {
		t.Errorf("%q by %d: stanzas of %v were acted on, want one of juliet@test/desk", in, chunk, senders)
	}
}
