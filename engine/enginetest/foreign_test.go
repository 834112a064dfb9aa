package enginetest

import (
	"context"
	"encoding/xml"
	"net"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// TestForeignClient lets a client library that is not ours log in, by each way
// that both know, and send itself a message.
func TestForeignClient(t *testing.T) {
	addr := serve(t)
	for _, mech := range []sasl.Mechanism{sasl.ScramSha1, sasl.ScramSha256, sasl.ScramSha256Plus, sasl.Plain} {
		t.Run(mech.Name, func(t *testing.T) { foreignClient(t, addr, mech) })
	}
}

func foreignClient(t *testing.T, addr string, mech sasl.Mechanism) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	romeo := jid.MustParse("romeo@" + Domain)
	s, err := xmpp.NewClientSession(ctx, romeo, nc,
		xmpp.StartTLS(clientTLS()), xmpp.SASL("", password, mech), xmpp.BindResource())
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	own := s.LocalAddr()
	if !own.Bare().Equal(romeo) || own.Resourcepart() == "" {
		t.Errorf("bound as %s, want a resource of %s", own, romeo)
	}
	came := make(chan stanza.Message, 1)
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(xmpp.HandlerFunc(func(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
			m, err := stanza.NewMessage(*start)
			came <- m
			return err
		}))
	}()
	if err := s.Send(ctx, stanza.Message{ID: "m1", To: own, Type: stanza.ChatMessage}.Wrap(nil)); err != nil {
		t.Fatalf("send: %v", err)
	}
	select {
	case m := <-came:
		if m.ID != "m1" || !m.From.Equal(own) {
			t.Errorf("got %+v, want m1 from %s", m, own)
		}
	case <-time.After(patience):
		t.Fatal("the message does not come")
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("the session ended with %v", err)
	}
}
