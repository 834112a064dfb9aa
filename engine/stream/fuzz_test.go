package stream

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"meerkat/engine/loop"
)

// FuzzStream sends anything, in pieces, to a stream in each phase. Whatever it
// is, nothing panics, what comes back is XML, and the end leaves nothing behind.
func FuzzStream(f *testing.F) {
	for phase := byte(0); phase < 4; phase++ {
		f.Add(phase, byte(0), []byte(testHeader+testBind+"<message to='a@test'/>"))
		f.Add(phase, byte(1), []byte("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1yb21lbyxyPWFiYw==</auth>"+
			"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9eCxwPQ==</response><abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"))
		f.Add(phase, byte(7), []byte("<iq type='get' id='1' to='test'><q xmlns='x'/></iq><presence type='probe' to='a@test'/></stream:stream> "))
		f.Add(phase, byte(3), []byte("<stream:error/><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><!-- -->"))
	}
	f.Fuzz(func(t *testing.T, phase, cut byte, in []byte) {
		h := newHarness(t, 2, drop)
		before := open.Value()
		p := h.inPhase(phase)
		for len(in) > 0 {
			n := min(len(in), int(cut)+1)
			p.Write(in[:n])
			in = in[n:]
			h.group.Turn()
		}
		got := p.ReadString()
		if err := wellFormed(got, phase%4 == 0); err != nil {
			t.Errorf("got %q: %v", got, err)
		}
		if p.Ended() && !strings.HasSuffix(got, "</stream:stream>") {
			t.Errorf("got %q, and then the end of the connection", got)
		}
		p.Close()
		h.group.Advance(2 * time.Minute)
		if n := open.Value(); n != before {
			t.Errorf("%d streams are open, want %d", n, before)
		}
	})
}

func (h *harness) inPhase(phase byte) (p *loop.Peer) {
	switch phase % 4 {
	case 0:
		_, p = h.dial()
	case 1:
		_, p = h.open()
	case 2:
		_, p = h.login("juliet@test")
	default:
		_, p = h.bind("juliet@test")
	}
	return p
}

// wellFormed reports what is wrong with text as the server's side of a stream,
// from its beginning or amid it. Each header begins a document.
func wellFormed(text string, whole bool) error {
	if !whole {
		text = strings.Replace(testHeader, "<stream:stream", "<?xml version='1.0'?><stream:stream", 1) + text
	}
	for _, doc := range strings.Split(text, "<?xml version='1.0'?>") {
		d := xml.NewDecoder(strings.NewReader(doc))
		for {
			_, err := d.Token()
			var s *xml.SyntaxError
			if errors.Is(err, io.EOF) || errors.As(err, &s) && s.Msg == "unexpected EOF" {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
