package muc

import (
	"bytes"
	"testing"
	"time"

	"meerkat/engine/archive"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// FuzzRows has somebody say anything: what is archived of it parses, says who has
// said it to who may know and to nobody else, and so does its tombstone.
func FuzzRows(f *testing.F) {
	for _, s := range []string{
		"<body>x</body>", "<body><![CDATA[<x xmlns='http://jabber.org/protocol/muc#user'><item jid='a@b'/></x>]]></body>",
		"<a xmlns='b'><x xmlns='http://jabber.org/protocol/muc#user'><item jid='a@b'/></x></a>",
		"<x xmlns='http://jabber.org/protocol/muc#user'><item jid='a@b'/></x>", "text", "<!-- -->", "<c:x xmlns:c='http://jabber.org/protocol/muc#user'><c:item jid='a@b'/></c:x>",
		"<stanza-id xmlns='urn:xmpp:sid:0' by='r@conference.test' id='x'/>", "<body>&lt;/message&gt;</body>",
	} {
		f.Add(s)
	}
	st, err := store.Open(store.Options{Dir: f.TempDir(), MapSize: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { st.Close() })
	a := st.Archive()
	r := &room{f: &service{}, jid: jid.MustParse("r@conference.test")}
	who := &seat{occupant: &occupant{nick: "it's <me>"}, jid: jid.MustParse("juliet@test/x")}
	f.Fuzz(func(t *testing.T, children string) {
		var doc xml.Doc
		var s stanza.Stanza
		e, err := doc.Parse([]byte("<message type='groupchat' id='1' to='r@conference.test'>"+children+"</message>"), stanza.Client)
		if err != nil || s.Read(e) != stanza.OK {
			return
		}
		id := archive.AppendID(nil, a, "r@conference.test", 7)
		b := r.reflect(nil, &s, who.occupant, id)
		row := r.appendRow(nil, b, who)
		check(t, row, true)
		check(t, anonymous(row), false)
		if !bytes.Equal(anonymous(row), b) {
			t.Errorf("%q is not what was said: %q", anonymous(row), b)
		}
		if without := unnamed(bytes.Clone(b), a, "r@conference.test", 7); bytes.Contains(without, id) {
			t.Errorf("%q still has its id", without)
		}
		re := &retraction{id: "2", at: time.Unix(1e9, 0), author: who.jid.Bare()}
		stone := re.tombstone(row)
		check(t, stone, true)
		check(t, anonymous(stone), false)
		re.author = jid.MustParse("romeo@test")
		if re.tombstone(row) != nil {
			t.Error("another's message is taken back")
		}
	})
}

func check(t *testing.T, row []byte, known bool) {
	t.Helper()
	var doc xml.Doc
	e, err := doc.Parse(row, stanza.Client)
	if err != nil {
		t.Fatalf("%q: %v", row, err)
	}
	if got := speakerOf(e); known != (got == jid.MustParse("juliet@test/x")) || !known && !got.IsZero() {
		t.Errorf("%q is of %v", row, got)
	}
	if string(e.Attr("from")) != "r@conference.test/it's <me>" {
		t.Errorf("%q is from %q", row, e.Attr("from"))
	}
}
