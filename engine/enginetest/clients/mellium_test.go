//go:build interop

package clients

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/roster"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/version"
)

// melliumClient is a client on mellium.im/xmpp. It obeys lines of JSON like the
// clients in other languages.
type melliumClient struct {
	out     *json.Encoder
	pool    *tls.Config
	session *xmpp.Session
	served  chan struct{}
}

func startMellium(t *testing.T, s *server, _ string) (io.WriteCloser, io.Reader) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	m := &melliumClient{out: json.NewEncoder(outW), pool: s.tls}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d := json.NewDecoder(inR); ; {
			var cmd command
			if err := d.Decode(&cmd); err != nil {
				outW.CloseWithError(err)
				return
			}
			if err := m.obey(&cmd); err != nil {
				m.out.Encode(event{Event: "error", Condition: err.Error()})
			}
		}
	}()
	t.Cleanup(func() {
		inW.Close()
		if m.session != nil {
			m.session.Conn().Close()
		}
		outR.Close()
		<-ended
	})
	return inW, outR
}

func (m *melliumClient) obey(cmd *command) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to, err := address(cmd.To)
	if err != nil {
		return err
	}
	switch cmd.Do {
	case "login":
		return m.login(ctx, cmd)
	case "presence":
		return m.presence(ctx, cmd, to)
	case "send":
		return m.send(ctx, cmd, to)
	case "ping":
		return m.answer(ping.Send(ctx, m.session, to), event{Event: "pong"})
	case "roster":
		return m.roster(ctx)
	case "roster-set":
		return m.answer(roster.Set(ctx, m.session, roster.Item{JID: to, Name: cmd.Name, Group: []string{"Friends"}}), event{Event: "done"})
	case "roster-remove":
		return m.answer(roster.Delete(ctx, m.session, to), event{Event: "done"})
	case "disco":
		return m.disco(ctx, to)
	case "version":
		v, err := version.Get(ctx, m.session, to)
		return m.answer(err, event{Event: "version", Name: v.Name})
	case "change":
		return m.change(ctx, cmd)
	case "logout":
		err := m.session.Close()
		<-m.served
		return m.answer(err, event{Event: "offline"})
	}
	return errors.New("unknown command " + cmd.Do)
}

func address(s string) (jid.JID, error) {
	if s == "" {
		return jid.JID{}, nil
	}
	return jid.Parse(s)
}

func (m *melliumClient) answer(err error, e event) error {
	if err != nil {
		return err
	}
	return m.out.Encode(e)
}

func (m *melliumClient) login(ctx context.Context, cmd *command) error {
	own, err := jid.Parse(cmd.JID)
	if err != nil {
		return err
	}
	trust := m.pool.Clone()
	if v, ok := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[cmd.TLS]; ok {
		trust.MinVersion, trust.MaxVersion = v, v
	}
	var conn net.Conn
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(cmd.Port))
	if cmd.Direct {
		trust.NextProtos = []string{"xmpp-client"}
		conn, err = tls.Dial("tcp", at, trust)
	} else {
		conn, err = net.Dial("tcp", at)
	}
	if err != nil {
		return err
	}
	var used string
	s, err := xmpp.NewClientSession(ctx, own, conn,
		xmpp.StartTLS(trust), xmpp.SASL("", cmd.Password, mechanisms(cmd.Mechanism, &used)...), xmpp.BindResource())
	if err != nil {
		conn.Close()
		return m.out.Encode(event{Event: "refused", Condition: err.Error()})
	}
	m.session, m.served = s, make(chan struct{})
	go func() {
		defer close(m.served)
		_ = s.Serve(xmpp.HandlerFunc(m.came)) // ends with the stream
	}()
	state := s.ConnectionState()
	return m.out.Encode(event{
		Event: "online", JID: s.LocalAddr().String(), Mechanism: used,
		TLS: "TLSv" + strings.TrimPrefix(tls.VersionName(state.Version), "TLS "),
	})
}

