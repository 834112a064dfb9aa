// Package pep makes every account a pubsub service of its own (XEP-0163 1.2.2),
// for public and for private data (XEP-0222, XEP-0223). The nodes and the
// requests are in package pubsub; here is who hears of events without having
// subscribed: the account's own clients and those of its contacts, as far as they
// say that they want to (XEP-0060 §9.2).
//
// Events go from the owner's loop to the loops of the contacts, as one packet
// each; what a client wants is looked up there, where its session is. Likewise a
// session that has just come asks its contacts' loops for their last items, if it
// wants any.
package pep

import (
	"slices"

	"meerkat/engine/caps"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/pubsub"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	delivered = metric.NewCounter("meerkat_pep_delivered_total", "Events written to sessions that want them.")
	recalls   = metric.NewCounter("meerkat_pep_recalls_total", "Sessions that came and wanted last items of their contacts.")
)

// Feature is personal eventing of all accounts.
type Feature struct {
	host    *pubsub.Host
	clients *caps.Clients
}

// NewHost returns the Host of accounts. loops is how many there are.
func NewHost(loops int) *pubsub.Host {
	return pubsub.New(loops, pubsub.Host{Personal: true, Default: pubsub.PersonalConfig, Limits: limits})
}

// maxPeople is how many addresses may be subscribed to a node of an account, or
// affiliated with it.
const maxPeople = 1000

func limits(c *config.Config) pubsub.Limits {
	l := &c.Limits
	return pubsub.Limits{Nodes: l.PEPNodes, Items: l.PEPItems, ItemBytes: int(l.PEPItemBytes), Bytes: int(l.PEPBytes), Subscribers: maxPeople}
}

// New returns the feature.
func New(host *pubsub.Host, clients *caps.Clients) (feature.Feature, *Feature) {
	f := &Feature{host, clients}
	everybody := feature.Own | feature.Other
	return feature.Feature{
		Name:            "pep",
		Spec:            "XEP-0060, XEP-0163, XEP-0222, XEP-0223, XEP-0490",
		AccountDisco:    slices.Concat(pubsub.Features, pubsub.PersonalFeatures, []string{displayedAssist}),
		AccountIdentity: []feature.Identity{{Category: "pubsub", Type: "pep"}},
		AccountNode:     host.Disco,
		IQ: []feature.IQ{
			{Space: pubsub.Space, Local: "pubsub", To: everybody, Handle: host.Handle},
			{Space: pubsub.OwnerSpace, Local: "pubsub", To: everybody, Handle: host.Handle},
		},
		Removed: removed,
	}, f
}

// removed ends what the account is to nodes of others.
func removed(c *feature.Ctx) func() {
	env, owner := c.Env, c.Owner.Clone().String()
	env.Update(func(tx *store.Tx) error { return pubsub.Forget(tx, owner) }, func(err error) {
		if err != nil {
			env.Log.Error("a removed account is still known to nodes of others", "account", owner, "err", err)
		}
	})
	return nil
}

// askSpace is the namespace of what a session asks its contacts' loops for. It
// does not leave the server.
const askSpace = "urn:meerkat:recall"

// Recall asks for the last items of these nodes, of c.Session's contacts and of
// its own account.
func (f *Feature) Recall(c *feature.Ctx, nodes []string) {
	recalls.Add(c.Shard(), 1)
	out := question(c.Scratch(), c.Session.JID.String(), nodes)
	c.View(func(tx *store.Tx) {
		c.Router.Spread(c.Session, out, func(yield func([]byte, feature.Op)) {
			yield([]byte(c.Owner.String()), feature.Notice)
			for it := range roster.Load(tx, c.Owner.String()).All() {
				if it.State&roster.To != 0 {
					yield(it.JID, feature.Notice)
				}
			}
		})
	})
	c.Keep(out)
}

// question is what a session sends for that.
func question(dst []byte, from string, nodes []string) []byte {
	var b xml.Builder
	b.Reset(dst, stanza.Client).Start("presence", "").Attr("from", from)
	for _, n := range nodes {
		b.Start("node", askSpace).Text(n).End()
	}
	return b.End().Bytes()
}

// PresenceIn is the stage that asks a contact for its last items once that has
// let us see its presence (XEP-0060 §12.1: who gains access): what decides is
// stored there already.
func (f *Feature) PresenceIn(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Type != stanza.Subscribed || c.Account == nil {
		return feature.Continue
	}
	for _, to := range c.Account.Sessions {
		cl := f.clients.Of(to)
		if cl == nil || !to.Available() || len(cl.Set.Nodes()) == 0 {
			continue
		}
		b := question(c.Scratch(), to.JID.String(), cl.Set.Nodes())
		c.Router.Spread(to, b, func(yield func([]byte, feature.Op)) { yield([]byte(s.From.BareString()), feature.Notice) })
		c.Keep(b)
	}
	return feature.Continue
}

// Outbound is the stage that takes an owner's answer to who wants to subscribe, and
// what a message says of how far a chat has been read.
func (f *Feature) Outbound(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	f.displayed(c, s)
	if s.To != c.Owner || !f.host.Authorization(c, s, c.Owner) {
		return feature.Continue
	}
	return feature.Done
}

// Notice returns the stage for what Recall and pubsub.Event.Send spread. filter
// refuses what the account does not want to hear.
func (f *Feature) Notice(filter feature.Stage) feature.Stage {
	return func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
		if s.Kind == stanza.Presence {
			return f.answer(c, s, filter)
		}
		return f.deliver(c, s, filter)
	}
}

// answer sends the last items that a session has asked for.
func (f *Feature) answer(c *feature.Ctx, s *stanza.Stanza, filter feature.Stage) feature.Verdict {
	owner := c.Owner.String()
	has := false
	c.View(func(tx *store.Tx) { has = pubsub.Has(tx, owner) })
	if !has || filter(c, s) == feature.Done {
		return feature.Done
	}
	f.host.Recall(c.Env, owner, s.From, func(yield func(node []byte)) {
		for e := s.Elem.First(); e.OK(); e = e.Next() {
			yield(e.Text())
		}
	})
	return feature.Done
}

// deliver hands an event to the account's sessions that want it.
func (f *Feature) deliver(c *feature.Ctx, s *stanza.Stanza, filter feature.Stage) feature.Verdict {
	if c.Account == nil {
		return feature.Continue
	}
	node := s.Elem.First().First().Attr("node")
	taken := feature.Continue
	for _, to := range c.Account.Sessions {
		if !to.Available() || !f.clients.Wants(to, node) {
			continue
		}
		if taken == feature.Continue && filter(c, s) == feature.Done {
			return feature.Done
		}
		if taken = feature.Done; to.Refused(s) {
			continue
		}
		s.To = to.JID
		b := s.Append(c.Scratch())
		to.Sink.Write(b)
		c.Keep(b)
		delivered.Add(c.Shard(), 1)
	}
	return taken
}
