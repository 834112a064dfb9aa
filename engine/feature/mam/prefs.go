package mam

import (
	"slices"
	"strings"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// prefsDoc has what a user wants archived: lines of text, the default first, then
// "+JID" for always and "-JID" for never.
var prefsDoc = store.NewDoc("archive prefs")

// maxPrefs bounds the addresses in a user's preferences.
const maxPrefs = 1000

var refused = metric.NewCounter("meerkat_archive_prefs_refused_total",
	"Preferences refused because they name more than 1000 addresses.")

// prefs are a user's preferences (XEP-0441). The zero prefs are none: the
// server's default holds.
type prefs struct {
	def           string // always, roster, never; "" is the server's
	always, never []string

	peers [4]peer // asked for lately
	next  uint8   // of peers, to be forgotten
}

// peer is what the roster said of somebody.
type peer struct {
	bare   string
	at     uint64 // Env.Changes then
	listed bool
}

// loadPrefs loads owner's preferences.
func loadPrefs(tx *store.Tx, owner string) *prefs {
	p := new(prefs)
	v := string(prefsDoc.Get(tx, owner))
	def, rest, _ := strings.Cut(v, "\n")
	p.def = strings.Clone(def)
	for line := range strings.Lines(rest) {
		j := strings.TrimSuffix(line[1:], "\n")
		if line[0] == '+' {
			p.always = append(p.always, j)
		} else {
			p.never = append(p.never, j)
		}
	}
	return p
}

// bytes is p as it is stored.
func (p *prefs) bytes() []byte {
	b := []byte(p.def)
	for _, j := range p.always {
		b = append(append(b, "\n+"...), j...)
	}
	for _, j := range p.never {
		b = append(append(b, "\n-"...), j...)
	}
	return b
}

// prefsOf returns the preferences of an account that is here, loaded once.
func (f *Feature) prefsOf(c *feature.Ctx) *prefs {
	p := f.prefs.Of(c.Account.Slots)
	if p == nil {
		c.View(func(tx *store.Tx) { p = loadPrefs(tx, c.Owner.String()) })
		if p == nil {
			return new(prefs) // the store cannot be read, which is logged
		}
		f.prefs.Put(&c.Account.Slots, p)
	}
	return p
}

// want reports whether messages with peer are archived (XEP-0441 §2.3). Where
// both lists match, never wins.
func (p *prefs) want(c *feature.Ctx, who jid.JID) bool {
	switch {
	case matches(p.never, who):
		return false
	case matches(p.always, who):
		return true
	}
	switch p.defaultOf(c) {
	case "never":
		return false
	case "roster":
		return p.inRoster(c, who)
	}
	return true
}

func (p *prefs) defaultOf(c *feature.Ctx) string {
	if p.def != "" {
		return p.def
	}
	return c.Config.Archive.Default
}

// matches reports whether list has peer, as it is or without its resource.
func matches(list []string, peer jid.JID) bool {
	return len(list) > 0 && (slices.Contains(list, peer.BareString()) || slices.Contains(list, peer.String()))
}

// inRoster reports whether who is a contact. The last few answers are kept: a
// conversation asks for each of its messages.
func (p *prefs) inRoster(c *feature.Ctx, who jid.JID) (yes bool) {
	bare := who.BareString()
	for i := range p.peers {
		if k := &p.peers[i]; k.bare == bare && k.at == c.Changes {
			return k.listed
		}
	}
	c.View(func(tx *store.Tx) {
		it, found := roster.Load(tx, c.Owner.String()).Find(bare)
		yes = found && it.State&roster.Listed != 0
	})
	p.peers[p.next] = peer{strings.Clone(bare), c.Changes, yes}
	p.next = (p.next + 1) % uint8(len(p.peers))
	return yes
}

// getPrefs answers with the preferences that hold.
func (f *Feature) getPrefs(c *feature.Ctx, q *stanza.Stanza) {
	p := f.prefsOf(c)
	c.Result(q, func(b *xml.Builder) { p.append(b, c) })
}

func (p *prefs) append(b *xml.Builder, c *feature.Ctx) {
	b.Start("prefs", space).Attr("default", p.defaultOf(c))
	for _, l := range []struct {
		name string
		jids []string
	}{{"always", p.always}, {"never", p.never}} {
		b.Start(l.name, "")
		for _, j := range l.jids {
			b.Start("jid", "").Text(j).End()
		}
		b.End()
	}
	b.End()
}

// setPrefs stores preferences; the result, with those that hold, goes out once
// they are stored, and messages that come after it are treated by them.
func (f *Feature) setPrefs(c *feature.Ctx, q *stanza.Stanza) {
	p, cond := readPrefs(q.Payload())
	if cond != stanza.OK {
		if cond == stanza.ResourceConstraint {
			refused.Add(c.Shard(), 1)
		}
		c.Fail(q, cond, "")
		return
	}
	a, owner, v, req := c.Account, c.Owner.String(), p.bytes(), c.Later(q)
	env := c.Env
	env.Update(func(tx *store.Tx) error { return prefsDoc.Put(tx, owner, v) }, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		f.prefs.Put(&a.Slots, p)
		env.Changes++
		req.Result(func(b *xml.Builder) { p.append(b, &feature.Ctx{Env: env}) })
	})
}

// readPrefs reads what a client wants (XEP-0441 §2.1).
func readPrefs(e xml.Elem) (*prefs, stanza.Condition) {
	p := &prefs{def: string(e.Attr("default"))}
	if p.def != "always" && p.def != "never" && p.def != "roster" {
		return nil, stanza.BadRequest
	}
	for _, l := range []struct {
		name string
		jids *[]string
	}{{"always", &p.always}, {"never", &p.never}} {
		list := e.Child(l.name, space)
		for it := list.First(); it.OK(); it = it.Next() {
			if !it.Is("jid", space) {
				continue
			}
			j, err := jid.Parse(strings.TrimSpace(string(it.Text())))
			if err != nil {
				return nil, stanza.JIDMalformed
			}
			if len(p.always)+len(p.never) == maxPrefs {
				return nil, stanza.ResourceConstraint
			}
			*l.jids = append(*l.jids, j.String())
		}
	}
	return p, stanza.OK
}
