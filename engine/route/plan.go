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

type iqHandler struct {
	to     feature.Target
	handle func(*feature.Ctx, *stanza.Stanza)
}

// NewPlan takes the handlers of all features. It panics if two want the same
// element: that is our own bug.
func NewPlan(hosts []string, features []feature.Feature) *Plan {
	p := &Plan{
		Hosts:  make(map[string]bool),
		iq:     make(map[iqKey]iqHandler),
		nonza:  make(map[string]func(*feature.Ctx, xml.Elem)),
		spaces: make(map[string]bool),
	}
	for _, h := range hosts {
		p.Hosts[h] = true
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
	for _, n := range f.Nonza {
		if p.nonza[n.Space] != nil {
			panic(fmt.Sprintf("route: %s is a second handler of %s", f.Name, n.Space))
		}
		p.nonza[n.Space] = n.Handle
	}
	if f.Bound != nil {
		p.Bound = append(p.Bound, f.Bound)
	}
	if f.Unbound != nil {
		p.Unbound = append(p.Unbound, f.Unbound)
	}
}

func (p *Plan) addIQ(name string, k iqKey, q feature.IQ) {
	if _, taken := p.iq[k]; taken {
		panic(fmt.Sprintf("route: %s is a second handler of %v", name, k))
	}
	p.iq[k] = iqHandler{q.To, q.Handle}
	p.spaces[q.Space] = true
}

// answerIQ lets the handler of q's payload answer, if it answers for target.
// Nobody does: service-unavailable (RFC 6120 §8.4), or not-allowed's milder
// sibling feature-not-implemented where the namespace is ours but the element
// is not.
func (r *Router) answerIQ(c *feature.Ctx, q *stanza.Stanza, target feature.Target) {
	pl := q.Payload()
	h, ok := r.iq[iqKey{string(pl.Space()), string(pl.Local()), q.Type == stanza.Set}]
	if ok && h.to&target != 0 {
		h.handle(c, q)
		return
	}
	cond := stanza.ServiceUnavailable
	if target != feature.Other && r.spaces[string(pl.Space())] {
		cond = stanza.FeatureNotImplemented
	}
	c.Fail(q, cond, "")
}
