package muc

import (
	"bytes"

	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// line is what waits in a room, in order: messages that are on their way to the
// archive and go to everybody once they are there, and behind them whatever else
// has come, not looked at yet. A room without an archive has none.
type line struct {
	said    []*saying
	came    []waiting
	bytes   int  // of said and came
	serving bool // what has come is being handled
	loading bool // what was said before is on its way from the disk
}

// saying is a message for everybody.
type saying struct {
	room  *room
	b     []byte // without an address
	seq   uint64 // names it
	past  bool   // who enters later is shown it
	ready bool   // it is in the archive, or will not be
	size  int    // of b, when it came
}

// waiting is a stanza to the room.
type waiting struct {
	p     *loop.Packet
	kind  stanza.Type
	cause feature.Cause
}

// maxWaiting bounds the bytes that wait in one room while the disk does not keep
// up.
const maxWaiting = 8 << 20

// takes reports whether s may be handled now: nothing waits, or s is one more
// message behind messages.
func (l *line) takes(s *stanza.Stanza) bool {
	return l == nil || l.serving ||
		len(l.came) == 0 && !l.loading && l.bytes <= maxWaiting && s.Kind == stanza.Message && s.Type == stanza.Groupchat && s.To.IsBare()
}

// follow has s wait behind what waits already.
func (r *room) follow(c *feature.Ctx, s *stanza.Stanza) {
	l := r.line
	if l.bytes > maxWaiting {
		full.Add(c.Shard(), fullWaiting, 1)
		refuse(c, s, stanza.ResourceConstraint)
		return
	}
	p := loop.NewPacket()
	p.B = s.Append(p.B[:0])
	l.bytes += len(p.B)
	l.came = append(l.came, waiting{p, s.Type, c.Origin})
}

// say gives everybody message b of st, nil if it is the room's own; seq names it.
// keeps says that it belongs into the archive of a room that has one, past that
// who enters later is shown it.
func (r *room) say(c *feature.Ctx, b []byte, seq uint64, st *seat, keeps, past bool) {
	if keeps && r.archives() {
		it := &saying{room: r, b: bytes.Clone(b), seq: seq, past: past}
		r.wait(it)
		r.archive(c, it, st)
		return
	}
	if r.line != nil {
		r.wait(&saying{room: r, b: bytes.Clone(b), seq: seq, past: past, ready: true})
		return
	}
	r.tell(b, seq, past)
}

func (r *room) wait(it *saying) {
	if r.line == nil {
		r.line = new(line)
	}
	it.size = len(it.b)
	r.line.bytes += it.size
	r.line.said = append(r.line.said, it)
}

// tell sends a message to everybody who is here.
func (r *room) tell(b []byte, seq uint64, past bool) {
	r.told = max(r.told, seq)
	if past {
		r.past.keep(b, seq, &r.env.Config.Rooms)
	}
	r.toAll(b)
	messages.Add(r.env.Shard(), 1)
}

// advance lets go on what need not wait any more.
func (r *room) advance() {
	l := r.line
	if l == nil || l.serving {
		return
	}
	l.serving = true
	for {
		for len(l.said) > 0 && l.said[0].ready {
			it := l.said[0]
			l.said = l.said[1:]
			l.bytes -= it.size
			r.tell(it.b, it.seq, it.past)
		}
		if len(l.came) == 0 || l.loading || len(l.said) > 0 && !l.came[0].speaks() {
			break
		}
		w := l.came[0]
		l.came = l.came[1:]
		l.bytes -= len(w.p.B)
		r.f.resume(r.env, w)
	}
	l.serving = false
	if len(l.said) == 0 && len(l.came) == 0 && !l.loading {
		r.line = nil
	}
	r.rest()
}

// speaks reports whether w is a message for everybody, which may join others that
// are on their way to the archive.
func (w *waiting) speaks() bool {
	return w.kind == stanza.Groupchat && bytes.HasPrefix(w.p.B, []byte("<message"))
}

// resume handles a stanza that has waited.
func (f *service) resume(e *feature.Env, w waiting) {
	defer w.p.Release()
	var s stanza.Stanza
	el, err := f.keeper(e).doc.Parse(w.p.B, stanza.Client)
	if err != nil || s.Read(el) != stanza.OK {
		e.Log.Error("a stanza to a room does not parse", "err", err, "bytes", len(w.p.B))
		return
	}
	if s.From, err = jid.View(el.Attr("from")); err != nil {
		return
	}
	s.Type = w.kind
	f.handle(&feature.Ctx{Env: e, Owner: s.To.Bare(), Origin: w.cause}, &s)
}

// unnamed returns message b without the id that is in no archive.
func unnamed(b []byte, a *store.Archive, room string, seq uint64) []byte {
	id := archive.AppendID(nil, a, room, seq)
	i := bytes.LastIndex(b, id)
	if i < 0 {
		return b
	}
	return append(b[:i:i], b[i+len(id):]...)
}
