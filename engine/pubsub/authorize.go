package pubsub

import (
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// authForm is the form that asks owners who may subscribe (XEP-0060 §8.6).
const authForm = Space + "#subscribe_authorization"

// askOwners asks the owners whether who may subscribe.
func (h *Host) askOwners(e *feature.Env, tx *store.Tx, owner string, n *Node, who jid.JID) {
	h.eachOwner(tx, owner, n, func(to jid.JID) {
		var b xml.Builder
		b.Reset(nil, stanza.Client).Start("message", "").Attr("from", owner).Attr("to", to.String()).Attr("id", randomID())
		form.Start(&b, form.Ask, authForm).Title("Somebody wants to subscribe").
			Field(form.Def{Var: prefix + "node", Type: form.TextSingle, Label: "Node"}, n.Name).
			Field(form.Def{Var: prefix + "subscriber_jid", Type: form.JIDSingle, Label: "Who"}, who.String()).
			Field(form.Def{Var: prefix + "allow", Type: form.Boolean, Label: "Allow it?"}, form.Bool(false)).End()
		e.Router.Send(to, b.End().Bytes())
	})
}

// Authorization takes a message that answers such a form, and reports whether s
// is one. Who is no owner of the node, or answers what nobody asked, changes
// nothing. It runs on the loop of owner, whose node it is.
func (h *Host) Authorization(c *feature.Ctx, s *stanza.Stanza, owner jid.JID) bool {
	f := form.Of(s.Elem)
	if s.Kind != stanza.Message || s.Type == stanza.Error || !f.Is(authForm) {
		return false
	}
	node, _ := f.Value(prefix + "node")
	address, _ := f.Value(prefix + "subscriber_jid")
	allow, ok := f.Bool(prefix + "allow")
	who, err := jid.Parse(address)
	if f.Submits() && ok && err == nil {
		h.decide(c.Env, request{owner: owner.Clone().String(), who: s.From.Clone(), node: node, cfg: c.Config}, who, allow)
	}
	return true
}

// decide ends a pending subscription one way or the other.
func (h *Host) decide(e *feature.Env, r request, who jid.JID, allow bool) {
	state := Unsubscribed
	if allow {
		state = Subscribed
	}
	var n *Node
	e.Update(func(tx *store.Tx) (err error) {
		if n, err = h.owned(tx, r.owner, r.node, r.who, r.cfg); err != nil {
			return err
		}
		if State(subscriptions.of(tx, r.owner, n.Name, who.String())) != Pending {
			return errNotSubscribed
		}
		return n.setState(tx, r.owner, who.String(), state)
	}, func(err error) {
		if err == nil {
			h.tellSubscriber(e, r.owner, n, who, state)
		}
	})
}
