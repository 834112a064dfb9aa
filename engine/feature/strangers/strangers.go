// Package strangers keeps spam expensive: an account may write to, or ask for the
// presence of, so many others in an hour that are not in its roster.
package strangers

import (
	"hash/maphash"
	"slices"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// maxKnown is how many addresses an account has written to in an hour are
// remembered, contacts included. With more they are looked up again.
const maxKnown = 1000

var (
	met = metric.NewCounter("meerkat_strangers_total",
		"First messages and subscription requests to somebody who is not in the sender's roster, in an hour.")
	limited = metric.NewCounter("meerkat_strangers_limited_total",
		"Messages and subscription requests refused because of limits.strangers.")
)

// Feature is the limit, a stage for what sessions send.
type Feature struct {
	hosts map[string]bool // domains of accounts
	state account.Slot[hour]
	loops []map[string]*hour // by bare JID: who logs in again has not forgotten
	begun []time.Time        // of the hour of each loop
}

// hour is whom an account has written to since the hour of its loop began.
type hour struct {
	last  uint64              // hash of the last address
	known map[uint64]struct{} // of all of them
	met   int                 // strangers
	begun time.Time
}

var seed = maphash.MakeSeed()

// New returns the feature. domains are those of accounts, loops is how many loops
// there are.
func New(flags *account.Flags, domains []string, loops int) *Feature {
	f := &Feature{hosts: make(map[string]bool), state: account.NewSlot[hour](flags),
		loops: make([]map[string]*hour, loops), begun: make([]time.Time, loops)}
	for _, d := range domains {
		if h, err := jid.Domain(d); err == nil {
			f.hosts[h.String()] = true
		}
	}
	return f
}

// FilterOut is a stage for what goes to others.
func (f *Feature) FilterOut(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch s.Kind {
	case stanza.Message:
		if s.Type == stanza.Error {
			return feature.Continue
		}
	case stanza.Presence:
		if s.Type != stanza.Subscribe {
			return feature.Continue
		}
	default:
		return feature.Continue
	}
	to := hashOf(s)
	h := f.state.Of(c.Account.Slots)
	if h != nil && h.last == to && c.Now().Sub(h.begun) < time.Hour {
		return feature.Continue
	}
	return f.judge(c, s, to)
}

// hashOf tells bare addresses apart.
func hashOf(s *stanza.Stanza) uint64 { return maphash.String(seed, s.To.BareString()) }

// judge looks at somebody who is not the last one that was written to.
func (f *Feature) judge(c *feature.Ctx, s *stanza.Stanza, to uint64) feature.Verdict {
	h := f.hour(c)
	if _, known := h.known[to]; !known {
		if host := s.To.Domain(); !f.hosts[host] && c.Router.Local(host) {
			return feature.Continue // a service
		}
		if stranger(c, s.To.BareString()) && !h.meet(c) {
			limited.Add(c.Shard(), 1)
			c.Fail(s, stanza.ResourceConstraint, "you have written to many people who are not among your contacts; try again in an hour")
			return feature.Done
		}
		if len(h.known) < maxKnown {
			h.known[to] = struct{}{}
		}
	}
	h.last = to
	return feature.Continue
}

// hour returns what is known of c's account, all forgotten once an hour.
func (f *Feature) hour(c *feature.Ctx) *hour {
	i, now := c.Shard(), c.Now()
	if f.loops[i] == nil || now.Sub(f.begun[i]) >= time.Hour {
		f.loops[i], f.begun[i] = make(map[string]*hour), now
	}
	h := f.state.Of(c.Account.Slots)
	if h == nil || h.begun != f.begun[i] {
		owner := c.Owner.String()
		if h = f.loops[i][owner]; h == nil {
			h = &hour{known: make(map[uint64]struct{}), begun: f.begun[i]}
			f.loops[i][owner] = h
		}
		f.state.Put(&c.Account.Slots, h)
	}
	return h
}

// meet counts a stranger, and reports whether it may be written to.
func (h *hour) meet(c *feature.Ctx) bool {
	limit := c.Config.Limits.Strangers
	if limit > 0 && h.met >= limit && !slices.Contains(c.Config.Admin.Accounts, c.Owner.String()) {
		return false
	}
	h.met++
	met.Add(c.Shard(), 1)
	return true
}

// stranger reports whether bare has no place in the roster of c's account: not even
// as somebody who waits for an answer.
func stranger(c *feature.Ctx, bare string) (is bool) {
	c.View(func(tx *store.Tx) {
		_, found := roster.Load(tx, c.Owner.String()).Find(bare)
		is = !found
	})
	return is
}
