// Package disco says what the server and its accounts can do (XEP-0030 2.5.0),
// and sums that up for entity capabilities (XEP-0115 1.6.0).
package disco

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	infoSpace  = "http://jabber.org/protocol/disco#info"
	itemsSpace = "http://jabber.org/protocol/disco#items"
	capsSpace  = "http://jabber.org/protocol/caps"
	node       = "https://meerkat.im"
)

// info is an answer, the same for everybody.
type info struct {
	identities []feature.Identity
	features   []string
	forms      []*feature.Form
}

type feat struct {
	server, account info
	services        []feature.Service
	nodes           []func(*feature.Ctx, *stanza.Stanza) bool // of the server
	accountNodes    []func(*feature.Ctx, *stanza.Stanza) bool
	ver             string // of server, XEP-0115 §5.1
}

// New returns the feature. It announces others, so it comes after them in the
// list; its own names are in.
func New(others []feature.Feature) feature.Feature {
	f := &feat{
		server:  info{identities: []feature.Identity{{Category: "server", Type: "im", Name: "Meerkat"}}},
		account: info{identities: []feature.Identity{{Category: "account", Type: "registered"}}},
	}
	self := []string{infoSpace, itemsSpace}
	f.server.features = append(f.server.features, capsSpace)
	f.server.features = append(f.server.features, self...)
	f.account.features = append(f.account.features, self...)
	for i := range others {
		f.server.identities = append(f.server.identities, others[i].Identity...)
		f.account.identities = append(f.account.identities, others[i].AccountIdentity...)
		f.services = append(f.services, others[i].Services...)
		if others[i].AccountNode != nil {
			f.accountNodes = append(f.accountNodes, others[i].AccountNode)
		}
		if others[i].Node != nil {
			f.nodes = append(f.nodes, others[i].Node)
		}
		if others[i].Form != nil {
			f.server.forms = append(f.server.forms, others[i].Form)
		}
		f.server.features = append(f.server.features, others[i].Disco...)
		f.account.features = append(f.account.features, others[i].AccountDisco...)
	}
	f.server.sort()
	f.account.sort()
	f.ver = f.server.ver()
	return feature.Feature{
		Name: "disco",
		Spec: "XEP-0030, XEP-0115",
		IQ: []feature.IQ{
			feature.GetIQ(feature.Server, infoSpace, "query", f.serverInfo),
			feature.GetIQ(feature.Server, itemsSpace, "query", f.serverItems),
			feature.GetIQ(feature.Own|feature.Other, infoSpace, "query", f.accountInfo),
			feature.GetIQ(feature.Own|feature.Other, itemsSpace, "query", f.accountItems),
		},
		Stream: []feature.StreamFeature{{Bound: true, Append: f.caps}},
	}
}

func (i *info) sort() {
	slices.Sort(i.features)
	i.features = slices.Compact(i.features)
	slices.SortFunc(i.forms, func(a, b *feature.Form) int { return strings.Compare(a.Type, b.Type) })
	slices.SortFunc(i.identities, func(a, b feature.Identity) int {
		return strings.Compare(a.Category+"/"+a.Type+"//"+a.Name, b.Category+"/"+b.Type+"//"+b.Name)
	})
}

