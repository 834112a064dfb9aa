package route

import (
	"encoding/binary"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// Spread sends presence b of s, without to, to many bare JIDs that may see it: serialised once, one
// packet for each loop that has any of them. A packet's X is a list of targets:
// op (1 byte), length (2 bytes, big endian), bare JID. Its N is all ops together.
func (r *Router) Spread(s *account.Session, b []byte, each func(yield func(bare []byte, op feature.Op))) {
	var hidden func([]byte) bool
	if r.Hides != nil && s != nil {
		hidden = r.Hides(&r.env, s)
	}
	packets := make([]*loop.Packet, len(r.routers)) // rare enough to allocate
	each(func(bare []byte, op feature.Op) {
		if hidden != nil && hidden(bare) {
			return
		}
		i := r.loops.ForBytes(bare).Index
		if packets[i] == nil {
			packets[i] = loop.NewPacket()
			packets[i].Kind = kindSpread
			packets[i].B = append(packets[i].B[:0], b...)
			packets[i].X = packets[i].X[:0]
		}
		packets[i].X = appendTarget(packets[i].X, bare, op)
		packets[i].N |= uint32(op)
	})
	for i, p := range packets {
		if p != nil {
			r.post(r.routers[i], p)
		}
	}
}

func appendTarget(dst, bare []byte, op feature.Op) []byte {
	dst = append(dst, byte(op))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(bare)))
	return append(dst, bare...)
}

// handleSpread delivers to each target as if it had come alone. Whether a probe
// or a notice may be answered is in the store: all look there in one go.
func (r *Router) handleSpread(p *loop.Packet) {
	switch {
	case !r.read(p.B):
	case feature.Op(p.N)&(feature.Probe|feature.Notice) != 0:
		r.env.View(func(*store.Tx) { r.deliverAll(p) })
	default:
		r.deliverAll(p)
	}
}

func (r *Router) deliverAll(p *loop.Packet) {
	s := &r.got
	from, kind := s.From, s.Type
	for x := p.X; len(x) >= 3; {
		op, n := feature.Op(x[0]), int(binary.BigEndian.Uint16(x[1:]))
		to, err := jid.View(x[3 : 3+n])
		x = x[3+n:]
		if err != nil || !r.serves(to.Domain()) {
			continue
		}
		s.From, s.To, s.Type = from, to, kind
		if op&feature.Notice != 0 && r.notice(s) == feature.Done {
			continue
		}
		if op&feature.Deliver != 0 {
			s.From, s.To, s.Type = from, to, kind
			r.deliver(s)
		}
		if op&feature.Probe != 0 {
			s.From, s.To, s.Type = from, to, stanza.Probe
			r.deliver(s)
		}
	}
}

// notice hands s to the stages for events.
func (r *Router) notice(s *stanza.Stanza) feature.Verdict {
	c := &r.in
	c.Session, c.Account, c.Owner = nil, r.env.Accounts.Get(s.To.BareString()), s.To.Bare()
	return run(r.Notices, c, s)
}
