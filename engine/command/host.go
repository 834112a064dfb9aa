package command

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const (
	infoSpace  = "http://jabber.org/protocol/disco#info"
	itemsSpace = "http://jabber.org/protocol/disco#items"
)

var (
	begun = metric.NewCounter("meerkat_commands_total",
		"Ad-hoc commands that were begun.")
	refused = metric.NewCounter("meerkat_commands_refused_total",
		"Ad-hoc commands that were refused to somebody who may not run them.")
	limited = metric.NewCounter("meerkat_commands_limited_total",
		"Ad-hoc commands refused because of limits.commands.")
	timeouts = metric.NewCounter("meerkat_commands_expired_total",
		"Ad-hoc commands that nobody went on with in limits.command_time.")
)

// Host has commands.
type Host struct {
	list   []Command
	tables []*table // of sessions, by loop
}

// NewHost returns a host of commands. loops is how many loops there are.
func NewHost(loops int, list ...Command) *Host {
	return &Host{list: list, tables: make([]*table, loops)}
}

func (h *Host) at(e *feature.Env) *table {
	t := h.tables[e.Shard()]
	if t == nil {
		t = &table{loop: e.Loop, m: make(map[string]*session), open: make(map[string]int),
			limit: func() time.Duration { return time.Duration(e.Config.Limits.CommandTime) }}
		h.tables[e.Shard()] = t
	}
	return t
}

func (h *Host) find(node string) *Command {
	for i := range h.list {
		if h.list[i].Node == node {
			return &h.list[i]
		}
	}
	return nil
}

// Gone forgets what a session of ours has begun. It is for Feature.Unbound.
func (h *Host) Gone(c *feature.Ctx) {
	t := h.at(c.Env)
	if t.open[c.Owner.String()] == 0 {
		return // as nearly always
	}
	for _, s := range t.m {
		if s.who == c.Session.JID.String() {
			s.drop()
		}
	}
}

// Execute takes <iq type='set'> with a <command/> (XEP-0050 §3).
func (h *Host) Execute(c *feature.Ctx, q *stanza.Stanza) {
	e := q.Payload()
	cmd := h.find(string(e.Attr("node")))
	switch {
	case cmd == nil:
		c.Fail(q, stanza.ItemNotFound, "")
	case !cmd.allows(c, q.From):
		refused.Add(c.Shard(), 1)
		c.Fail(q, stanza.Forbidden, "")
	case !known(string(e.Attr("action"))):
		c.FailWith(q, stanza.BadRequest, specific("malformed-action"))
	case len(e.Attr("sessionid")) > 0:
		h.proceed(c, q, cmd)
	default:
		h.begin(c, q, cmd)
	}
}

func known(action string) bool {
	switch action {
	case "", "execute", "next", "prev", "complete", "cancel":
		return true
	}
	return false
}

// begin starts a command.
func (h *Host) begin(c *feature.Ctx, q *stanza.Stanza, cmd *Command) {
	if a := string(q.Payload().Attr("action")); a != "" && a != "execute" {
		c.FailWith(q, stanza.BadRequest, specific("bad-action"))
		return
	}
	t, bare := h.at(c.Env), q.From.Bare().Clone().String()
	if limit := c.Config.Limits.Commands; limit > 0 && t.open[bare] >= limit {
		limited.Add(c.Shard(), 1)
		c.Fail(q, stanza.ResourceConstraint, "finish what you have begun")
		return
	}
	s := t.begin(q.From.Clone().String(), bare, cmd)
	cmd.Start(newRun(c, q, s))
}

func newRun(c *feature.Ctx, q *stanza.Stanza, s *session) *Run {
	return &Run{Env: c.Env, Who: q.From.Clone(), Host: q.To.Clone(), Form: form.Of(q.Payload()),
		session: s, request: c.Later(q), node: s.command.Node}
}

// proceed goes on with a command (XEP-0050 §3.4).
func (h *Host) proceed(c *feature.Ctx, q *stanza.Stanza, cmd *Command) {
	e := q.Payload()
	s := h.at(c.Env).m[string(e.Attr("sessionid"))]
	switch {
	case s == nil || s.who != q.From.String() || s.command != cmd:
		c.FailWith(q, stanza.BadRequest, specific("bad-sessionid"))
	case s.expired:
		c.FailWith(q, stanza.NotAllowed, specific("session-expired"))
	case s.busy:
		c.Fail(q, stanza.UnexpectedRequest, "the last step is not done yet")
	default:
		newRun(c, q, s).act(string(e.Attr("action")))
	}
}

// act does what the action says. "execute", or none, is the way on.
func (r *Run) act(action string) {
	s := r.session
	switch {
	case action == "cancel" || r.Form.Cancels():
		r.answer("canceled", nil)
		s.drop()
	case action == "prev" && len(s.pages) > 1:
		s.pages = s.pages[:len(s.pages)-1]
		r.show()
	case action == "" || action == "execute" || action == s.forward():
		r.next()
	default:
		r.request.FailWith(stanza.BadRequest, "", specific("bad-action"))
	}
}

// next runs the step behind the page.
func (r *Run) next() {
	if !r.Form.OK() || !r.Form.Submits() {
		r.Refuse("a form that is filled in is needed")
		return
	}
	r.session.busy = true
	r.session.pages[len(r.session.pages)-1].Next(r)
}

// Disco answers disco#info and disco#items about the nodes of commands
// (XEP-0050 §2), and reports whether it has.
func (h *Host) Disco(c *feature.Ctx, q *stanza.Stanza) bool {
	node, items := string(q.Payload().Attr("node")), string(q.Payload().Space()) == itemsSpace
	cmd := h.find(node)
	switch {
	case node == Space && items:
		h.tellList(c, q)
	case node == Space:
		tellNode(c, q, feature.Identity{Category: "automation", Type: "command-list", Name: "Commands"})
	case cmd == nil || !cmd.allows(c, q.From):
		return false
	case items:
		c.Result(q, func(b *xml.Builder) { b.Start("query", itemsSpace).Attr("node", node).End() })
	default:
		tellNode(c, q, feature.Identity{Category: "automation", Type: "command-node", Name: cmd.Name}, Space, form.Space)
	}
	return true
}

func (h *Host) tellList(c *feature.Ctx, q *stanza.Stanza) {
	at := q.To.String()
	if at == "" {
		at = c.Owner.Domain()
	}
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", itemsSpace).Attr("node", Space)
		for i := range h.list {
			if cmd := &h.list[i]; cmd.allows(c, q.From) {
				b.Start("item", "").Attr("jid", at).Attr("node", cmd.Node).OptAttr("name", cmd.Name).End()
			}
		}
		b.End()
	})
}

func tellNode(c *feature.Ctx, q *stanza.Stanza, id feature.Identity, features ...string) {
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", infoSpace).AttrBytes("node", q.Payload().Attr("node"))
		b.Start("identity", "").Attr("category", id.Category).Attr("type", id.Type).Attr("name", id.Name).End()
		for _, f := range features {
			b.Start("feature", "").Attr("var", f).End()
		}
		b.End()
	})
}
