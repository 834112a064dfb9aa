// Package vcard keeps and shows people's cards (XEP-0054 1.3.0). Their pictures
// are kept with other pictures of people, where clients that know nothing of cards
// find them too (XEP-0398).
package vcard

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "vcard-temp"

// cards has each account's card as the element to send.
var cards = store.NewDoc("vcard")

var (
	gets = metric.NewCounter("meerkat_vcard_gets_total", "Cards asked for.")
	sets = metric.NewCounter("meerkat_vcard_sets_total", "Cards stored.")
	big  = metric.NewCounter("meerkat_vcard_refused_total",
		"Cards refused because of limits.vcard_bytes.")
)

// Photos keeps the pictures of cards.
type Photos interface {
	// Take judges the picture of a card that c.Owner wants to store. taken says that
	// the card is stored without it. store runs in the transaction that stores the
	// card, stored on the loop after that.
	Take(c *feature.Ctx, card xml.Elem) (taken bool, store func(tx *store.Tx) error, stored func(e *feature.Env), err error)
	// Append writes the picture of owner as a part of a card, if there is one that
	// who may see, and else reports false.
	Append(e *feature.Env, tx *store.Tx, owner string, who jid.JID, b *xml.Builder) bool
}

type feat struct{ photos Photos }

// New returns the feature.
func New(photos Photos) feature.Feature {
	f := feat{photos}
	return feature.Feature{
		Name:         "vcard",
		Spec:         "XEP-0054",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, space, "vCard", f.own),
			feature.GetIQ(feature.Other, space, "vCard", f.other),
			feature.SetIQ(feature.Own, space, "vCard", f.set),
			feature.SetIQ(feature.Other, space, "vCard", forbidden),
		},
	}
}

// own shows the user's card, an empty one if there is none (XEP-0054 §3.1).
func (f feat) own(c *feature.Ctx, q *stanza.Stanza) {
	if !f.show(c, q) {
		c.Result(q, func(b *xml.Builder) { b.Start("vCard", space).End() })
	}
}

// other shows somebody else's. An account without a card looks like one that
// does not exist (XEP-0054 §3.3).
func (f feat) other(c *feature.Ctx, q *stanza.Stanza) {
	if !f.show(c, q) {
		c.Fail(q, stanza.ServiceUnavailable, "")
	}
}

// show answers with the card and the picture, and reports false if there is
// neither.
func (f feat) show(c *feature.Ctx, q *stanza.Stanza) (found bool) {
	gets.Add(c.Shard(), 1)
	c.View(func(tx *store.Tx) {
		v := cards.Get(tx, c.Owner.String())
		var b xml.Builder
		b.Reset(nil, stanza.Client) // the card may have a prefix
		picture := f.photos.Append(c.Env, tx, c.Owner.String(), q.From, &b)
		if picture {
			v = joined(v, b.Bytes())
		}
		if found = v != nil; found {
			c.Result(q, func(b *xml.Builder) { b.Raw(v) })
		}
	})
	return found
}

// joined returns a card, nil for none, with that picture and no other.
func joined(card, picture []byte) []byte {
	if card == nil {
		card = []byte("<vCard xmlns='" + space + "'/>")
	}
	var doc xml.Doc
	e, err := doc.Parse(card, stanza.Client)
	if err != nil {
		return nil
	}
	return e.AppendEdited(nil, stanza.Client, &xml.Edit{Skip: isPhoto, Tail: picture})
}

func isPhoto(e xml.Elem) bool { return e.Is("PHOTO", space) }

// forbidden answers who would change another's card (XEP-0054 §3.2).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

// set stores the card whole (XEP-0054 §3.2).
func (f feat) set(c *feature.Ctx, q *stanza.Stanza) {
	v := q.Payload().AppendTo(nil, stanza.Client)
	if limit := int(c.Config.Limits.VCardBytes); limit > 0 && len(v) > limit {
		big.Add(c.Shard(), 1)
		c.Fail(q, stanza.ResourceConstraint, "")
		return
	}
	taken, keep, kept, err := f.photos.Take(c, q.Payload())
	if err != nil {
		c.Fail(q, feature.Condition(err), "")
		return
	}
	if taken {
		v = q.Payload().AppendEdited(nil, stanza.Client, &xml.Edit{Skip: isPhoto})
	}
	env, account, owner, req := c.Env, c.Owner, c.Owner.String(), c.Later(q)
	env.Update(func(tx *store.Tx) error {
		if !env.Users.Exists(tx, account) { // removed meanwhile
			return stanza.ItemNotFound
		}
		if err := keep(tx); err != nil {
			return err
		}
		return cards.Put(tx, owner, v)
	}, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		sets.Add(env.Shard(), 1)
		req.Result(nil)
		kept(env)
	})
}
