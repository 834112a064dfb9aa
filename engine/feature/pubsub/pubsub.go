// Package pubsub serves nodes on a domain of its own (XEP-0060 1.30.0), for who
// may make them by the configuration. Nodes and requests are in the package of
// the same name below.
package pubsub

import (
	"fmt"
	"slices"
	"strings"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const (
	infoSpace  = "http://jabber.org/protocol/disco#info"
	itemsSpace = "http://jabber.org/protocol/disco#items"
	pingSpace  = "urn:xmpp:ping"
	title      = "Nodes"
)

// service is the nodes of all domains.
type service struct {
	host     *pubsub.Host
	local    map[string]bool // domains of accounts
	features []string
}

// New returns the feature, with a service for each domain of accounts. loops is
// how many there are.
func New(domains []string, cfg *config.PubSub, loops int) feature.Feature {
	s := &service{local: make(map[string]bool)}
	s.host = pubsub.New(loops, pubsub.Host{Default: pubsub.ServiceConfig, Limits: limits, MayCreate: s.mayCreate, Manages: s.manages})
	s.features = append([]string{infoSpace, itemsSpace, pingSpace}, pubsub.Features...)
	slices.Sort(s.features)
	declared := feature.Feature{Name: "pubsub", Spec: "XEP-0060"}
	if cfg.Name == "" {
		return declared
	}
	for _, d := range domains {
		own, err := jid.Domain(d)
		host, err2 := jid.Domain(cfg.Name + "." + d)
		if err != nil || err2 != nil {
			panic(fmt.Sprintf("pubsub: %s.%s is no domain", cfg.Name, d)) // config has checked it
		}
		s.local[own.String()] = true
		declared.Services = append(declared.Services, feature.Service{
			Host: host.String(), Identity: feature.Identity{Category: "pubsub", Type: "service", Name: title}, Handle: s.handle,
		})
	}
	return declared
}

func limits(c *config.Config) pubsub.Limits {
	p := &c.PubSub
	return pubsub.Limits{Nodes: p.Nodes, Items: p.Items, ItemBytes: int(p.ItemBytes), Bytes: int(p.Bytes), Subscribers: p.Subscribers}
}

// mayCreate judges who wants to make a node: never somebody of another server.
func (s *service) mayCreate(e *feature.Env, who jid.JID) bool {
	if !s.local[who.Domain()] || !who.HasLocal() {
		return false
	}
	return e.Config.PubSub.Create == "anybody" || s.manages(e.Config, who)
}

// manages reports whether who administers the server.
func (s *service) manages(c *config.Config, who jid.JID) bool {
	return slices.ContainsFunc(c.Admin.Accounts, func(a string) bool { return strings.EqualFold(a, who.BareString()) })
}

// handle takes what is sent to the service. Nobody lives at its other addresses.
func (s *service) handle(c *feature.Ctx, q *stanza.Stanza) {
	if q.To.HasLocal() || q.To.IsFull() {
		c.Fail(q, stanza.ItemNotFound, "")
		return
	}
	switch pl := q.Payload(); {
	case q.Kind == stanza.Message:
		if !s.host.Authorization(c, q, c.Owner) {
			c.Fail(q, stanza.ServiceUnavailable, "")
		}
	case !q.Request():
	case pl.Is("pubsub", pubsub.Space), pl.Is("pubsub", pubsub.OwnerSpace):
		s.host.Handle(c, q)
	case q.Type == stanza.Get && (pl.Is("query", infoSpace) || pl.Is("query", itemsSpace)):
		s.disco(c, q)
	case q.Type == stanza.Get && pl.Is("ping", pingSpace):
		c.Result(q, nil)
	default:
		c.Fail(q, stanza.ServiceUnavailable, "")
	}
}

// disco answers for the service itself (XEP-0060 §5.1), and has the nodes answer
// for themselves.
func (s *service) disco(c *feature.Ctx, q *stanza.Stanza) {
	node, space := q.Payload().Attr("node"), string(q.Payload().Space())
	switch {
	case len(node) == 0 && space == infoSpace:
		c.Result(q, s.info)
	case !s.host.Disco(c, q):
		c.Fail(q, stanza.ItemNotFound, "")
	}
}

func (s *service) info(b *xml.Builder) {
	b.Start("query", infoSpace)
	b.Start("identity", "").Attr("category", "pubsub").Attr("type", "service").Attr("name", title).End()
	for _, f := range s.features {
		b.Start("feature", "").Attr("var", f).End()
	}
	b.End()
}
