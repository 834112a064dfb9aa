package muc_test

import (
	"strings"
	"testing"
)

// The hash of the picture is in disco#info while there is one (XEP-0486 §4), also
// of a room that nobody is in; and a room of the same name that is made later does
// not have the picture of the one before.
func TestPictureInDisco(t *testing.T) {
	w := newWorld(t)
	romeo := w.login("romeo@test/x")
	info := func() string {
		romeo.take()
		romeo.send("<iq type='get' id='i' to='r@conference.test'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
		return romeo.take()
	}
	const hash = "<field var='muc#roominfo_avatarhash' type='text-multi' label='Hashes of its picture'>" +
		"<value>aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d</value><value>7c211433f02071597741e6ff5a8ea34789abbf43</value></field>"
	for _, kind := range []string{"", lasting} {
		romeo.join("romeo")
		romeo.configure(kind)
		w.settle()
		if got := info(); strings.Contains(got, "avatarhash") {
			t.Errorf("before there is a picture: %s", got)
		}
		romeo.send("<iq type='set' id='v' to='r@conference.test'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>aGVsbG8=</BINVAL></PHOTO><PHOTO><BINVAL>d29ybGQ=</BINVAL></PHOTO></vCard></iq>")
		w.settle()
		if got := info(); !strings.Contains(got, hash) {
			t.Errorf("in a room that is %q: %s", kind, got)
		}
		if kind != "" {
			romeo.send("<presence type='unavailable' to='r@conference.test/romeo'/>")
			w.settle()
			if got := info(); !strings.Contains(got, hash) {
				t.Errorf("of a room that nobody is in: %s", got)
			}
		}
		romeo.send("<iq type='set' id='d' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>")
		w.settle()
		romeo.join("romeo")
		romeo.configure(lasting)
		w.settle()
		romeo.take()
		romeo.send("<iq type='get' id='v' to='r@conference.test'><vCard xmlns='vcard-temp'/></iq>")
		if got := romeo.take(); !strings.Contains(got, "<vCard xmlns='vcard-temp'/>") {
			t.Errorf("a new room has a card: %s", got)
		}
		romeo.send("<iq type='set' id='d' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>")
		w.settle()
	}
}
