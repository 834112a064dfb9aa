package muc

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"slices"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// A room has a card (XEP-0054), of which clients show the picture (XEP-0486 0.1.0).
const (
	cardSpace   = "vcard-temp"
	updateSpace = cardSpace + ":x:update"
	avatarVar   = "muc#roominfo_avatarhash"
)

var bigCards = metric.NewCounter("meerkat_muc_cards_refused_total", "Cards of rooms refused because of limits.vcard_bytes.")

// cards has the card of each stored room as the element to send.
var cards = store.NewDoc("room-card")

// cardIQ shows the card to everybody, as XEP-0486 §4 wants it, or stores an owner's.
func (r *room) cardIQ(c *feature.Ctx, s *stanza.Stanza) {
	switch {
	case s.Type == stanza.Get:
		r.tellCard(c, s)
	case r.affiliation(s.From) != owner:
		refuse(c, s, stanza.Forbidden)
	default:
		r.setCard(c, s)
	}
}

func (r *room) tellCard(c *feature.Ctx, s *stanza.Stanza) {
	b := r.readCard()
	c.Result(s, func(x *xml.Builder) {
		if b == nil { // XEP-0054 §3.1: an empty one is as good as an error
			x.Start("vCard", cardSpace).End()
			return
		}
		x.Raw(b)
	})
}

// readCard returns the room's card, nil if it has none.
func (r *room) readCard() (b []byte) {
	if r.card != nil || !r.stored {
		return r.card
	}
	r.env.View(func(tx *store.Tx) { b = slices.Clone(cards.Get(tx, r.jid.String())) })
	return b
}

func (r *room) setCard(c *feature.Ctx, s *stanza.Stanza) {
	e := s.Payload()
	hashes, ok := pictures(e)
	card := e.AppendTo(nil, stanza.Client)
	switch limit := int(c.Config.Limits.VCardBytes); {
	case !ok:
		refuse(c, s, stanza.BadRequest)
		return
	case limit > 0 && len(card) > limit:
		bigCards.Add(c.Shard(), 1)
		refuse(c, s, stanza.ResourceConstraint)
		return
	}
	if !r.f.roomInPace(c, s, ofChanges, 1) {
		return
	}
	if !e.First().OK() {
		card = nil // §3.2: an empty one is none
	}
	req := c.Later(s)
	r.exclusive(func() { r.storeCard(req, card, hashes) })
}

// pictures returns the hashes of all PHOTOs as XEP-0153 §3.1 has them. It reports
// false if one is not what it says.
func pictures(card xml.Elem) (hashes []string, ok bool) {
	for e := card.First(); e.OK(); e = e.Next() {
		if !e.Is("PHOTO", cardSpace) {
			continue
		}
		text := bytes.Join(bytes.Fields(e.Child("BINVAL", cardSpace).Text()), nil)
		if len(text) == 0 {
			continue // one that is somewhere else
		}
		data, err := base64.StdEncoding.AppendDecode(nil, text)
		if err != nil {
			return nil, false
		}
		sum := sha1.Sum(data)
		hashes = append(hashes, hex.EncodeToString(sum[:]))
	}
	return hashes, true
}

func (r *room) storeCard(req *feature.Request, card []byte, hashes []string) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	set := r.set
	set.Avatar = hashes
	var save func(tx *store.Tx) error
	if r.stored {
		doc, put := r.saveRecord(set, r.subj, r.locked), r.saveCard(card)
		save = func(tx *store.Tx) error {
			if err := doc(tx); err != nil {
				return err
			}
			return put(tx)
		}
	}
	r.write(save, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		if r.set.Avatar, r.card = hashes, card; r.stored {
			r.card = nil // it is in the store
		}
		r.notify([]int{104})
		r.showPicture(r.seats)
		req.Result(nil)
	})
}

// saveCard returns what stores a card, nil for none.
func (r *room) saveCard(card []byte) func(tx *store.Tx) error {
	name := r.jid.String()
	return func(tx *store.Tx) error {
		if card == nil {
			return cards.Delete(tx, name)
		}
		return cards.Put(tx, name, card)
	}
}

// showPicture tells sessions the room's picture by its presence, for clients that look
// for XEP-0153 and not into disco#info.
func (r *room) showPicture(to []*seat) {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("presence", "").Attr("from", r.jid.String()).Start("x", updateSpace)
	b.Start("photo", "")
	if len(r.set.Avatar) > 0 {
		b.Text(r.set.Avatar[0])
	}
	p := b.End().End().End().Bytes()
	r.env.Router.Fan(p, func(yield func(jid.JID)) {
		for _, st := range to {
			r.reach(st, p, yield)
		}
	})
}
