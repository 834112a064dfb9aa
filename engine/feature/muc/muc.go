// Package muc is multi-user chat (XEP-0045 1.35.5), with occupant ids
// (XEP-0421) and pings of oneself (XEP-0410). A room lives on the loop of its
// address and is in memory only while somebody is in it.
package muc

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"meerkat/engine/command"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
)

// Namespaces of XEP-0045 and what goes with it.
const (
	mucSpace      = "http://jabber.org/protocol/muc"
	userSpace     = mucSpace + "#user"
	adminSpace    = mucSpace + "#admin"
	ownerSpace    = mucSpace + "#owner"
	stableSpace   = mucSpace + "#stable_id"
	selfPing      = mucSpace + "#self-ping-optimization"
	inviteSpace   = "jabber:x:conference"
	occupantSpace = "urn:xmpp:occupant-id:0"
	delaySpace    = "urn:xmpp:delay"
	stanzaIDSpace = "urn:xmpp:sid:0"
	pingSpace     = "urn:xmpp:ping"
	infoSpace     = "http://jabber.org/protocol/disco#info"
	itemsSpace    = "http://jabber.org/protocol/disco#items"
)

// service is the rooms of all domains.
type service struct {
	loops []map[string]*room // by loop, by address: those in memory
	dir   directory
	ops   *command.Host   // of the operator
	paces []paces         // by loop
	local map[string]bool // domains of accounts

	life    int64             // names this run of the server
	keepers []*keeper         // by loop
	hosts   map[string]string // domains of rooms, with that of the accounts
}

// New returns the feature, with a service for each domain of accounts, and what its
// operator does. loops is how many there are.
func New(domains []string, cfg *config.Rooms, loops int) (feature.Feature, *Operator) {
	f := &service{
		loops: make([]map[string]*room, loops), paces: make([]paces, loops), local: make(map[string]bool),
		life:    time.Now().UnixNano(),
		keepers: make([]*keeper, loops), hosts: make(map[string]string),
	}
	for i := range f.loops {
		f.loops[i] = make(map[string]*room)
	}
	op := newOperator(f, loops)
	declared := feature.Feature{
		Name: "muc", Spec: "XEP-0045, XEP-0249, XEP-0313, XEP-0359, XEP-0410, XEP-0421, XEP-0424, XEP-0425, XEP-0486",
		Start:   func(e *feature.Env) { f.keeper(e); op.start(e) },
		Removed: f.removed,
		Thaw:    f.thaw,
	}
	if cfg.Name == "" {
		return declared, op
	}
	for _, d := range domains {
		own, err := jid.Domain(d)
		host, err2 := jid.Domain(cfg.Name + "." + d)
		if err != nil || err2 != nil {
			panic(fmt.Sprintf("muc: %s.%s is no domain", cfg.Name, d)) // config has checked it
		}
		f.local[own.String()], f.hosts[host.String()] = true, own.String()
		declared.Services = append(declared.Services, feature.Service{
			Host: host.String(), Identity: feature.Identity{Category: "conference", Type: "text", Name: serviceName}, Handle: f.handle,
		})
	}
	return declared, op
}

// handle takes what is sent to any address of the service.
func (f *service) handle(c *feature.Ctx, s *stanza.Stanza) {
	if !s.To.HasLocal() {
		f.handleService(c, s)
		return
	}
	r, ok := f.find(c.Env, s.To.Bare())
	if !ok {
		c.Fail(s, stanza.InternalServerError, "")
		return
	}
	if r != nil {
		r.replaced(s)
	}
	if r != nil && r.cold && (s.Kind == stanza.Presence && s.Type == stanza.Available || r.seat(s.From) != nil) {
		r.warm()
	}
	if r != nil && !r.line.takes(s) {
		r.follow(c, s)
		return
	}
	if s.Kind == stanza.Presence {
		f.handlePresence(c, s, r)
		return
	}
	if r == nil {
		missing(c, s)
		return
	}
	if s.Kind == stanza.Message {
		r.handleMessage(c, s)
	} else {
		r.handleIQ(c, s)
	}
	r.rest()
}

// missing answers what is for a room that is not there.
func missing(c *feature.Ctx, s *stanza.Stanza) {
	switch {
	case s.To.IsFull(), s.Kind == stanza.Message: // as an occupant, see XEP-0410 §3.2
		refuse(c, s, stanza.NotAcceptable)
	default:
		refuse(c, s, stanza.ItemNotFound)
	}
}

// refuse answers s with an error, and counts it.
func refuse(c *feature.Ctx, s *stanza.Stanza, cond stanza.Condition) {
	if !s.Bounces() {
		return
	}
	refused.Add(c.Shard(), 1)
	if s.Kind == stanza.Presence && s.Elem.Child("x", mucSpace).OK() {
		refuseEntry(c, s, cond)
		return
	}
	c.Fail(s, cond, "")
}

// refuseEntry answers who wants to enter as the examples of §7.2 do: clients know
// by <x/> that the error is about that.
func refuseEntry(c *feature.Ctx, s *stanza.Stanza, cond stanza.Condition) {
	b := s.AppendError(c.Scratch(), cond, "")
	b = slices.Insert(b, bytes.Index(b, []byte("<error")), []byte("<x xmlns='"+mucSpace+"'/>")...)
	c.Router.Send(s.From, b)
	c.Keep(b)
}

func (f *service) handlePresence(c *feature.Ctx, s *stanza.Stanza, r *room) {
	switch s.Type {
	case stanza.Available:
		f.arrive(c, s, r)
	case stanza.Unavailable:
		if r != nil {
			r.depart(s)
			r.rest()
		}
	case stanza.Error:
		if r != nil {
			r.broken(s)
			r.rest()
		}
	}
}