// ver is the verification string of XEP-0115 §5.1, hashed.
func (i *info) ver() string {
	var s strings.Builder
	for _, id := range i.identities {
		s.WriteString(id.Category + "/" + id.Type + "//" + id.Name + "<")
	}
	for _, f := range i.features {
		s.WriteString(f + "<")
	}
	for _, f := range i.forms {
		s.WriteString(f.Type + "<")
		for _, field := range f.Fields {
			s.WriteString(field.Var + "<")
			for _, v := range slices.Sorted(slices.Values(field.Values)) {
				s.WriteString(v + "<")
			}
		}
	}
	sum := sha1.Sum([]byte(s.String()))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// caps announces the server's own capabilities in its stream features
// (XEP-0115 §6.3).
func (f *feat) caps(_ *feature.Ctx, b *xml.Builder, _ string) {
	b.Start("c", capsSpace).Attr("hash", "sha-1").Attr("node", node).Attr("ver", f.ver).End()
}

// serverInfo knows one node itself: the server's capabilities (XEP-0115 §6.2).
func (f *feat) serverInfo(c *feature.Ctx, q *stanza.Stanza) {
	n := q.Payload().Attr("node")
	if len(n) > 0 && string(n) != node+"#"+f.ver {
		f.askNodes(c, q)
		return
	}
	f.server.answer(c, q, infoSpace)
}

// askNodes lets the feature answer whose node it is.
func (f *feat) askNodes(c *feature.Ctx, q *stanza.Stanza) {
	if !ask(f.nodes, c, q) {
		c.Fail(q, stanza.ItemNotFound, "")
	}
}

func ask(nodes []func(*feature.Ctx, *stanza.Stanza) bool, c *feature.Ctx, q *stanza.Stanza) bool {
	for _, answer := range nodes {
		if answer(c, q) {
			return true
		}
	}
	return false
}

// serverItems lists the services (XEP-0030 §4.1).
func (f *feat) serverItems(c *feature.Ctx, q *stanza.Stanza) {
	if len(q.Payload().Attr("node")) > 0 {
		f.askNodes(c, q)
		return
	}
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", itemsSpace)
		for _, s := range f.services {
			b.Start("item", "").Attr("jid", s.Host).OptAttr("name", s.Identity.Name).End()
		}
		b.End()
	})
}

// accountInfo tells the owner and those who get the account's presence; to
// others an account looks like one that does not exist (XEP-0030 §8). A node may
// be for more people, which its feature judges.
func (f *feat) accountInfo(c *feature.Ctx, q *stanza.Stanza) {
	node := len(q.Payload().Attr("node")) > 0
	switch {
	case node && ask(f.accountNodes, c, q):
	case !trusted(c, q):
		c.Fail(q, stanza.ServiceUnavailable, "")
	case node:
		c.Fail(q, stanza.ItemNotFound, "")
	default:
		f.account.answer(c, q, infoSpace)
	}
}

// accountItems lists what a feature has, or nothing. Strangers see nothing
// either, whatever the node and whether there is such an account (XEP-0030 §8).
func (f *feat) accountItems(c *feature.Ctx, q *stanza.Stanza) {
	n := string(q.Payload().Attr("node"))
	switch {
	case ask(f.accountNodes, c, q):
	case n != "" && trusted(c, q):
		c.Fail(q, stanza.ItemNotFound, "")
	default:
		c.Result(q, func(b *xml.Builder) { b.Start("query", itemsSpace).OptAttr("node", n).End() })
	}
}

func trusted(c *feature.Ctx, q *stanza.Stanza) (ok bool) {
	if q.From.BareString() == c.Owner.String() {
		return true
	}
	c.View(func(tx *store.Tx) {
		it, found := roster.Load(tx, c.Owner.String()).Find(q.From.BareString())
		ok = found && it.State&roster.From != 0 && c.Users.Exists(tx, c.Owner)
	})
	return ok
}

func (i *info) answer(c *feature.Ctx, q *stanza.Stanza, space string) {
	n := string(q.Payload().Attr("node"))
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", space).OptAttr("node", n)
		for _, id := range i.identities {
			b.Start("identity", "").Attr("category", id.Category).Attr("type", id.Type).OptAttr("name", id.Name).End()
		}
		for _, name := range i.features {
			b.Start("feature", "").Attr("var", name).End()
		}
		for _, f := range i.forms {
			appendForm(b, f)
		}
		b.End()
	})
}

func appendForm(b *xml.Builder, f *feature.Form) {
	w := form.Start(b, form.Result, f.Type)
	for _, field := range f.Fields {
		w.Field(form.Def{Var: field.Var, Type: field.Type}, field.Values...)
	}
	w.End()
}
