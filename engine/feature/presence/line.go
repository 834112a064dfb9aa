package presence

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
)

// lines are the accounts of a loop for which subscriptions are being stored.
type lines map[string]*line

// line keeps presence behind the subscriptions that came before it, so that a
// client hears "subscribed" first and then who is there (RFC 6120 §10.1).
type line struct {
	begun, ended int // subscriptions
	held         []held
}

// held is presence that waits until so many subscriptions have ended.
type held struct {
	behind int
	to     jid.JID
	b      []byte
}

// maxHeld bounds the presence that waits for one account. What comes beyond it
// overtakes: order is worth less than memory.
const maxHeld = 256

// begin says that a subscription for owner is being stored.
func (ls lines) begin(owner jid.JID) {
	l := ls[owner.String()]
	if l == nil {
		l = new(line)
		ls[owner.String()] = l
	}
	l.begun++
}

// end says that the oldest one is stored and delivered, and hands over what had
// to wait for it.
func (ls lines) end(e *feature.Env, owner jid.JID) {
	l := ls[owner.String()]
	l.ended++
	a := e.Accounts.Get(owner.String())
	for len(l.held) > 0 && l.held[0].behind <= l.ended {
		if h := l.held[0]; a != nil {
			hand(e, a, h.to, h.b)
		}
		l.held = l.held[1:]
	}
	if l.ended == l.begun {
		delete(ls, owner.String())
	}
}

// hold keeps presence b for later, and reports whether it has to wait.
func (ls lines) hold(owner, to jid.JID, b []byte) bool {
	if len(ls) == 0 {
		return false
	}
	l := ls[owner.String()]
	if l == nil || len(l.held) == maxHeld {
		return false
	}
	l.held = append(l.held, held{l.begun, to.Clone(), append([]byte(nil), b...)})
	return true
}
