package avatar

import (
	"bytes"
	"encoding/base64"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// photo is a picture out of a card; without data there is none.
type photo struct {
	data []byte
	kind string // of media
	now  time.Time
	cfg  *config.Config
}

// Take judges the picture of a card that c.Owner wants to store (XEP-0398 §3.2).
// taken says that the card is stored without it. store runs in the transaction
// that stores the card, stored on the loop after that.
func (f *Feature) Take(c *feature.Ctx, card xml.Elem) (taken bool, store func(tx *store.Tx) error, stored func(e *feature.Env), err error) {
	p := photo{now: c.Now(), cfg: c.Config}
	taken = p.read(card.Child("PHOTO", cardSpace))
	if !fits(c.Config, len(p.data)) {
		tooBig.Add(c.Shard(), 1)
		return false, nil, nil, stanza.ResourceConstraint
	}
	store, stored = f.put(c.Owner.Clone().String(), &p)
	return taken, store, stored, nil
}

// read reports false if e, which may not be there, has something that must stay
// where it is: an address, or what is no picture.
func (p *photo) read(e xml.Elem) bool {
	text := bytes.TrimSpace(e.Child("BINVAL", cardSpace).Text())
	if len(text) == 0 {
		return !e.Child("EXTVAL", cardSpace).OK()
	}
	data, ok := decode(text)
	if !ok {
		return false
	}
	p.kind = string(bytes.TrimSpace(e.Child("TYPE", cardSpace).Text()))
	if p.kind == "" {
		p.kind, _, _ = look(data)
	}
	if p.kind != "" {
		p.data = data
	}
	return p.kind != ""
}

// put makes p the picture of owner.
func (f *Feature) put(owner string, p *photo) (func(tx *store.Tx) error, func(e *feature.Env)) {
	var events []*pubsub.Event
	var now *picture
	changed := false
	store := func(tx *store.Tx) (err error) {
		changed, events = false, nil
		old := load(tx, owner)
		switch {
		case p.data == nil && old == nil, p.data != nil && old != nil && string(old.id()) == name(p.data):
			return nil
		case p.data == nil:
			events, err = f.retract(tx, owner, string(old.id()), p)
		default:
			events, err = f.publish(tx, owner, p)
		}
		if err != nil {
			return err
		}
		if now, err = current(tx, owner); err == nil {
			changed, err = save(tx, owner, now)
		}
		return err
	}
	return store, func(e *feature.Env) {
		for _, ev := range events {
			ev.Send(e)
		}
		if events != nil && p.data != nil {
			fromCards.Add(e.Shard(), 1)
		}
		if changed {
			f.tell(e, owner, now)
		}
	}
}

// publish puts p into the nodes, the picture first. Nodes that are not there
// become as public as cards are.
func (f *Feature) publish(tx *store.Tx, owner string, p *photo) ([]*pubsub.Event, error) {
	public := f.host.Default
	public.Access = pubsub.Open
	limits, id := f.host.Limits(p.cfg), name(p.data)
	data := pubsub.Item{ID: id, Time: p.now, Payload: p.payload()}
	first, err := f.host.Publish(tx, limits, owner, dataSpace, data, &public)
	if err != nil {
		return nil, err
	}
	meta := pubsub.Item{ID: id, Time: p.now, Payload: p.metadata(id)}
	second, err := f.host.Publish(tx, limits, owner, metadataSpace, meta, &public)
	return []*pubsub.Event{first, second}, err
}

// payload is the item that has the picture (XEP-0084 §4.1).
func (p *photo) payload() []byte {
	var b xml.Builder
	return b.Reset(nil, "").Start("data", dataSpace).Text(base64.StdEncoding.EncodeToString(p.data)).End().Bytes()
}

// metadata is the item that says what picture there is (XEP-0084 §4.2); without
// an id there is none (§4.5).
func (p *photo) metadata(id string) []byte {
	var b xml.Builder
	b.Reset(nil, "").Start("metadata", metadataSpace)
	if id != "" {
		b.Start("info", "").AttrInt("bytes", int64(len(p.data))).Attr("id", id).Attr("type", p.kind)
		if _, w, h := look(p.data); w > 0 && h > 0 {
			b.AttrInt("width", int64(w)).AttrInt("height", int64(h))
		}
		b.End()
	}
	return b.End().Bytes()
}

// retract says that there is no picture any more, and removes the one there was.
func (f *Feature) retract(tx *store.Tx, owner, id string, p *photo) ([]*pubsub.Event, error) {
	none := pubsub.Item{Time: p.now, Payload: p.metadata("")}
	first, err := f.host.Publish(tx, f.host.Limits(p.cfg), owner, metadataSpace, none, nil)
	if err != nil {
		return nil, err
	}
	second, err := f.host.Retract(tx, owner, dataSpace, id)
	return []*pubsub.Event{first, second}, err
}

// Append writes the picture of owner as cards have it, if there is one that who
// may see (XEP-0398 §6, §8), and else reports false.
func (f *Feature) Append(e *feature.Env, tx *store.Tx, owner string, who jid.JID, b *xml.Builder) bool {
	p := load(tx, owner)
	if p == nil {
		return false
	}
	meta, data, err := nodes(tx, owner)
	if err != nil || meta == nil || data == nil || !f.host.MayRead(tx, owner, meta, who) || !f.host.MayRead(tx, owner, data, who) {
		return false
	}
	var doc xml.Doc
	it, _ := data.Item(tx, owner, string(p.id()))
	d, err := doc.Parse(it.Payload, dataSpace)
	if err != nil {
		return false
	}
	it, _ = meta.LastItem(tx, owner)
	_, kind := named(it.Payload)
	b.Start("PHOTO", cardSpace).Start("TYPE", "").Text(kind).End()
	b.Start("BINVAL", "").TextBytes(bytes.TrimSpace(d.Text())).End().End()
	shown.Add(e.Shard(), 1)
	return true
}
