package xml

import (
	"encoding/hex"
	"strconv"
)

// The stanzas of the mix, each by a method that appends one to g.b.

func (g *mixer) presence() {
	if g.pct(18) {
		g.el("presence", "from", g.full(), "to", g.user(), "type", "unavailable")
		return
	}
	g.open("presence", "from", g.full(), "to", g.user(), "id", g.id())
	if g.pct(30) {
		g.s(" xml:lang='" + g.pick(langs) + "'")
	}
	g.more()
	if g.pct(40) {
		g.leaf("show", g.pick([]string{"away", "xa", "dnd", "chat"}))
	}
	if g.pct(25) {
		g.leaf("status", g.text())
	}
	if g.pct(40) {
		g.leaf("priority", strconv.Itoa(g.n(30)))
	}
	g.el("c", "xmlns", "http://jabber.org/protocol/caps", "hash", "sha-1", "node", g.pick([]string{"http://conversations.im", "https://gajim.org", "https://dino.im", "https://monal-im.org/"}), "ver", g.b64(20))
	if g.pct(70) {
		g.open("x", "xmlns", "vcard-temp:x:update")
		g.more()
		g.leaf("photo", hex.EncodeToString(g.bytes(20)))
		g.close("x")
	}
	if g.pct(35) {
		g.el("idle", "xmlns", "urn:xmpp:idle:1", "since", g.stamp())
	}
	g.close("presence")
}
func (g *mixer) room() string { return g.pick(rooms) + "@muc." + g.pick(domains) }
func (g *mixer) presenceMUC() {
	g.open("presence", "from", g.room()+"/"+g.pick(users), "to", g.full(), "id", g.id())
	g.more()
	g.el("c", "xmlns", "http://jabber.org/protocol/caps", "hash", "sha-1", "node", "http://conversations.im", "ver", g.b64(20))
	g.open("x", "xmlns", "http://jabber.org/protocol/muc#user")
	g.more()
	g.el("item", "affiliation", g.pick([]string{"none", "member", "admin", "owner"}), "jid", g.full(), "role", g.pick([]string{"participant", "moderator"}))
	if g.pct(10) {
		g.el("status", "code", "110")
		g.el("status", "code", "100")
	}
	g.close("x")
	g.el("occupant-id", "xmlns", "urn:xmpp:occupant-id:0", "id", g.b64(32))
	g.close("presence")
}
func (g *mixer) chat(nested bool) {
	id := g.id()
	if nested {
		g.open("message", "xmlns", "jabber:client", "from", g.full(), "to", g.user(), "type", "chat", "id", id)
	} else {
		g.open("message", "from", g.full(), "to", g.full(), "type", "chat", "id", id)
		if g.pct(15) {
			g.s(" xml:lang='" + g.pick(langs) + "'")
		}
	}
	if !nested && g.pct(5) {
		g.s("\n  ")
	}
	g.more()
	g.body(g.text())
	if g.pct(70) {
		g.el("request", "xmlns", "urn:xmpp:receipts")
	}
	if g.pct(70) {
		g.el("markable", "xmlns", "urn:xmpp:chat-markers:0")
	}
	if g.pct(60) {
		g.el("origin-id", "xmlns", "urn:xmpp:sid:0", "id", id)
	}
	if g.pct(60) {
		g.el("active", "xmlns", "http://jabber.org/protocol/chatstates")
	}
	if g.pct(80) {
		g.el("stanza-id", "xmlns", "urn:xmpp:sid:0", "by", g.user(), "id", g.uuid())
	}
	if g.pct(6) {
		g.open("reply", "xmlns", "urn:xmpp:reply:0", "id", g.id(), "to", g.user())
		g.empty()
	}
	if g.pct(4) {
		g.s("<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style='font-weight:bold'>")
		g.esc(g.text(), false)
		g.s("</p></body></html>")
	}
	g.close("message")
}
func (g *mixer) carbon() {
	u := g.user()
	dir := g.pick([]string{"sent", "received"})
	g.open("message", "from", u, "to", u+"/phone", "type", "chat")
	g.more()
	g.open(dir, "xmlns", "urn:xmpp:carbons:2")
	g.more()
	g.open("forwarded", "xmlns", "urn:xmpp:forward:0")
	g.more()
	if g.pct(25) {
		g.omemoBody(true)
	} else {
		g.chat(true)
	}
	g.close("forwarded")
	g.close(dir)
	g.close("message")
}
func (g *mixer) chatstate() {
	g.open("message", "from", g.full(), "to", g.full(), "type", "chat", "id", g.id())
	g.more()
	g.el(g.pick([]string{"composing", "paused", "inactive", "gone"}), "xmlns", "http://jabber.org/protocol/chatstates")
	g.el("no-store", "xmlns", "urn:xmpp:hints")
	g.close("message")
}
func (g *mixer) receipt() {
	g.open("message", "from", g.full(), "to", g.full(), "type", "chat", "id", g.id())
	g.more()
	g.el("received", "xmlns", "urn:xmpp:receipts", "id", g.id())
	g.el("store", "xmlns", "urn:xmpp:hints")
	g.close("message")
}
func (g *mixer) marker() {
	g.open("message", "from", g.full(), "to", g.user(), "type", "chat", "id", g.id())
	g.more()
	g.el("displayed", "xmlns", "urn:xmpp:chat-markers:0", "id", g.id())
	g.el("store", "xmlns", "urn:xmpp:hints")
	g.close("message")
}
func (g *mixer) omemo() { g.omemoBody(false) }
func (g *mixer) omemoBody(nested bool) {
	g.open("message", "from", g.full(), "to", g.user(), "type", "chat", "id", g.id())
	if nested {
		g.s(" xmlns='jabber:client'")
	}
	g.more()
	g.open("encrypted", "xmlns", "eu.siacs.conversations.axolotl")
	g.more()
	g.open("header", "sid", strconv.Itoa(g.n(1<<31)))
	g.more()
	for i, n := 0, 2+g.n(7); i < n; i++ {
		pre := g.n(8) == 0
		g.open("key", "rid", strconv.Itoa(g.n(1<<31)))
		l := 66
		if pre {
			g.s(" prekey='true'")
			l = 182
		}
		g.more()
		g.s(g.b64(l))
		g.close("key")
	}
	g.leaf("iv", g.b64(12))
	g.close("header")
	n := 20 + g.n(160)
	if g.pct(15) {
		n += g.n(4000)
	}
	g.leaf("payload", g.b64(n))
	g.close("encrypted")
	g.el("encryption", "xmlns", "urn:xmpp:eme:0", "namespace", "eu.siacs.conversations.axolotl", "name", "OMEMO")
	g.leaf("body", "I sent you an OMEMO encrypted message but your client doesn't seem to support that.")
	g.el("request", "xmlns", "urn:xmpp:receipts")
	g.el("store", "xmlns", "urn:xmpp:hints")
	g.close("message")
}
func (g *mixer) groupchat() {
	r := g.room()
	g.open("message", "from", r+"/"+g.pick(users), "to", g.full(), "type", "groupchat", "id", g.id())
	g.more()
	g.body(g.text())
	g.el("occupant-id", "xmlns", "urn:xmpp:occupant-id:0", "id", g.b64(32))
	g.el("stanza-id", "xmlns", "urn:xmpp:sid:0", "by", r, "id", g.uuid())
	if g.pct(30) {
		g.open("delay", "xmlns", "urn:xmpp:delay", "from", r, "stamp", g.stamp())
		g.empty()
	}
	if g.pct(8) {
		g.open("reactions", "xmlns", "urn:xmpp:reactions:0", "id", g.uuid())
		g.more()
		g.leaf("reaction", "👍")
		g.close("reactions")
	}
	g.close("message")
}
func (g *mixer) mam() {
	g.open("message", "to", g.full(), "from", g.user())
	g.more()
	g.open("result", "xmlns", "urn:xmpp:mam:2", "queryid", g.id(), "id", g.uuid())
	g.more()
	g.open("forwarded", "xmlns", "urn:xmpp:forward:0")
	g.more()
	g.el("delay", "xmlns", "urn:xmpp:delay", "stamp", g.stamp())
	if g.pct(35) {
		g.omemoBody(true)
	} else {
		g.chat(true)
	}
	g.close("forwarded")
	g.close("result")
	g.close("message")
}
func (g *mixer) mamFin() {
	g.open("iq", "type", "result", "id", g.id(), "to", g.full())
	g.more()
	g.open("fin", "xmlns", "urn:xmpp:mam:2", "complete", "true")
	g.more()
	g.open("set", "xmlns", "http://jabber.org/protocol/rsm")
	g.more()
	g.leaf("first", g.uuid(), "index", "0")
	g.leaf("last", g.uuid())
	g.leaf("count", strconv.Itoa(g.n(5000)))
	g.close("set")
	g.close("fin")
	g.close("iq")
}
func (g *mixer) ping() {
	g.open("iq", "from", g.pick(domains), "to", g.full(), "id", g.id(), "type", "get")
	g.more()
	g.el("ping", "xmlns", "urn:xmpp:ping")
	g.close("iq")
}
func (g *mixer) iqResult() {
	g.el("iq", "from", g.full(), "to", g.full(), "id", g.id(), "type", "result")
}
func (g *mixer) disco() {
	g.open("iq", "from", g.full(), "to", g.full(), "id", g.id(), "type", "result")
	g.more()
	g.open("query", "xmlns", "http://jabber.org/protocol/disco#info", "node", "http://conversations.im#"+g.b64(20))
	g.more()
	g.el("identity", "category", "client", "type", "phone", "name", "Conversations")
	for i, n := 0, 12+g.n(30); i < n; i++ {
		g.el("feature", "var", g.pick([]string{"urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:audio", "http://jabber.org/protocol/muc", "http://jabber.org/protocol/chatstates", "urn:xmpp:receipts", "urn:xmpp:mam:2", "eu.siacs.conversations.axolotl.devicelist+notify", "jabber:iq:version", "urn:xmpp:time", "http://jabber.org/protocol/nick+notify"}))
	}
	g.close("query")
	g.close("iq")
}
func (g *mixer) pep() {
	g.open("message", "from", g.user(), "to", g.full(), "type", "headline", "id", g.id())
	g.more()
	g.open("event", "xmlns", "http://jabber.org/protocol/pubsub#event")
	g.more()
	g.open("items", "node", "urn:xmpp:avatar:metadata")
	g.more()
	h := hex.EncodeToString(g.bytes(20))
	g.open("item", "id", h)
	g.more()
	g.open("metadata", "xmlns", "urn:xmpp:avatar:metadata")
	g.more()
	g.el("info", "bytes", strconv.Itoa(g.n(60000)), "id", h, "height", "128", "width", "128", "type", "image/png")
	g.close("metadata")
	g.close("item")
	g.close("items")
	g.close("event")
	g.el("addresses", "xmlns", "http://jabber.org/protocol/address")
	g.close("message")
}
func (g *mixer) roster() {
	g.open("iq", "to", g.full(), "id", g.id(), "type", "result")
	g.more()
	g.open("query", "xmlns", "jabber:iq:roster", "ver", "ver"+strconv.Itoa(g.n(900)))
	g.more()
	for i, n := 0, 5+g.n(180); i < n; i++ {
		g.open("item", "jid", g.user(), "name", g.pick(users)+" "+g.pick(words["de"]), "subscription", g.pick([]string{"both", "to", "from", "none"}))
		if g.pct(50) {
			g.more()
			g.leaf("group", g.pick([]string{"Friends", "Work & Co", "Familie", "Коллеги"}))
			g.close("item")
		} else {
			g.empty()
		}
	}
	g.close("query")
	g.close("iq")
}
func (g *mixer) vcard() {
	g.open("iq", "from", g.user(), "to", g.full(), "id", g.id(), "type", "result")
	g.more()
	g.open("vCard", "xmlns", "vcard-temp")
	g.more()
	g.leaf("FN", g.pick(users))
	g.open("PHOTO")
	g.more()
	g.leaf("TYPE", "image/png")
	g.s("<BINVAL>")
	x := g.b64(3000 + g.n(24000))
	for len(x) > 76 {
		g.s(x[:76])
		g.s("\n")
		x = x[76:]
	}
	g.s(x)
	g.s("</BINVAL>")
	g.close("PHOTO")
	g.close("vCard")
	g.close("iq")
}
func (g *mixer) upload() {
	g.open("iq", "from", "upload."+g.pick(domains), "to", g.full(), "id", g.id(), "type", "result")
	g.more()
	g.open("slot", "xmlns", "urn:xmpp:http:upload:0")
	g.more()
	u := "https://upload.example.com/" + g.uuid() + "/photo.jpg?sig=" + hex.EncodeToString(g.bytes(32)) + "&v=2"
	g.open("put", "url", u)
	g.more()
	g.leaf("header", "Basic "+g.b64(15), "name", "Authorization")
	g.close("put")
	g.el("get", "url", u)
	g.close("slot")
	g.close("iq")
}
func (g *mixer) iqError() {
	g.open("iq", "from", g.user(), "to", g.full(), "id", g.id(), "type", "error")
	g.more()
	g.open("error", "type", "cancel")
	g.more()
	g.el("service-unavailable", "xmlns", "urn:ietf:params:xml:ns:xmpp-stanzas")
	g.leaf("text", "Service "+g.text(), "xmlns", "urn:ietf:params:xml:ns:xmpp-stanzas")
	g.close("error")
	g.close("iq")
}
func (g *mixer) jingle() {
	g.open("iq", "from", g.full(), "to", g.full(), "id", g.id(), "type", "set")
	g.more()
	g.open("j:jingle", "xmlns:j", "urn:xmpp:jingle:1", "action", "session-initiate", "sid", g.id())
	g.more()
	g.open("j:content", "creator", "initiator", "name", "voice")
	g.more()
	g.open("description", "xmlns", "urn:xmpp:jingle:apps:rtp:1", "media", "audio")
	g.more()
	for i := 0; i < 6; i++ {
		g.el("payload-type", "id", strconv.Itoa(96+i), "name", "opus", "clockrate", "48000", "channels", "2")
	}
	g.close("description")
	g.open("transport", "xmlns", "urn:xmpp:jingle:transports:ice-udp:1", "pwd", g.b64(16), "ufrag", g.b64(3))
	g.more()
	for i, n := 0, g.n(6); i < n; i++ {
		g.el("candidate", "component", "1", "foundation", strconv.Itoa(i), "generation", "0", "id", g.id(), "ip", "192.0.2."+strconv.Itoa(g.n(250)), "network", "1", "port", strconv.Itoa(1024+g.n(60000)), "priority", strconv.Itoa(g.n(1<<30)), "protocol", "udp", "type", "host")
	}
	g.close("transport")
	g.close("j:content")
	g.close("j:jingle")
	g.close("iq")
}
