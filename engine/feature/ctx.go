package feature

import (
	"log/slog"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Env is one loop's surroundings. Its handlers share it; nobody else may.
type Env struct {
	Loop     *loop.Loop
	Store    *store.Store
	Config   *config.Config // of now; a reload puts another one here
	Accounts *account.Table // accounts of this loop that have sessions
	Users    *auth.Accounts // all accounts there are
	Log      *slog.Logger
	Router   Router
	// Changes counts what changes on this loop of what decides about messages:
	// rosters, preferences, options. Who remembers what they said has to look again
	// after a change.
	Changes uint64

	updates   updates
	family    *family  // whose done runs
	collect   []func() // see Collects
	collected uint64
	next      *family  // of the joint update that is to be made
	joint     *joint   // that is being made
	joints    []*joint // that have been made and are not over, in order
	full      bool     // next is large
	posted    bool     // makeJoint comes in the next turn
	makeJoint func()
	cause     Cause
	scratch   []byte
	tx        *store.Tx // of the View that is open
}

// Router sends stanzas on. engine/route is the one there is.
type Router interface {
	// Local reports whether host is a domain of ours.
	Local(host string) bool
	// Route sends s, whose From is the truth, to where s.To says, serialised
	// once. What can't be delivered is answered with an error to s.From if
	// errors may be.
	Route(s *stanza.Stanza)
	// Send is Route for a stanza that is bytes already: jabber:client, with
	// from, to and type in place.
	Send(to jid.JID, b []byte)
	// SendFor is Send for something that s began: an answer to s waits for it.
	SendFor(s *account.Session, to jid.JID, b []byte)
	// Spread sends presence of s, bytes without to, to those that may see it of
	// many bare JIDs, one packet a loop. each calls yield for every target, with
	// how it is meant. s is nil for a stanza that no session sends.
	Spread(s *account.Session, b []byte, each func(yield func(bare []byte, op Op)))
	// Fan sends b, a message or presence with from and without to, to many full
	// JIDs of ours, one packet a loop, in order with what was fanned before. It
	// goes straight to the sessions; who has none is reported to b's from, bare,
	// by unavailable presence. each calls yield for every target.
	Fan(b []byte, each func(yield func(full jid.JID)))
	// Batch sends available presence of many to one full JID of ours, in order with
	// what is fanned: b holds the stanzas, which end at ends. Each has its from as
	// the first attribute, and to. It goes straight to the session, if there is one.
	Batch(to jid.JID, b []byte, ends []uint32)
	// WhenStored calls fn, on this loop, once the sessions that something has been
	// fanned to so far have stored what they keep of it.
	WhenStored(fn func())
	// Remove ends an account of this loop: its sessions, all that is stored,
	// its contacts' view of it. done runs when that is stored, before the
	// sessions are closed.
	Remove(owner jid.JID, done func(err error))
	// Run runs fn as a handler: what it routes is handled when it returns.
	Run(fn func())
	// Redeliver takes a message to an account of this loop, once the handler has
	// returned, with Again set.
	Redeliver(s *stanza.Stanza)
	// Pass takes a stanza for c.Owner, an account of this loop, on from behind the
	// filters.
	Pass(c *Ctx, s *stanza.Stanza)
	// Bind makes a session of this loop: see route.Router.
	Bind(user jid.JID, resource string, sink account.Sink) (*account.Session, stanza.Condition)
	// Unbind ends a session of this loop. A second call does nothing.
	Unbind(s *account.Session)
	account.Settler
}

// Op says what a target of Spread gets.
type Op uint8

// Deliver hands the presence over, Probe asks for the target's own
// (RFC 6121 §4.3), as if two stanzas had come. Notice hands the stanza, presence or
// message, to the stages of engine/order.go for events; with Deliver, only what
// they leave is delivered.
const (
	Deliver Op = 1 << iota
	Probe
	Notice
)

// Now is the time of the turn.
func (e *Env) Now() time.Time { return e.Loop.Now() }

// Shard is the loop's index, for metrics.
func (e *Env) Shard() int { return e.Loop.Index }

// Update queues fn for the store's writer; done runs on this loop after the
// commit, or with the error that kept fn from being stored. fn runs on another
// goroutine: it must touch only tx and what it captured.
func (e *Env) Update(fn func(tx *store.Tx) error, done func(err error)) {
	if e.joint != nil {
		e.joint.parts = append(e.joint.parts, part{fn, done})
		return
	}
	f := &family{n: e.updates.issue(), open: 1, parent: e.family}
	if f.parent != nil {
		f.parent.open++
	}
	cause := e.cause.clone()
	e.Store.Update(fn, func(err error) {
		e.Loop.Post(func() {
			e.Router.Run(func() {
				outer := e.family
				defer func() { // after a panic as well
					e.family = outer
					f.leave(&e.updates)
				}()
				e.family = f
				e.Because(cause, func() { done(err) })
			})
		})
	})
}

// Issued counts the updates of this loop so far, and what has been collected for
// some.
func (e *Env) Issued() uint64 { return e.updates.issued + e.collected }

// WhenSettled calls fn once every update issued so far, with what has been
// collected, has been committed or has failed: at once if that is so.
func (e *Env) WhenSettled(fn func()) { e.updates.whenSettled(fn) }

// View reads from the store, on the loop: from the page cache. Within fn another
// View is free: it reads the same state.
func (e *Env) View(fn func(tx *store.Tx)) {
	if e.tx != nil {
		fn(e.tx)
		return
	}
	defer func() { e.tx = nil }()
	if err := e.Store.View(func(tx *store.Tx) error { e.tx = tx; fn(tx); return nil }); err != nil {
		e.Log.Error("the store cannot be read", "err", err)
	}
}

// Scratch lends the loop's buffer: use it and give it back with Keep, in one
// handler, not nested.
func (e *Env) Scratch() []byte { b := e.scratch[:0]; e.scratch = nil; return b }

// Keep gives back what Scratch lent, grown or not.
func (e *Env) Keep(b []byte) {
	if cap(b) <= 1<<20 {
		e.scratch = b[:0]
	}
}

// Ctx is what a handler gets, and gives back by returning: the same Ctx serves
// the next stanza. Who needs something later keeps Env, Account and Session, and
// Owner.Clone(): Owner borrows from the stanza if the account is not here.
type Ctx struct {
	*Env
	// Owner is the bare JID whose business this is; its loop is Env.Loop.
	Owner jid.JID
	// Account is Owner's, nil if it has no sessions and no work now.
	Account *account.Account
	// Session is who sent the stanza, if it is a session of Owner's.
	Session *account.Session
	// Stored is, for Thaw, what the client may not have got yet, stanzas that were
	// stored for it before the restart.
	Stored [][]byte
	// Origin is, for services, what a session of ours has sent: what they do is
	// not done because of it alone.
	Origin Cause
}

// Result answers q with what payload builds; nil means an empty result.
func (c *Ctx) Result(q *stanza.Stanza, payload func(b *xml.Builder)) {
	b := q.AppendResult(c.Scratch(), payload)
	c.answer(q.From, b)
	c.Keep(b)
}

// Fail answers q with an error, if q may be answered with one.
func (c *Ctx) Fail(q *stanza.Stanza, cond stanza.Condition, text string) {
	if !q.Bounces() {
		return
	}
	b := q.AppendError(c.Scratch(), cond, text)
	c.answer(q.From, b)
	c.Keep(b)
}

// FailWith is Fail with an application-specific condition (RFC 6120 §8.3.4).
func (c *Ctx) FailWith(q *stanza.Stanza, cond stanza.Condition, specific func(b *xml.Builder)) {
	if !q.Bounces() {
		return
	}
	b := q.AppendErrorWith(c.Scratch(), cond, "", specific)
	c.answer(q.From, b)
	c.Keep(b)
}

// answer writes to the session itself if the request is its own, so that the
// answer waits for what the session sent before.
func (c *Ctx) answer(to jid.JID, b []byte) {
	if s := c.Session; s != nil && s.JID == to {
		s.Answer(b, c.Router)
		return
	}
	c.Router.Send(to, b)
}

// Request is a stanza to be answered after the handler has returned.
type Request struct {
	c Ctx
	q stanza.Stanza
}

// Later keeps what is needed to answer q. The session, if any, is held: nothing
// more is read from it until the answer.
func (c *Ctx) Later(q *stanza.Stanza) *Request {
	r := &Request{c: *c, q: *q}
	r.c.Owner = c.Owner.Clone()
	r.q.From, r.q.To = q.From.Clone(), q.To.Clone()
	r.q.ID = append([]byte(nil), q.ID...)
	r.q.Lang, r.q.Elem = nil, xml.Elem{}
	if c.Session != nil {
		c.Session.Hold()
	}
	return r
}

// Result answers as Ctx.Result does, at any later time on the same loop.
func (r *Request) Result(payload func(b *xml.Builder)) {
	r.c.Result(&r.q, payload)
	r.release()
}

// Fail answers as Ctx.Fail does.
func (r *Request) Fail(cond stanza.Condition, text string) {
	r.c.Fail(&r.q, cond, text)
	r.release()
}

// FailWith is Fail with an application-specific condition, as Ctx.FailWith.
func (r *Request) FailWith(cond stanza.Condition, text string, specific func(b *xml.Builder)) {
	if r.q.Bounces() {
		b := r.q.AppendErrorWith(r.c.Scratch(), cond, text, specific)
		r.c.answer(r.q.From, b)
		r.c.Keep(b)
	}
	r.release()
}

// Error answers with the condition that err is: a stanza.Condition as it is, a
// full store as resource-constraint, anything else internal-server-error, which
// is logged.
func (r *Request) Error(err error) {
	cond := Condition(err)
	if cond == stanza.InternalServerError {
		r.c.Log.Error("a request could not be carried out", "from", r.q.From.String(), "err", err)
	}
	r.Fail(cond, "")
}

// Drop ends the request without an answer.
func (r *Request) Drop() { r.release() }

func (r *Request) release() {
	if r.c.Session != nil {
		r.c.Session.Release()
	}
}
