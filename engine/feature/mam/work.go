package mam

import (
	"slices"

	"meerkat/engine/account"
	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	archived = metric.NewCounter("meerkat_archive_messages_total",
		"Messages written to archives; one between two of our users counts twice.")
	unarchived = metric.NewCounter("meerkat_archive_failed_total",
		"Messages that could not be written to an archive, and went on without an id.")
	slowed = metric.NewCounter("meerkat_archive_slowed_total",
		"Times that a session was not read from because the disk does not keep up.")
	waiting = metric.NewGauge("meerkat_archive_waiting",
		"Stanzas that wait for their own commit or for a message's before them.")
)

// work is what one loop has for the archive. What is collected in one turn is
// issued in the next, or when somebody asks whether all is stored.
type work struct {
	f     *Feature
	env   *feature.Env
	clock *store.Clock
	doc   xml.Doc
	lines map[string]*line // of accounts that something waits for

	batch   *batch
	pending int  // bytes on their way to the disk
	failing bool // the last update was not stored, and that was told
	tail    []byte
	// For use again: a message costs no memory.
	free   []*store.Rows
	holds  []*held
	spare  []*line
	expiry loop.Timer
	c      feature.Ctx   // of the stanza that goes on
	s      stanza.Stanza // it
}

// batch is one update.
type batch struct {
	pools  []pool
	held   []*held
	stored []func()           // of Env.Collected
	paused []*account.Session // that read on when it is stored
	n      int
	bytes  int
}

type pool struct {
	name string
	rows *store.Rows
}

// line is what waits for one account, in order.
type line struct {
	owner jid.JID
	held  []*held
}

// held is a stanza that waits.
type held struct {
	line    *line
	p       *loop.Packet
	session *account.Session // that sent it, if it is of line.owner's
	cause   feature.Cause
	way     way
	kind    stanza.Type // the presence of a probe says it nowhere else
	again   bool        // as in Stanza
	ready   bool        // nothing of its own is on its way to the disk
	failed  bool        // and it did not get there
}

// way says where a held stanza goes on.
type way uint8

const (
	came  way = iota // a message, to Feature.in
	sent             // a message, to Feature.out
	other            // a stanza of another kind, to where it was going
)

// telling says who is told the id that a message gets.
type telling uint8

const (
	nobody telling = iota // no one: the sender has no other client
	now                   // who gets it from the stages, as s.Tail
	then                  // the same, once it is stored: it is held
)

// add puts s into c.Owner's archive, as one exchanged with peer. A row has no id of
// its own archive: a page shows it.
func (w *work) add(c *feature.Ctx, s *stanza.Stanza, peer jid.JID, tell telling) {
	owner := c.Owner.String()
	seq := w.clock.Next(c.Now())
	b := w.open()
	bytes := s.Append(c.Scratch())
	rows := w.rowsOf(b, archive.PoolOf(&c.Config.Archive, c.Owner.Domain()))
	if err := rows.Add(owner, seq, store.Tag(peer.BareString()), bytes); err != nil {
		w.env.Log.Error("a message cannot be archived", "err", err) // the limits of stanzas keep it from happening
	}
	b.n++
	b.bytes += len(bytes)
	w.pending += len(bytes)
	c.Keep(bytes)
	if tell != nobody {
		w.tail = w.f.appendID(append(w.tail[:0], s.Tail...), owner, seq)
		s.Tail = w.tail
	}
	if tell == then {
		b.held = append(b.held, w.hold(c, s, false).Ref.(*held))
	}
	w.later(b)
	if rows.Bytes() >= feature.FullUpdate {
		w.env.JoinFull()
	}
}

// maxPending is from how many bytes on that wait for the disk a loop reads no more
// messages from who sends them. Tests make it smaller.
var maxPending = 32 << 20

// slow stops reading from a session while the disk does not keep up.
func (w *work) slow(s *account.Session) {
	if w.pending < maxPending {
		return
	}
	b := w.open()
	b.paused = append(b.paused, s)
	w.later(b)
	s.Hold()
	slowed.Add(w.env.Shard(), 1)
}

// follow has s wait behind what waits already.
func (w *work) follow(c *feature.Ctx, s *stanza.Stanza, to way) {
	w.hold(c, s, true).Ref.(*held).way = to
	b := w.open()
	w.later(b)
}

// hold puts s at the end of its account's line.
func (w *work) hold(c *feature.Ctx, s *stanza.Stanza, ready bool) *loop.Packet {
	l := w.line(c)
	p := loop.NewPacket()
	p.B = s.Append(p.B[:0])
	h := w.newHeld()
	*h = held{line: l, p: p, session: c.Session, cause: c.Cause(), ready: ready, kind: s.Type, again: s.Again}
	if c.Session != nil {
		h.way = sent
	}
	p.Ref = h
	l.held = append(l.held, h)
	waiting.Add(c.Shard(), 1)
	return p
}

