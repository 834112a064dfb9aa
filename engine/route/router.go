// Package route takes stanzas from where they are sent to where they belong:
// the rules of RFC 6120 §10 and RFC 6121 §8. There is one Router a loop; it
// judges what its sessions send, hands over at most once to the recipient's
// loop, and judges and delivers there. It knows features only as stages and
// handlers.
package route

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Plan is what the routers of all loops share: domains, order of stages,
// handlers. It does not change while they run.
type Plan struct {
	domains domains

	// FilterOut and FilterIn judge stanzas of every kind with an address of
	// somebody else, before all other stages.
	FilterOut, FilterIn   []feature.Stage
	Outbound, PresenceOut []feature.Stage
	Inbound, PresenceIn   []feature.Stage
	Bound, Unbound        []func(*feature.Ctx)
	Notices               []feature.Stage // what Spread hands over as feature.Notice
	// Hides returns what tells the contacts that may not see a session's presence,
	// nil if all may.
	Hides func(*feature.Env, *account.Session) func(bare []byte) bool

	answers []func(*feature.Ctx, *stanza.Stanza)
	removed []func(*feature.Ctx) func()
	start   []func(*feature.Env)

	iq     map[iqKey]*iqHandlers
	nonza  map[string]func(*feature.Ctx, xml.Elem)
	spaces map[string]bool

	routers []*Router
	loops   *loop.Group
}

// Router is the part of one loop. All its methods run there.
type Router struct {
	*Plan
	env     feature.Env
	out, in feature.Ctx   // of the sender, of the recipient
	sent    stanza.Stanza // what a session of ours has just sent
	peer    peer          // whom that is for
	got     stanza.Stanza // what arrived as bytes
	doc     xml.Doc
	local   []*loop.Packet // for this very loop, handled when the handler returns
	handled int            // of local, from its start
	depth   int
	names   namer
	fans    fans
	fanned  []*loop.Packet // Fan's, by loop
}

// New makes a router for each loop. env is copied for each; its Loop, Accounts
// and Router are set here.
func New(p *Plan, loops *loop.Group, env feature.Env) []*Router {
	p.loops = loops
	for i := range loops.Len() {
		r := &Router{Plan: p, env: env, names: newNamer(i)}
		r.env.Loop = loops.At(i)
		r.env.Accounts = account.NewTable()
		r.env.Router = r
		r.out.Env, r.in.Env = &r.env, &r.env
		r.env.Loop.Receive = r.receive
		p.routers = append(p.routers, r)
		r.env.Loop.Post(r.begin)
	}
	return p.routers
}

func (r *Router) begin() {
	for _, fn := range r.start {
		fn(&r.env)
	}
}

// Env returns the loop's surroundings.
func (r *Router) Env() *feature.Env { return &r.env }

// Local reports whether host is a domain of ours, of accounts or of a service.
func (r *Router) Local(host string) bool { return r.serves(host) }

func (p *Plan) serves(host string) bool { return p.domains.find(host) != nil }

// Run runs fn as a handler: what it routes to this loop is handled after it.
func (r *Router) Run(fn func()) {
	r.enter()
	defer r.leave()
	fn()
}

func (r *Router) enter() { r.depth++ }

// leave handles what was routed to this loop meanwhile, once nobody borrows
// views any more. It is deferred: after a panic, which the loop survives, the
// next packets must not wait for ever.
func (r *Router) leave() {
	defer func() { r.depth-- }()
	for r.depth == 1 && len(r.local) > 0 {
		p := r.local[r.handled]
		r.local[r.handled] = nil
		if r.handled++; r.handled == len(r.local) {
			r.local, r.handled = r.local[:0], 0
		}
		r.handle(p)
	}
}

// home returns the router of to's bare JID.
func (r *Router) home(to jid.JID) *Router {
	return r.routers[r.loops.For(to.BareString()).Index]
}

// Route sends s to where s.To says. See feature.Router.
func (r *Router) Route(s *stanza.Stanza) {
	p := r.env.Loop.NewPacket(0)
	p.Kind = kindStanza
	p.B = s.Append(p.B[:0])
	r.dispatch(s.To, p, s.Bounces())
}

// Send is Route for bytes.
func (r *Router) Send(to jid.JID, b []byte) {
	p := r.env.Loop.NewPacket(len(b))
	p.Kind = kindStanza
	p.B = append(p.B[:0], b...)
	r.dispatch(to, p, true)
}

// Redeliver takes s to an account of this loop, again. See feature.Router.
func (r *Router) Redeliver(s *stanza.Stanza) {
	p := r.env.Loop.NewPacket(0)
	p.Kind = kindAgain
	p.B = s.Append(p.B[:0])
	r.post(r, p)
}

// SendFor is Send for something that s began: an answer to s waits for it.
func (r *Router) SendFor(s *account.Session, to jid.JID, b []byte) {
	s.Unsettled |= 1 << (r.home(to).env.Loop.Index & 63)
	r.Send(to, b)
}

// dispatch sends p to to's loop. p is freed, or answered, if that is not ours.
func (r *Router) dispatch(to jid.JID, p *loop.Packet, bounces bool) {
	if !r.serves(to.Domain()) {
		if bounces {
			r.bounce(p.B, stanza.RemoteServerNotFound)
		}
		r.env.Loop.Release(p)
		return
	}
	r.post(r.home(to), p)
}

// post gives p to another router, in order.
func (r *Router) post(to *Router, p *loop.Packet) {
	if to != r {
		r.env.Loop.Send(to.env.Loop, p)
		return
	}
	r.enter()
	defer r.leave()
	r.local = append(r.local, p)
}

// bounce answers the stanza b of ours with an error.
func (r *Router) bounce(b []byte, c stanza.Condition) {
	var doc xml.Doc
	var s stanza.Stanza
	e, err := doc.Parse(b, stanza.Client)
	if err != nil || s.Read(e) == stanza.Undefined || !s.Bounces() {
		return
	}
	from, err := jid.View(e.Attr("from"))
	if err != nil {
		return
	}
	s.From = from
	r.Fail(&s, c)
}

// Fail sends an error to who sent s, if s may be answered so.
func (r *Router) Fail(s *stanza.Stanza, c stanza.Condition) {
	if !s.Bounces() || !r.serves(s.From.Domain()) {
		return
	}
	p := r.env.Loop.NewPacket(0)
	p.Kind = kindStanza
	p.B = s.AppendError(p.B[:0], c, "")
	bounced.Add(r.env.Shard(), 1)
	r.post(r.home(s.From), p)
}
