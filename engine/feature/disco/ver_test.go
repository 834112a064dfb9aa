package disco

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"testing"

	"meerkat/engine/feature"
	"meerkat/xml"
)

// XEP-0115 §5.2 has this example.
func TestVerificationString(t *testing.T) {
	i := info{
		identities: []feature.Identity{{Category: "client", Type: "pc", Name: "Exodus 0.9.1"}},
		features: []string{"http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#items",
			"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info"},
	}
	i.sort()
	if got, want := i.ver(), "QgayPKawpkPSDYmwT/WM94uAlu0="; got != want {
		t.Errorf("ver is %s, want %s", got, want)
	}
}

// XEP-0115 §5.3 has this one, with a form (XEP-0128).
func TestVerificationStringWithForm(t *testing.T) {
	i := info{
		identities: []feature.Identity{{Category: "client", Type: "pc", Name: "Exodus 0.9.1"}},
		features: []string{"http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#items",
			"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info"},
		forms: []*feature.Form{{Type: "urn:xmpp:dataforms:softwareinfo", Fields: []feature.FormField{
			{Var: "ip_version", Values: []string{"ipv6", "ipv4"}}, {Var: "os", Values: []string{"Mac"}},
			{Var: "os_version", Values: []string{"10.5.1"}}, {Var: "software", Values: []string{"Psi"}},
			{Var: "software_version", Values: []string{"0.11"}},
		}}},
	}
	i.sort()
	sum := sha1.Sum([]byte("client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<" +
		"http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<urn:xmpp:dataforms:softwareinfo<" +
		"ip_version<ipv4<ipv6<os<Mac<os_version<10.5.1<software<Psi<software_version<0.11<"))
	if got, want := i.ver(), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("ver is %s, want %s", got, want)
	}
	var b xml.Builder
	b.Reset(nil, "jabber:client")
	appendForm(&b, i.forms[0])
	const want = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>" +
		"<field var='ip_version'><value>ipv6</value><value>ipv4</value></field><field var='os'><value>Mac</value></field>"
	if !bytes.HasPrefix(b.Bytes(), []byte(want)) {
		t.Errorf("got %s, want %s...", b.Bytes(), want)
	}
}
