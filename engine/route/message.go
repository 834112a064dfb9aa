package route

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

// Fate is what becomes of a message that reached an account (RFC 6121 §8.5.4).
type Fate uint8

// Ignore drops it in silence; Bounce answers service-unavailable; One is for
// the resource addressed; All for every available resource whose priority is
// not negative; Keep for the offline store, which bounces what it can't keep.
const (
	Ignore Fate = iota
	Bounce
	One
	All
	Keep
)

// Rows of the table: whom the message is addressed to, and who is there.
const (
	bareAbsent  = iota // bare JID, nobody available but with negative priority
	barePresent        // bare JID, somebody available
	fullMatch          // full JID of a connected resource
	fullAbsent         // full JID of none, nobody available
	fullPresent        // full JID of none, somebody available
)

// fates is the table of RFC 6121 §8.5.4 for accounts that exist. Where it
// leaves a choice, a message is rather bounced than lost, and a chat message
// goes to all devices.
var fates = [...][stanza.Headline + 1]Fate{
	bareAbsent:  {stanza.Normal: Keep, stanza.Chat: Keep, stanza.Groupchat: Bounce, stanza.Headline: Ignore},
	barePresent: {stanza.Normal: All, stanza.Chat: All, stanza.Groupchat: Bounce, stanza.Headline: All},
	fullMatch:   {stanza.Normal: One, stanza.Chat: One, stanza.Groupchat: One, stanza.Headline: One},
	fullAbsent:  {stanza.Normal: Bounce, stanza.Chat: Keep, stanza.Groupchat: Bounce, stanza.Headline: Ignore},
	fullPresent: {stanza.Normal: Bounce, stanza.Chat: All, stanza.Groupchat: Bounce, stanza.Headline: Ignore},
}

// fate looks s up. An error reaches the resource it is for or nobody
// (RFC 6121 §8.5.3.2.1).
func fate(s *stanza.Stanza, match *account.Session, present bool) Fate {
	if s.Type == stanza.Error {
		if match != nil {
			return One
		}
		return Ignore
	}
	return fates[row(s, match != nil, present)][s.Type]
}

func row(s *stanza.Stanza, match, present bool) int {
	switch {
	case match:
		return fullMatch
	case s.To.IsFull() && present:
		return fullPresent
	case s.To.IsFull():
		return fullAbsent
	case present:
		return barePresent
	}
	return bareAbsent
}

// Deliver is the stage that hands messages to resources, by type and priority.
// It continues if the message is one to be kept.
func Deliver(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	var match *account.Session
	if s.To.IsFull() {
		match = find(c.Account, s.To)
	}
	switch fate(s, match, reachable(c.Account)) {
	case Keep:
		return feature.Continue
	case One:
		Write(c, match, s)
	case All:
		writeAll(c, s)
	case Bounce:
		bounced.Add(c.Shard(), 1)
		c.Fail(s, stanza.ServiceUnavailable, "")
	default:
		ignored.Add(c.Shard(), 1)
	}
	return feature.Done
}

// reachable reports whether a bare JID's messages have somewhere to go.
func reachable(a *account.Account) bool {
	if a == nil {
		return false
	}
	for _, s := range a.Sessions {
		if takesMessages(s) {
			return true
		}
	}
	return false
}

func takesMessages(s *account.Session) bool { return s.Available() && s.Priority >= 0 }

// writeAll serialises s once for all who get it.
func writeAll(c *feature.Ctx, s *stanza.Stanza) {
	b := s.Append(c.Scratch())
	for _, to := range c.Account.Sessions {
		if takesMessages(to) && !to.Refused(s) {
			to.Sink.Write(b)
			delivered.Add(c.Shard(), int(stanza.Message)-1, 1)
		}
	}
	c.Keep(b)
}
