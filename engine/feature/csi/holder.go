package csi

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// holder is the Sink of an inactive session.
type holder struct {
	f     feat
	inner account.Sink
	env   *feature.Env
	of    *account.Session
	queue [][]byte       // held stanzas, oldest first; nil where a later one took the place
	at    map[string]int // index in queue by key
	bytes int
}

// Write holds b back, or sends it behind what is held.
func (h *holder) Write(b []byte) {
	key, most := keyOf(b), int(h.env.Config.Limits.InactiveBytes)
	if key == "" || h.bytes+len(b) > most {
		if key != "" && most > 0 {
			limited.Add(h.env.Shard(), 1)
		}
		h.release()
		h.inner.Write(b)
		if h.of.Connected() {
			h.f.missed(h.env, h.of, b)
		}
		return
	}
	held.Add(h.env.Shard(), 1)
	if i, ok := h.at[key]; ok {
		saved.Add(h.env.Shard(), 1)
		h.bytes -= len(h.queue[i])
		h.queue[i] = nil
	}
	if h.at == nil {
		h.at = make(map[string]int)
	}
	h.at[key] = len(h.queue)
	h.queue = append(h.queue, append([]byte(nil), b...))
	h.bytes += len(b)
}

// release sends all that is held.
func (h *holder) release() {
	if h.bytes == 0 {
		return
	}
	wakes.Add(h.env.Shard(), 1)
	for _, b := range h.queue {
		if b != nil {
			h.inner.Write(b)
		}
	}
	h.queue, h.at, h.bytes = nil, nil, 0
}

func (h *holder) Pause()                      { h.inner.Pause() }
func (h *holder) Resume()                     { h.inner.Resume() }
func (h *holder) Kick(condition, text string) { h.inner.Kick(condition, text) }
func (h *holder) Sent(done func(ok bool))     { h.inner.Sent(done) }
func (h *holder) Inner() account.Sink         { return h.inner }
func (h *holder) SetInner(s account.Sink)     { h.inner = s }

// Wake is for a client that has resumed its session.
func (h *holder) Wake(s *account.Session) { Wake(s) }

var _ account.Sleeper = (*holder)(nil)

// keyOf says what a stanza is the latest of: presence of its sender, chat state
// of its sender, an item of a node. "" is a stanza that cannot wait.
func keyOf(b []byte) string {
	var doc xml.Doc
	e, err := doc.Parse(b, stanza.Client)
	if err != nil {
		return ""
	}
	from := string(e.Attr("from"))
	switch string(e.Local()) {
	case "presence":
		if t := string(e.Attr("type")); t == "" || t == "unavailable" {
			return "presence " + from
		}
	case "message":
		return messageKey(e, from)
	}
	return ""
}

func messageKey(e xml.Elem, from string) string {
	key := ""
	for c := e.First(); c.OK(); c = c.Next() {
		switch string(c.Space()) {
		case "http://jabber.org/protocol/chatstates":
			key = "state " + from
		case "http://jabber.org/protocol/pubsub#event":
			if key = eventKey(c.First(), from); key == "" {
				return ""
			}
		case "urn:xmpp:hints", "urn:xmpp:delay", "urn:xmpp:sid:0", "urn:xmpp:occupant-id:0":
		case "http://jabber.org/protocol/muc#user": // of an occupant's private message
			if c.First().OK() {
				return ""
			}
		case "urn:xmpp:carbons:2": // as what it is a copy of
			m := c.Child("forwarded", "urn:xmpp:forward:0").Child("message", stanza.Client)
			of := messageKey(m, string(m.Attr("from"))+" "+string(m.Attr("to")))
			if of == "" {
				return ""
			}
			key = string(c.Local()) + " " + of
		case stanza.Client:
			if string(c.Local()) != "thread" {
				return ""
			}
		default:
			return ""
		}
	}
	return key
}

// eventKey names the items of an event: a later one about the same items takes
// its place. What is about a whole node has no name and cannot wait.
func eventKey(items xml.Elem, from string) string {
	if string(items.Local()) != "items" {
		return ""
	}
	key := "event " + from + " " + string(items.Attr("node"))
	for i := items.First(); i.OK(); i = i.Next() {
		key += "\x00" + string(i.Attr("id"))
	}
	return key
}
