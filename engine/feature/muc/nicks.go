package muc

import (
	"errors"

	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// reservedNicks are the nicks that belong to users of a room, by room and bare
// JID (XEP-0045 §7.10, §9.5).
var reservedNicks = store.NewMap("room-nick")

// nickChanges are nicks by bare JID; "" is none any more.
type nickChanges map[string]string

// prepareNick returns a nick as addresses have it. It reports false for what
// can be none.
func (r *room) prepareNick(nick string) (string, bool) {
	j, err := r.jid.WithResource(nick)
	if err != nil || !j.IsFull() {
		return "", false
	}
	return j.Resource(), true
}

// reservedFor returns the nick that is reserved for a user, "" if none is.
func (r *room) reservedFor(bare string) string {
	for nick, user := range r.reserved {
		if user == bare {
			return nick
		}
	}
	return ""
}

// taken reports whether a nick is reserved for somebody else.
func (r *room) taken(nick string, who jid.JID) bool {
	user, ok := r.reserved[nick]
	return ok && user != who.BareString()
}

// judgeNicks holds wishes against what is reserved, and adds that who is neither
// member nor more any longer has no nick.
func (r *room) judgeNicks(wanted nickChanges, after map[string]affiliation) stanza.Condition {
	for bare, a := range after {
		if a < member && r.reservedFor(bare) != "" {
			wanted[bare] = ""
		}
	}
	seen := make(map[string]bool)
	for bare, nick := range wanted {
		if nick == "" {
			continue
		}
		user, ok := r.reserved[nick]
		_, changes := wanted[user]
		o := r.named(nick)
		if ok && user != bare && !changes || seen[nick] || o != nil && o.bare().String() != bare {
			return stanza.Conflict
		}
		seen[nick] = true
	}
	return stanza.OK
}

// saveNicks returns what stores changes.
func (r *room) saveNicks(changed nickChanges) func(tx *store.Tx) error {
	name := r.jid.String()
	return func(tx *store.Tx) (err error) {
		for bare, nick := range changed {
			if nick == "" {
				err = errors.Join(err, reservedNicks.Delete(tx, name, bare))
			} else {
				err = errors.Join(err, reservedNicks.Put(tx, name, bare, []byte(nick)))
			}
		}
		return err
	}
}

// takeNicks brings changes into effect.
func (r *room) takeNicks(changed nickChanges) {
	for bare := range changed {
		if nick := r.reservedFor(bare); nick != "" {
			delete(r.reserved, nick)
		}
	}
	for bare, nick := range changed {
		if nick == "" {
			continue
		}
		if r.reserved == nil {
			r.reserved = make(map[string]string)
		}
		r.reserved[nick] = bare
	}
}

// allNicks are the reserved nicks by user.
func (r *room) allNicks() nickChanges {
	all := make(nickChanges, len(r.reserved))
	for nick, bare := range r.reserved {
		all[bare] = nick
	}
	return all
}