// mechanisms are those of mellium.im/sasl, strongest first, or the named one.
// The one that is begun is noted in used.
func mechanisms(name string, used *string) []sasl.Mechanism {
	all := []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain}
	if name != "" {
		all = slices.DeleteFunc(all, func(m sasl.Mechanism) bool { return m.Name != name })
	}
	for i := range all {
		begin, name := all[i].Start, all[i].Name
		all[i].Start = func(n *sasl.Negotiator) (bool, []byte, any, error) {
			*used = name
			return begin(n)
		}
	}
	return all
}

func (m *melliumClient) presence(ctx context.Context, cmd *command, to jid.JID) error {
	p := stanza.Presence{To: to, Type: stanza.PresenceType(cmd.Type)}
	return m.session.Send(ctx, p.Wrap(xmlstream.MultiReader(text("show", cmd.Show), text("status", cmd.Status))))
}

// text is an element with text, nothing if there is none.
func text(name, value string) xml.TokenReader {
	if value == "" {
		return xmlstream.MultiReader()
	}
	return xmlstream.Wrap(xmlstream.Token(xml.CharData(value)), xml.StartElement{Name: xml.Name{Local: name}})
}

func (m *melliumClient) send(ctx context.Context, cmd *command, to jid.JID) error {
	for i := range cmd.N {
		msg := stanza.Message{To: to, Type: stanza.ChatMessage}
		if err := m.session.Send(ctx, msg.Wrap(text("body", fmt.Sprintf("%s %d", cmd.Body, i)))); err != nil {
			return err
		}
	}
	return nil
}

// came handles what nobody has asked for.
func (m *melliumClient) came(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	d := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), r))
	var s struct {
		XMLName xml.Name
		From    string    `xml:"from,attr"`
		Type    string    `xml:"type,attr"`
		Body    string    `xml:"body"`
		Show    string    `xml:"show"`
		Status  string    `xml:"status"`
		Delay   *struct{} `xml:"urn:xmpp:delay delay"`
	}
	if err := d.Decode(&s); err != nil {
		return err
	}
	if s.XMLName.Local == "iq" {
		return nil
	}
	return m.out.Encode(event{
		Event: s.XMLName.Local, From: s.From, Type: s.Type, Body: s.Body, Show: s.Show, Status: s.Status, Stamp: s.Delay != nil,
	})
}

func (m *melliumClient) roster(ctx context.Context) error {
	e := event{Event: "roster", Items: map[string]contact{}}
	it := roster.Fetch(ctx, m.session)
	for it.Next() {
		e.Items[it.Item().JID.String()] = contact{Name: it.Item().Name, Subscription: it.Item().Subscription}
	}
	return m.answer(errors.Join(it.Err(), it.Close()), e)
}

func (m *melliumClient) disco(ctx context.Context, to jid.JID) error {
	got, err := disco.GetInfo(ctx, "", to, m.session)
	e := event{Event: "info"}
	for _, f := range got.Features {
		e.Features = append(e.Features, f.Var)
	}
	for _, i := range got.Identity {
		e.Identities = append(e.Identities, i.Category+"/"+i.Type)
	}
	return m.answer(err, e)
}

func (m *melliumClient) change(ctx context.Context, cmd *command) error {
	type register struct {
		XMLName  xml.Name  `xml:"jabber:iq:register query"`
		Username string    `xml:"username,omitempty"`
		Password string    `xml:"password,omitempty"`
		Remove   *struct{} `xml:"remove"`
	}
	q := register{Remove: &struct{}{}}
	if cmd.Password != "" {
		q = register{Username: m.session.LocalAddr().Localpart(), Password: cmd.Password}
	}
	resp, err := m.session.EncodeIQElement(ctx, q, stanza.IQ{Type: stanza.SetIQ})
	if err != nil {
		return err
	}
	defer resp.Close()
	tok, err := resp.Token()
	if start, ok := tok.(xml.StartElement); err == nil && ok {
		if iq, err := stanza.NewIQ(start); err != nil || iq.Type != stanza.ResultIQ {
			return fmt.Errorf("answer %+v, %v", iq, err)
		}
	}
	return m.answer(err, event{Event: "done"})
}
