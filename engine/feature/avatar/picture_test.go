package avatar

import (
	"testing"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

func TestDecode(t *testing.T) {
	for _, x := range []struct {
		in, want string
		ok       bool
	}{
		{"aGk=", "hi", true},
		{" aG\r\n\tk= \n", "hi", true},
		{"", "", false},
		{" \n", "", false},
		{"aGk", "", false},
		{"aG k=!", "", false},
		{"{}", "", false},
	} {
		got, ok := decode([]byte(x.in))
		if ok != x.ok || ok && string(got) != x.want {
			t.Errorf("decode(%q) = %q, %v, want %q, %v", x.in, got, ok, x.want, x.ok)
		}
	}
}

// What is not one of ours must not go into presence: pictures come from clients.
func TestNamed(t *testing.T) {
	for in, want := range map[string]string{
		`<metadata xmlns='urn:xmpp:avatar:metadata'><info id='a' type='t'/></metadata>`:                 "a t",
		`<metadata xmlns='urn:xmpp:avatar:metadata'><info id='a' url='u'/><info id='b'/></metadata>`:    "b ",
		`<metadata xmlns='urn:xmpp:avatar:metadata'><info id='a' url=''/></metadata>`:                   " ",
		`<metadata xmlns='urn:xmpp:avatar:metadata'><pointer/></metadata>`:                              " ",
		`<metadata xmlns='urn:xmpp:avatar:metadata'><info xmlns='urn:x' id='a'/></metadata>`:            " ",
		`<metadata xmlns='urn:x'><info id='a'/></metadata>`:                                             " ",
		`<m:metadata xmlns:m='urn:xmpp:avatar:metadata'><m:info id='a' type='image/png'/></m:metadata>`: "a image/png",
		`not XML`: " ",
		``:        " ",
	} {
		if id, kind := named([]byte(in)); id+" "+kind != want {
			t.Errorf("named(%s) = %q, %q, want %q", in, id, kind, want)
		}
	}
}

// Presence of an account without a picture costs a flag, that of one with a
// picture no memory.
func TestPresenceDoesNotAllocate(t *testing.T) {
	var flags account.Flags
	_, f := New(&flags, pubsub.New(1, pubsub.Host{Personal: true}), nil, 1)
	s := &account.Session{}
	a := &account.Account{}
	a.Add(s)
	c := &feature.Ctx{Account: a, Session: s}
	var doc xml.Doc
	e, err := doc.Parse([]byte("<presence><show>away</show></presence>"), stanza.Client)
	if err != nil {
		t.Fatal(err)
	}
	var st stanza.Stanza
	try := func(want string) {
		n := testing.AllocsPerRun(100, func() {
			st.Read(e)
			f.PresenceOut(c, &st)
		})
		if n != 0 || string(st.Tail) != want {
			t.Errorf("%v allocations, presence gets %q, want none and %q", n, st.Tail, want)
		}
	}
	f.know(a, nil)
	try("")
	id := name([]byte("a picture"))
	f.know(a, newPicture(id, true))
	try("<x xmlns='vcard-temp:x:update'><photo>" + id + "</photo></x>")
}

// FuzzPicture: what clients publish is read without harm, and what is taken for a
// picture has its name.
func FuzzPicture(f *testing.F) {
	f.Add([]byte("<data xmlns='urn:xmpp:avatar:data'>iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC</data>"))
	f.Add([]byte("<metadata xmlns='urn:xmpp:avatar:metadata'><info id='a' type='t'/></metadata>"))
	f.Add([]byte("<data xmlns='urn:xmpp:avatar:data'>R0lGODlhAQABAAAAACw=</data>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		named(in)
		data, ok := content(in)
		if !ok {
			return
		}
		if len(data) == 0 || len(name(data)) != 40 {
			t.Errorf("%q is a picture of %d bytes named %q", in, len(data), name(data))
		}
		if format, w, h := look(data); w < 0 || h < 0 || format == "" && w != 0 {
			t.Errorf("%q: format %q, size %d x %d", in, format, w, h)
		}
	})
}

// BenchmarkPresence is the stage alone: for an account without a picture, and for one
// whose client leaves the hash to the server.
func BenchmarkPresence(b *testing.B) {
	var flags account.Flags
	_, f := New(&flags, pubsub.New(1, pubsub.Host{Personal: true}), nil, 1)
	s, a := &account.Session{}, &account.Account{}
	a.Add(s)
	c := &feature.Ctx{Account: a, Session: s}
	var doc xml.Doc
	e, err := doc.Parse([]byte("<presence><show>away</show><priority>1</priority></presence>"), stanza.Client)
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string]*picture{"none": nil, "picture": newPicture(name([]byte("a picture")), true)} {
		b.Run(name, func(b *testing.B) {
			f.know(a, p)
			var st stanza.Stanza
			st.Read(e)
			for b.Loop() {
				st.Tail = nil
				f.PresenceOut(c, &st)
			}
		})
	}
}
