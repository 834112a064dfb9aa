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
	loops []home
	met   account.Flag // of a Talk: it may go on
}

// home has whom the accounts of one loop have written to since the hour began. It is
// of the bare JID: who logs in again has not forgotten, who is silent costs nothing.
type home struct {
	begun time.Time
	m     map[string]*hour
	// The account that has sent last, which often sends more.
	account *account.Account
	of      *hour
}

// hour is whom one account has written to.
type hour struct {
	last  uint64   // hash of the last address
	known []uint64 // of all of them: few as a rule
	met   int      // strangers
}

var seed = maphash.MakeSeed()

// New returns the feature. domains are those of accounts, loops is how many loops
// there are.
func New(flags *account.Flags, domains []string, loops int) *Feature {
	f := &Feature{hosts: make(map[string]bool), loops: make([]home, loops), met: flags.New("talk met")}
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
		if s.Type == stanza.Error || c.Session.Talk.Has(f.met) {
			return feature.Continue
		}
	case stanza.Presence:
		if s.Type != stanza.Subscribe {
			return feature.Continue
		}
	default:
		return feature.Continue
	}
	h, to := f.hour(c), hashOf(s)
	verdict := feature.Continue
	if h.last != to {
		verdict = f.judge(c, s, h, to)
	}
	if h.last == to && s.Kind == stanza.Message {
		c.Session.Talk.Set(f.met)
	}
	return verdict
}

// hashOf tells bare addresses apart.
func hashOf(s *stanza.Stanza) uint64 { return maphash.String(seed, s.To.BareString()) }

// judge looks at somebody who is not the last one that was written to.
func (f *Feature) judge(c *feature.Ctx, s *stanza.Stanza, h *hour, to uint64) feature.Verdict {
	if !slices.Contains(h.known, to) {
		if host := s.To.Domain(); !f.hosts[host] && c.Router.Local(host) { // a service
			return f.judgeInvitations(c, s, h)
		}
		if !h.reaches(c, s.To.BareString(), to) {
			return refuse(c, s)
		}
	}
	h.last = to
	return feature.Continue
}

// judgeInvitations looks at whom a room is to write to for the account
// (XEP-0045 §7.8.2).
func (f *Feature) judgeInvitations(c *feature.Ctx, s *stanza.Stanza, h *hour) feature.Verdict {
	if s.Kind != stanza.Message || s.Type != stanza.Normal {
		return feature.Continue
	}
	for e := s.Elem.Child("x", roomSpace).First(); e.OK(); e = e.Next() {
		to, err := jid.View(e.Attr("to"))
		if !e.Is("invite", roomSpace) || err != nil {
			continue
		}
		bare := to.BareString()
		if hash := maphash.String(seed, bare); !slices.Contains(h.known, hash) && !h.reaches(c, bare, hash) {
			return refuse(c, s)
		}
	}
	return feature.Continue
}

// roomSpace is the namespace of invitations by way of a room.
const roomSpace = "http://jabber.org/protocol/muc#user"

func refuse(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	limited.Add(c.Shard(), 1)
	c.Fail(s, stanza.ResourceConstraint, "you have written to many people who are not among your contacts; try again in an hour")
	return feature.Done
}

// reaches reports whether somebody may be written to who has not been in this hour,
// and remembers it.
func (h *hour) reaches(c *feature.Ctx, bare string, hash uint64) bool {
	if stranger(c, bare) && !h.meet(c) {
		return false
	}
	if len(h.known) < maxKnown {
		h.known = append(h.known, hash)
	}
	return true
}

// hour returns what is known of c's account, all forgotten once an hour.
func (f *Feature) hour(c *feature.Ctx) *hour {
	at := &f.loops[c.Shard()]
	if now := c.Now(); at.m == nil || now.Sub(at.begun) >= time.Hour {
		*at = home{begun: now, m: make(map[string]*hour)}
	}
	if at.account == c.Account {
		return at.of
	}
	owner := c.Owner.String()
	h := at.m[owner]
	if h == nil {
		h = new(hour)
		at.m[owner] = h
	}
	at.account, at.of = c.Account, h
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
