package route

import (
	"bytes"
	"encoding/binary"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
)

// Batch sends available presence of many to one full JID. See feature.Router. A
// packet's X is the full JID with its length (2 bytes, big endian), and where in
// B each stanza ends (4 bytes, big endian).
func (r *Router) Batch(to jid.JID, b []byte, ends []uint32) {
	if len(ends) == 0 || !r.serves(to.Domain()) {
		return
	}
	p := r.env.Loop.NewPacket(len(b))
	p.Kind, p.B = kindBatch, append(p.B[:0], b...)
	p.X = binary.BigEndian.AppendUint16(p.X[:0], uint16(len(to.String())))
	p.X = append(p.X, to.String()...)
	for _, end := range ends {
		p.X = binary.BigEndian.AppendUint32(p.X, end)
	}
	r.post(r.home(to), p)
}

// serveBatch gives a session as many of p's stanzas as the budget allows, and
// returns what is left of that. A session that is gone is told by what is fanned.
func (r *Router) serveBatch(p *loop.Packet, budget int) int {
	f := &r.fans
	head := 2 + int(binary.BigEndian.Uint16(p.X))
	to, err := jid.View(p.X[2:head])
	c := &r.in
	c.Session, c.Account = nil, r.env.Accounts.Get(to.BareString())
	session := find(c.Account, to)
	if err != nil || session == nil {
		f.at = len(p.X)
		return budget
	}
	c.Owner = c.Account.JID
	start := uint32(0)
	if f.at = max(f.at, head); f.at > head {
		start = binary.BigEndian.Uint32(p.X[f.at-4:])
	}
	n := 0
	for ; f.at < len(p.X) && budget > 0; budget-- {
		end := binary.BigEndian.Uint32(p.X[f.at:])
		b := p.B[start:end]
		f.at, start = f.at+4, end
		if r.readShown(b, to) && run(r.FilterIn, c, &r.got) == feature.Continue {
			session.Sink.Write(b)
			n++
		}
	}
	delivered.Add(c.Shard(), int(stanza.Presence)-1, uint64(n))
	return budget
}

// readShown fills r.got from a stanza of a batch: its sender's address comes
// first, and nearly always needs no unescaping. The rest is parsed only if a
// filter wants it.
func (r *Router) readShown(b []byte, to jid.JID) bool {
	const start = "<presence from='"
	from, _, ok := bytes.Cut(b[len(start):], []byte{'\''})
	if !ok || bytes.IndexByte(from, '&') >= 0 {
		return r.read(b)
	}
	j, err := jid.View(from)
	r.got = stanza.Stanza{Kind: stanza.Presence, Type: stanza.Available, From: j, To: to, Elem: r.doc.Defer(b, stanza.Client)}
	r.got.Relayed()
	return err == nil
}
