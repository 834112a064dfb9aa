package caps_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"meerkat/engine/caps"
	"meerkat/xml"
)

const (
	client = `<identity category='client' type='pc' name='Exodus 0.9.1'/>`
	muc    = `<feature var='http://jabber.org/protocol/muc'/>`
	info   = `<feature var='http://jabber.org/protocol/disco#info'/>`
	simple = client + `<feature var='http://jabber.org/protocol/caps'/>` + info +
		`<feature var='http://jabber.org/protocol/disco#items'/>` + muc
	software = `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>` +
		`<field var='ip_version'><value>ipv6</value><value>ipv4</value></field><field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>` +
		`<field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x>`
	psi = `<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/><identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>` +
		`<feature var='http://jabber.org/protocol/caps'/>` + info + `<feature var='http://jabber.org/protocol/disco#items'/>` + muc + software
)

func parse(t testing.TB, text string) xml.Elem {
	t.Helper()
	e, err := new(xml.Doc).Parse([]byte("<query xmlns='http://jabber.org/protocol/disco#info'>"+text+"</query>"), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The examples of XEP-0115 §5.2 and §5.3, and what §5.4 wants refused.
func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name, hash, ver, info string
		want                  bool
	}{
		{"§5.2", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple, true},
		{"§5.3", "sha-1", "q07IKJEyjvHSyhy//CH0CxmKi8w=", psi, true},
		{"another order", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", muc + simple[:len(simple)-len(muc)], true},
		{"a form without a type is left out", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple + `<x xmlns='jabber:x:data'><field var='a'><value>b</value></field></x>`, true},
		{"a form whose type is not hidden is left out", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple + `<x xmlns='jabber:x:data'><field var='FORM_TYPE'><value>b</value></field></x>`, true},
		{"a feature more", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple + `<feature var='x'/>`, false},
		{"a feature less", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple[:len(simple)-len(muc)], false},
		{"a feature twice", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple + muc, false},
		{"an identity twice", "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0=", client + simple, false},
		{"a form twice", "sha-1", "q07IKJEyjvHSyhy//CH0CxmKi8w=", psi + software, false},
		{"a hash nobody knows", "md2", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple, false},
		{"no hash", "", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple, false},
		{"the wrong hash", "sha-256", "QgayPKawpkPSDYmwT/WM94uAlu0=", simple, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := caps.Advert{Hash: []byte(c.hash), Ver: []byte(c.ver)}
			if got := caps.Verify(a, parse(t, c.info)); got != c.want {
				t.Errorf("Verify is %v, want %v", got, c.want)
			}
		})
	}
}

// Whatever else has the same string as an honest answer is taken for no other
// client's: users would not hear of events any more.
func TestOtherAnswersOfTheSameStringAreRefused(t *testing.T) {
	const x = `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>`
	feature := func(names ...string) (s string) {
		for _, n := range names {
			s += "<feature var='" + n + "'/>"
		}
		return s
	}
	// the hash of "client/pc//Exodus 0.9.1<a<b+notify<c<d+notify<"
	sum := sha1.Sum([]byte("client/pc//Exodus 0.9.1<a<b+notify<c<d+notify<"))
	a := caps.Advert{Hash: []byte("sha-1"), Ver: []byte(base64.StdEncoding.EncodeToString(sum[:]))}
	for name, c := range map[string]struct {
		info string
		want bool
	}{
		"honest":               {client + feature("a", "b+notify", "c", "d+notify"), true},
		"in a name":            {`<identity category='client' type='pc' name='Exodus 0.9.1&lt;a&lt;b+notify'/>` + feature("c", "d+notify"), false},
		"in a feature":         {client + feature("a", "b+notify", "c&lt;d+notify"), false},
		"behind a feature":     {client + feature("a", "b+notify&lt;c", "d+notify"), false},
		"as a form":            {client + feature("a") + x + `b+notify</value></field><field var='c'><value>d+notify</value></field></x>`, false},
		"as a form of values":  {client + feature("a", "b+notify") + x + `c</value></field><field var='d+notify'/></x>`, false},
		"harmless, but a form": {client + feature("a", "b+notify", "d+notify") + x + `c</value></field></x>`, false},
	} {
		if got := caps.Verify(a, parse(t, c.info)); got != c.want {
			t.Errorf("%s: Verify is %v, want %v", name, got, c.want)
		}
	}
}

// A client that wants very much is told of a part of it.
func TestSetIsBounded(t *testing.T) {
	many, long := make([]string, 1000), make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprint(i, "+notify")
		long[i] = fmt.Sprint(i, strings.Repeat("x", 1000), "+notify")
	}
	if n := len(caps.NewSet(many).Nodes()); n != 100 {
		t.Errorf("%d nodes of 1000", n)
	}
	if n := len(caps.NewSet(long).Nodes()); n != 8 {
		t.Errorf("%d nodes with long names", n)
	}
	s := caps.NewSet(many)
	if again := caps.NewSet(s.Features()); !slices.Equal(s.Nodes(), again.Nodes()) {
		t.Errorf("%q, from its features %q", s.Nodes(), again.Nodes())
	}
}

func TestSetHasTheNodesThatAreWanted(t *testing.T) {
	features, ok := caps.Features(parse(t, `<feature var='b+notify'/><feature var='a+notify'/><feature var='+notify'/><feature var='c'/>`))
	s := caps.NewSet(features)
	if want := []string{"a", "b"}; !ok || !slices.Equal(s.Nodes(), want) {
		t.Errorf("nodes %q, want %q", s.Nodes(), want)
	}
	for node, want := range map[string]bool{"a": true, "b": true, "c": false, "": false, "aa": false} {
		if s.Wants([]byte(node)) != want {
			t.Errorf("Wants(%q) is %v", node, !want)
		}
	}
	if none := (*caps.Set)(nil); none.Wants([]byte("a")) || none.Nodes() != nil {
		t.Error("a set that is not known wants something")
	}
}

func TestWantsDoesNotAllocate(t *testing.T) {
	s := caps.NewSet([]string{"a+notify", "b+notify", "c+notify"})
	node := []byte("b")
	if n := testing.AllocsPerRun(100, func() { s.Wants(node) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(simple)
	f.Add(psi)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := new(xml.Doc).Parse([]byte("<query xmlns='http://jabber.org/protocol/disco#info'>"+text+"</query>"), "jabber:client")
		if err != nil {
			return
		}
		features, _ := caps.Features(e)
		for _, node := range caps.NewSet(features).Nodes() {
			if !caps.NewSet(features).Wants([]byte(node)) {
				t.Errorf("node %q is listed and not wanted", node)
			}
		}
		caps.Verify(caps.Advert{Hash: []byte("sha-1"), Ver: []byte("x")}, e)
	})
}
