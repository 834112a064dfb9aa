package route

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// fanTurn bounds the targets that a loop serves in one turn, so that nobody
// waits for a very large room. At 5 µs a target it is somewhat over a millisecond.
const fanTurn = 256

// mostKept is how much of the memory of a burst is kept for the next one, in bytes.
const mostKept = 64 << 10

// fans are packets that have not reached all of their targets yet, and batches
// that are not all delivered. What comes for a room meanwhile waits behind them.
type fans struct {
	waiting []*loop.Packet
	served  uint64 // since the start
	wide    int    // of them go to many
	at      int    // bytes of the first one's X that are dealt with
	busy    bool   // serveFans runs
	alone   bool   // the first one goes to many, and no other one
	asked   bool   // or will, at the end of the turn or in the next
	cut     bool   // the first one is too much for one turn
	finish  func() // serveFans as a handler
	doc     xml.Doc
	s       stanza.Stanza // the first one's, once it has been begun
	ahead   [burst]target // those of the first one that are next
	out     []byte        // what prompt ones among them get, one after the other
	built   []ready       // where that ends
	written int           // how many of those have been written
}

// burst is how many targets are got ready before the first of them is written to.
// Between two writes the caches have forgotten most, and a reader that has caught up
// sleeps: each costs more than what is written.
const burst = 8

// ready is a stanza that waits for those of its burst.
type ready struct {
	to  account.Prompt
	end int // in out
}

// target is a session that gets a stanza.
type target struct {
	jid     jid.JID
	end     int // in the packet's X
	account *account.Account
	session *account.Session // nil: it is gone
	prompt  account.Prompt   // not nil: it takes the stanza at once
}

// Fan sends b, a message or presence with from and without to, to many full
// JIDs. See feature.Router. A packet's X is a list of targets: full JIDs as
// jid.AppendBinary has them.
func (r *Router) Fan(b []byte, each func(yield func(full jid.JID))) {
	packets := r.fanned[:0]
	for range r.routers {
		packets = append(packets, nil)
	}
	each(func(full jid.JID) {
		i := r.loops.For(full.BareString()).Index
		if packets[i] == nil {
			packets[i] = loop.NewPacket()
			packets[i].Kind = kindFan
			packets[i].B = append(packets[i].B[:0], b...)
		}
		packets[i].X = full.AppendBinary(packets[i].X)
	})
	r.fanned = nil // posting to this very loop may fan again
	for i, p := range packets {
		if p != nil {
			r.post(r.routers[i], p)
		}
	}
	clear(packets)
	r.fanned = packets
}

// wideFan is from how many bytes of targets on a packet goes to many.
const wideFan = 256

func isWide(p *loop.Packet) bool { return p.Kind == kindFan && len(p.X) >= wideFan }

// handleFan takes p over, behind those that are not done yet. They are served at
// the end of the turn, when it is known whether several go to many: only then is
// it worth to collect what a session gets.
func (r *Router) handleFan(p *loop.Packet) {
	f := &r.fans
	p.Retain()
	f.waiting = append(f.waiting, p)
	if isWide(p) {
		f.wide++
	}
	if f.finish == nil {
		f.finish = func() { f.asked = false; r.Run(r.serveFans) }
	}
	if !f.asked {
		f.asked = true
		r.env.Loop.Later(f.finish)
	}
}

// inOrder serves what was fanned before what comes now, unless that takes turns.
func (r *Router) inOrder() {
	if f := &r.fans; len(f.waiting) > 0 && !f.cut && !f.busy {
		r.serveFans()
	}
}

// serveFans serves as many targets as a turn may, and asks for another turn if
// some are left. A panic costs one target.
func (r *Router) serveFans() {
	f := &r.fans
	f.busy, f.cut = true, false
	served, at := f.served, f.at
	defer func() {
		if f.busy = false; len(f.waiting) == 0 || f.asked {
			return
		}
		if f.served == served && f.at == at { // a panic, and it would come again
			f.at = len(f.waiting[0].X)
		}
		f.asked = true
		r.env.Loop.Post(f.finish)
	}()
	for budget := fanTurn; len(f.waiting) > 0; {
		p := f.waiting[0]
		if budget = r.serveNext(p, budget); f.at < len(p.X) {
			f.cut = true // the rest comes in the next turn
			return
		}
		if isWide(p) {
			f.wide--
		}
		r.env.Loop.Release(p)
		f.waiting[0] = nil
		f.waiting, f.at = f.waiting[1:], 0
		f.served++
	}
	f.waiting = nil
}

