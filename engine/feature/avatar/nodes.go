package avatar

import (
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// errTooBig is what a client hears who publishes too large a picture
// (XEP-0060 §7.1.3.4).
var errTooBig = &pubsub.Error{Condition: stanza.NotAcceptable, Name: "payload-too-big", Hit: tooBig}

// fits reports whether a picture of so many bytes may be stored.
func fits(c *config.Config, n int) bool {
	limit := int(c.Limits.AvatarBytes)
	return limit <= 0 || n <= limit
}

// dataChanged is changed for the node with the pictures themselves, which are
// held against the limit.
func (f *Feature) dataChanged(tx *store.Tx, owner string, ch pubsub.Change) (func(e *feature.Env), error) {
	for i := range ch.Published {
		if data, ok := content(ch.Published[i].Payload); ok && !fits(ch.Config, len(data)) {
			return nil, errTooBig
		}
	}
	return f.changed(tx, owner, ch)
}

// changed looks anew at what the nodes have, once a client has changed one of
// them (XEP-0398 §3.1).
func (f *Feature) changed(tx *store.Tx, owner string, _ pubsub.Change) (func(e *feature.Env), error) {
	p, err := current(tx, owner)
	if err != nil {
		return nil, err
	}
	changed, err := save(tx, owner, p)
	if err != nil || !changed {
		return nil, err
	}
	return func(e *feature.Env) {
		if p != nil {
			fromNodes.Add(e.Shard(), 1)
		}
		f.tell(e, owner, p)
	}, nil
}

// current returns the picture that the nodes have, nil if it is none that all
// contacts may see. A picture that is not what it is called is none.
func current(tx *store.Tx, owner string) (*picture, error) {
	meta, data, err := nodes(tx, owner)
	if err != nil || meta == nil || data == nil || !shared(meta) || !shared(data) {
		return nil, err
	}
	it, _ := meta.LastItem(tx, owner)
	id, _ := named(it.Payload)
	it, _ = data.Item(tx, owner, id)
	if b, ok := content(it.Payload); !ok || name(b) != id {
		return nil, nil
	}
	return newPicture(id, meta.Access == pubsub.Open && data.Access == pubsub.Open), nil
}

func nodes(tx *store.Tx, owner string) (meta, data *pubsub.Node, err error) {
	if meta, err = pubsub.Find(tx, owner, metadataSpace); err == nil {
		data, err = pubsub.Find(tx, owner, dataSpace)
	}
	return meta, data, err
}

func shared(n *pubsub.Node) bool { return n.Access == pubsub.Open || n.Access == pubsub.Presence }

// named returns the picture, and its format, that metadata names and that is in
// the other node, not at an address (XEP-0398 §3.1), "" if there is none.
func named(metadata []byte) (id, kind string) {
	var doc xml.Doc
	e, err := doc.Parse(metadata, metadataSpace)
	if err != nil || !e.Is("metadata", metadataSpace) {
		return "", ""
	}
	for i := e.First(); i.OK(); i = i.Next() {
		if i.Is("info", metadataSpace) && i.Attr("url") == nil {
			return string(i.Attr("id")), string(i.Attr("type"))
		}
	}
	return "", ""
}

// content returns the bytes of a picture as it is published.
func content(payload []byte) ([]byte, bool) {
	var doc xml.Doc
	e, err := doc.Parse(payload, dataSpace)
	if err != nil || !e.Is("data", dataSpace) {
		return nil, false
	}
	return decode(e.Text())
}