// line returns what waits for c.Owner, made if need be.
func (w *work) line(c *feature.Ctx) *line {
	l := w.lines[c.Owner.String()]
	if l != nil {
		return l
	}
	if n := len(w.spare); n > 0 {
		l, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		l = new(line)
	}
	if l.owner = c.Owner; c.Account == nil {
		l.owner = c.Owner.Clone()
	}
	w.lines[l.owner.String()] = l
	return l
}

func (w *work) newHeld() (h *held) {
	if n := len(w.holds); n > 0 {
		h, w.holds = w.holds[n-1], w.holds[:n-1]
		return h
	}
	return new(held)
}

// maxSpare bounds what is kept for use again.
const maxSpare = 4096

// open returns the batch that is being collected.
func (w *work) open() *batch {
	if w.batch == nil {
		w.batch = new(batch)
	}
	return w.batch
}

// rowsOf returns the rows of a pool.
func (w *work) rowsOf(b *batch, name string) *store.Rows {
	for _, p := range b.pools {
		if p.name == name {
			return p.rows
		}
	}
	rows := new(store.Rows)
	if n := len(w.free); n > 0 {
		rows, w.free = w.free[n-1], w.free[:n-1]
	}
	b.pools = append(b.pools, pool{name, rows})
	return rows
}

// keep keeps some memory of what has been written.
func (w *work) keep(b *batch) {
	for _, p := range b.pools {
		if len(w.free) < 8 {
			p.rows.Reset(4 * feature.FullUpdate)
			w.free = append(w.free, p.rows)
		}
	}
}

// later has b issued in the next turn.
func (w *work) later(b *batch) {
	if stored := w.env.Collected(); stored != nil {
		b.stored = append(b.stored, stored)
	}
}

// alone has what fn adds stored at once, by an update of its own: what has been
// added before shares the fate of what others have collected.
func (w *work) alone(fn func()) {
	before := w.batch
	w.batch = nil
	fn()
	w.issue()
	w.batch = before
}

// issue makes an update of the batch.
func (w *work) issue() {
	b := w.batch
	if b == nil {
		return
	}
	w.batch = nil
	w.env.Update(func(tx *store.Tx) error {
		for _, p := range b.pools {
			if err := w.f.archive.Append(tx, p.name, p.rows); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) { w.done(b, err) })
}

// done lets go on what waited for b. A disk that is full is no reason to keep
// people from talking: what could not be archived goes on without an id.
func (w *work) done(b *batch, err error) {
	if err != nil {
		unarchived.Add(w.env.Shard(), uint64(b.n))
		if !w.failing {
			w.env.Log.Warn("messages cannot be archived, they go on without", "err", err)
		}
	} else {
		archived.Add(w.env.Shard(), uint64(b.n))
	}
	w.failing = err != nil
	w.keep(b)
	w.pending -= b.bytes
	for _, s := range b.paused {
		s.Release()
	}
	for _, h := range b.held {
		h.ready, h.failed = true, err != nil
	}
	for _, h := range b.held {
		if h.line != nil { // else it has gone on with one before
			w.release(h.line)
		}
	}
	for _, stored := range b.stored {
		stored()
	}
}

// release lets go on what is ready at the head of l.
func (w *work) release(l *line) {
	n := 0
	for n < len(l.held) && l.held[n].ready {
		h := l.held[n]
		l.held[n] = nil
		n++
		if h.cause.Session != 0 {
			w.env.Because(h.cause, func() { w.pass(h) })
		} else {
			w.pass(h)
		}
		h.p.Release()
		if *h = (held{}); len(w.holds) < maxSpare {
			w.holds = append(w.holds, h)
		}
	}
	waiting.Add(w.env.Shard(), -int64(n))
	if n == len(l.held) {
		w.end(l)
		return
	}
	l.held = slices.Delete(l.held, 0, n)
}

// end forgets a line that nothing waits in.
func (w *work) end(l *line) {
	delete(w.lines, l.owner.String())
	if *l = (line{held: l.held[:0]}); len(w.spare) < maxSpare && cap(l.held) <= 64 {
		w.spare = append(w.spare, l)
	}
}

// pass takes h where it was going.
func (w *work) pass(h *held) {
	e, err := w.doc.Parse(h.p.B, stanza.Client)
	if err != nil {
		w.env.Log.Error("an archived message does not parse", "err", err, "bytes", len(h.p.B))
		return
	}
	s, c := &w.s, &w.c
	if cond := s.Read(e); cond != stanza.OK {
		w.env.Log.Error("an archived message is not sound", "condition", cond.String())
		return
	}
	if s.From, err = jid.View(e.Attr("from")); err != nil {
		return
	}
	s.Type, s.Again = h.kind, h.again
	*c = feature.Ctx{Env: w.env, Owner: h.line.owner, Account: w.env.Accounts.Get(h.line.owner.String()), Session: h.session}
	if h.failed {
		strip(s, h.line.owner.String())
	}
	switch {
	case h.way == came:
		runAll(w.f.in, c, s)
	case h.way == other:
		w.env.Router.Pass(c, s)
	case c.Account != nil:
		runAll(w.f.out, c, s)
	}
}
