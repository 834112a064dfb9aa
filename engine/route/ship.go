package route

import (
	"encoding/binary"

	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
)

// shipload is how many bytes of stanzas a packet has before the next one begins.
const shipload = 2 << 10

// ship takes s, which c.Session has just sent, to another loop: in the packet of
// the one before it, if that is still here. There it is delivered without being
// parsed again, unless something asks for what is in it.
//
// For each stanza X has its length, 4 bytes, its head, and a byte that is 1 if its
// cause follows: session, number, print.
func (r *Router) ship(c *feature.Ctx, s *stanza.Stanza, to *Router) {
	if p := r.loaded(to); p != nil {
		load(p, c, s)
		return
	}
	p := r.env.Loop.NewPacket(0)
	p.Kind = kindShip
	load(p, c, s)
	r.post(to, p)
}

func load(p *loop.Packet, c *feature.Ctx, s *stanza.Stanza) {
	at := len(p.B)
	p.B = s.Append(p.B)
	p.X = binary.LittleEndian.AppendUint32(p.X, uint32(len(p.B)-at))
	p.X = s.AppendHead(p.X)
	if !c.Session.Lasting {
		p.X = append(p.X, 0)
		return
	}
	p.X = binary.LittleEndian.AppendUint64(append(p.X, 1), c.Session.ID)
	p.X = binary.LittleEndian.AppendUint32(p.X, c.Session.Received)
	p.X = binary.LittleEndian.AppendUint64(p.X, print(s))
}

// loaded returns a packet on its way to to that takes more, or nil.
func (r *Router) loaded(to *Router) *loop.Packet {
	if to == r {
		return nil
	}
	if p := r.env.Loop.Last(to.env.Loop); p != nil && p.Kind == kindShip && len(p.B) < shipload {
		return p
	}
	return nil
}

// handleShip delivers what ship has put into p. After a stanza that makes a
// handler panic come those behind it all the same.
func (r *Router) handleShip(p *loop.Packet) {
	b, x := p.B, p.X
	defer func() {
		if len(x) > 0 {
			rest := r.env.Loop.NewPacket(0)
			rest.Kind, rest.B, rest.X = kindShip, append(rest.B, b...), append(rest.X, x...)
			r.post(r, rest)
		}
	}()
	for len(x) > 0 {
		n := binary.LittleEndian.Uint32(x)
		one := b[:n]
		b = b[n:]
		x = r.got.ReadHead(x[4:], r.doc.Defer(one, stanza.Client))
		lasting := x[0] == 1
		if x = x[1:]; !lasting {
			r.deliver(&r.got)
			continue
		}
		cause := feature.Cause{
			Owner: r.got.From.BareString(), Session: binary.LittleEndian.Uint64(x),
			Number: binary.LittleEndian.Uint32(x[8:]), Print: binary.LittleEndian.Uint64(x[12:]),
		}
		x = x[20:]
		r.env.Because(cause, func() { r.deliver(&r.got) })
	}
}
