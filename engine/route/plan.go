package route

import (
	"fmt"

	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// iqKey finds a handler: a payload's name and whether it is a get or a set.
type iqKey struct {
	space, local string
	set          bool
}

// iqHandlers has one handler for each bit of feature.Target.
type iqHandlers [3]func(*feature.Ctx, *stanza.Stanza)

// NewPlan takes the handlers of all features. It panics if two want the same
// element: that is our own bug.
func NewPlan(hosts []string, features []feature.Feature) *Plan {
	p := &Plan{
		iq:     make(map[iqKey]*iqHandlers),
		nonza:  make(map[string]func(*feature.Ctx, xml.Elem)),
		spaces: make(map[string]bool),
	}
	for _, h := range hosts {
		p.domains.add(domain{name: h})
	}
	for i := range features {
		p.add(&features[i])
	}
	return p
}

func (p *Plan) add(f *feature.Feature) {
	for _, q := range f.IQ {
		if q.Type != stanza.Set {
			p.addIQ(f.Name, iqKey{q.Space, q.Local, false}, q)
		}
		if q.Type != stanza.Get {
			p.addIQ(f.Name, iqKey{q.Space, q.Local, true}, q)
		}
	}
	for _, sv := range f.Services {
		if p.serves(sv.Host) {
			panic(fmt.Sprintf("route: %s wants the domain %s, which is taken", f.Name, sv.Host))
		}
		p.domains.add(domain{sv.Host, sv.Handle})
	}
	for _, n := range f.Nonza {
		if p.nonza[n.Space] != nil {
			panic(fmt.Sprintf("route: %s is a second handler of %s", f.Name, n.Space))
		}
		p.nonza[n.Space] = n.Handle
	}
	if f.Start != nil {
		p.start = append(p.start, f.Start)
	}
	if f.Answer != nil {
		p.answers = append(p.answers, f.Answer)
	}
	if f.Bound != nil {
		p.Bound = append(p.Bound, f.Bound)
	}
	if f.Removed != nil {
		p.removed = append(p.removed, f.Removed)
	}
	if f.Unbound != nil {
		p.Unbound = append(p.Unbound, f.Unbound)
	}
}

func (p *Plan) addIQ(name string, k iqKey, q feature.IQ) {
	hs := p.iq[k]
	if hs == nil {
		hs = new(iqHandlers)
		p.iq[k] = hs
	}
	for i := range hs {
		if q.To&(1<<i) == 0 {
			continue
		}
		if hs[i] != nil {
			panic(fmt.Sprintf("route: %s is a second handler of %v", name, k))
		}
		hs[i] = q.Handle
	}
	p.spaces[q.Space] = true
}

// find returns the handler for the target, the account's before the server's.
func (hs *iqHandlers) find(target feature.Target) func(*feature.Ctx, *stanza.Stanza) {
	for i := len(hs) - 1; hs != nil && i >= 0; i-- {
		if target&(1<<i) != 0 && hs[i] != nil {
			return hs[i]
		}
	}
	return nil
}

// answerIQ lets the handler of q's payload answer, if it answers for target.
// Nobody does: service-unavailable (RFC 6120 §8.4), or not-allowed's milder
// sibling feature-not-implemented where the namespace is ours but the element
// is not.
func (r *Router) answerIQ(c *feature.Ctx, q *stanza.Stanza, target feature.Target) {
	pl := q.Payload()
	hs := r.iq[iqKey{string(pl.Space()), string(pl.Local()), q.Type == stanza.Set}]
	if h := hs.find(target); h != nil {
		h(c, q)
		return
	}
	cond := stanza.ServiceUnavailable
	if target != feature.Other && r.spaces[string(pl.Space())] {
		cond = stanza.FeatureNotImplemented
	}
	c.Fail(q, cond, "")
}