func (r *Router) serveNext(p *loop.Packet, budget int) int {
	if p.Kind == kindBatch {
		return r.serveBatch(p, budget)
	}
	return r.serveFan(p, budget)
}

// serveFan serves targets of p, which is first, as far as the budget goes, and
// returns what is left of that.
func (r *Router) serveFan(p *loop.Packet, budget int) int {
	f := &r.fans
	defer f.write() // also when a panic costs a target
	if f.at == 0 && !r.readFan(p.B) {
		f.at = len(p.X)
		return budget
	}
	head := len("<") + len(f.s.Kind.String()) // a stanza that is written has no prefix
	f.alone = f.wide == 1 && isWide(p)
	for f.at < len(p.X) && budget > 0 {
		next := f.look(r.env.Accounts, p.X, budget)
		if f.alone {
			f.prompt(next)
		}
		for i := range next {
			to := &f.ahead[i]
			f.at, budget = to.end, budget-1
			r.hand(&f.s, to, p.B, head)
		}
		f.write()
	}
	clear(f.ahead[:])
	return budget
}

// look finds the accounts and sessions of the next targets in x, and says how many
// it has found. Between two writes the caches have forgotten all of them; looked
// up in a row, one does not wait for the other's memory.
func (f *fans) look(t *account.Table, x []byte, most int) (n int) {
	for rest := x[f.at:]; n < min(most, len(f.ahead)) && len(rest) > 0; n++ {
		to := &f.ahead[n]
		to.jid, rest = jid.ViewBinary(rest)
		to.end = len(x) - len(rest)
		to.account = t.Get(to.jid.BareString())
		to.session = find(to.account, to.jid)
	}
	return n
}

// prompt finds out which of the first n of ahead take a stanza at once. What says so
// is what writing to them needs next, down to the socket: so it is in the cache then.
func (f *fans) prompt(n int) {
	for i := range f.ahead[:n] {
		to := &f.ahead[i]
		to.prompt = nil
		if to.session != nil {
			if p, ok := to.session.Sink.(account.Prompt); ok && p.Ready() {
				to.prompt = p
			}
		}
	}
}

// readFan parses a stanza that one of our own routers has fanned.
func (r *Router) readFan(b []byte) bool {
	e, err := r.fans.doc.Parse(b, stanza.Client)
	if err != nil || r.fans.s.Read(e) != stanza.OK {
		r.env.Log.Error("a fanned stanza does not parse", "err", err, "bytes", len(b))
		return false
	}
	r.fans.s.From, err = jid.View(e.Attr("from"))
	return err == nil
}

// hand writes b, which is s without its address, to the session it is for. Who
// is gone is told to the sender, so that it stops.
func (r *Router) hand(s *stanza.Stanza, t *target, b []byte, head int) {
	c := &r.in
	s.To = t.jid
	c.Session, c.Account = nil, t.account
	to := t.session
	if to == nil {
		r.ghost(s)
		return
	}
	c.Owner = c.Account.JID
	if run(r.FilterIn, c, s) == feature.Done {
		return
	}
	f := &r.fans
	start := len(f.out)
	f.out = append(f.out, b[:head]...)
	f.out = append(f.out, " to='"...)
	f.out = xml.AppendEscapedAttrString(f.out, t.jid.String())
	f.out = append(append(f.out, '\''), b[head:]...)
	if t.prompt != nil {
		f.built = append(f.built, ready{t.prompt, len(f.out)})
	} else {
		to.Sink.Write(f.out[start:])
		f.out = f.out[:start]
	}
	delivered.Add(c.Shard(), int(s.Kind)-1, 1)
}

// write writes what a burst has got ready. Whose write panics is not written to again.
func (f *fans) write() {
	for f.written < len(f.built) {
		start, w := 0, f.built[f.written]
		if f.written > 0 {
			start = f.built[f.written-1].end
		}
		f.written++
		w.to.WriteNow(f.out[start:w.end])
	}
	clear(f.built)
	f.built, f.written, f.out = f.built[:0], 0, f.out[:0]
	if cap(f.out) > mostKept {
		f.out = nil
	}
}

// ghost answers what nobody took with unavailable presence.
func (r *Router) ghost(s *stanza.Stanza) {
	if s.Kind == stanza.Presence && s.Type != stanza.Available {
		return
	}
	var b xml.Builder
	p := r.env.Loop.NewPacket(0)
	p.Kind = kindStanza
	p.B = b.Reset(p.B[:0], stanza.Client).Start("presence", "").Attr("type", "unavailable").
		Attr("from", s.To.String()).Attr("to", s.From.BareString()).End().Bytes()
	r.dispatch(s.From, p, false)
}
