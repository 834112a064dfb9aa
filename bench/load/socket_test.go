package load

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// Elements of a stream become messages that somebody else's code can read.
func TestFramed(t *testing.T) {
	long, longer := strings.Repeat("x", 200), strings.Repeat("y", 1<<16)
	sent := "<?xml version='1.0'?><stream:stream to='test' version='1.0'><presence/><message to='a'><body>" + long + "</body></message>" +
		"<iq id='" + longer + "'/><r xmlns='urn:xmpp:sm:3'/></stream:stream>"
	want := []string{
		"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='test' version='1.0'/>",
		"<presence xmlns='jabber:client'/>",
		"<message xmlns='jabber:client' to='a'><body>" + long + "</body></message>",
		"<iq xmlns='jabber:client' id='" + longer + "'/>",
		"<r xmlns='urn:xmpp:sm:3'/>",
		"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
	}
	r := bytes.NewReader(framed(nil, []byte(sent)))
	for _, w := range want {
		h, err := ws.ReadHeader(r)
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			t.Fatal(err)
		}
		if ws.Cipher(payload, h.Mask, 0); string(payload) != w || h.OpCode != ws.OpText || !h.Fin || !h.Masked {
			t.Errorf("got %.80s of %d bytes, want %.80s of %d", payload, len(payload), w, len(w))
		}
	}
	if _, err := ws.ReadHeader(r); err != io.EOF {
		t.Errorf("behind the last message: %v", err)
	}
}

// Frames are found wherever they are cut.
func TestNextFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16} {
		b := ws.MustCompileFrame(ws.NewTextFrame(bytes.Repeat([]byte("x"), size)))
		for _, cut := range []int{0, 1, 2, 3, 9, len(b) / 2, len(b) - 1} {
			if cut < len(b) {
				if _, _, n := nextFrame(b[:cut]); n != 0 {
					t.Errorf("%d bytes, cut after %d: got %d", size, cut, n)
				}
			}
		}
		first, payload, n := nextFrame(append(b, "next"...))
		if first != wholeText || len(payload) != size || n != len(b) {
			t.Errorf("%d bytes: got %x with %d, %d in all", size, first, len(payload), n)
		}
	}
}
