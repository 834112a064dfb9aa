package auth

import (
	"errors"

	"meerkat/engine/jid"
	"meerkat/engine/metric"
)

// Exchange is one negotiation of one stream. It is used by one goroutine at a
// time, and dies with the stream: nothing of it is kept anywhere else.
type Exchange struct {
	m         *Mechanisms
	offer     *offer
	mechanism mechanism
	binding   Binding
	host      string

	next  func(in []byte) (out []byte, done bool, err error)
	asked bool // the client has been asked to begin
	user  jid.JID
	scram scram
}

// Step takes what the client said, decoded, and returns what to answer: a
// challenge, or with done what goes along with success. in is nil where the
// client said nothing, that is began without an initial response, and is asked
// for one with an empty challenge (RFC 6120 §6.4.3). in is borrowed, out is the
// caller's. err is a Failure, and then the Exchange is over.
//
// Step reads the store, and if Heavy does CPU work of milliseconds.
func (x *Exchange) Step(in []byte) (out []byte, done bool, err error) {
	if in == nil && !x.asked {
		x.asked = true
		return []byte{}, false, nil
	}
	x.asked = true
	next := x.next
	x.next = over
	if out, done, err = next(in); err != nil {
		return nil, false, counted(err)
	}
	if done {
		x.scram = scram{}
		successes.Add(metric.OffLoop, x.mechanism.index(), 1)
	}
	return out, done, nil
}

// over answers whoever goes on after the end.
func over([]byte) ([]byte, bool, error) { return nil, false, errOver }

// Heavy reports that Step takes milliseconds of CPU and may not run on a loop.
// Without it a Step takes microseconds and a look into the store.
func (x *Exchange) Heavy() bool { return x.mechanism.text }

// Mechanism returns the name of the mechanism, for the log.
func (x *Exchange) Mechanism() string { return x.mechanism.name }

// User returns the bare JID of who is let in, as the backend has it, once Step
// has said done; the zero JID before, and after a failure.
func (x *Exchange) User() jid.JID { return x.user }

// first is the step a negotiation begins with.
func (x *Exchange) first() func([]byte) ([]byte, bool, error) {
	if x.mechanism.text {
		return x.plain
	}
	return x.clientFirst
}

// index is m's place among mechanisms.
func (m mechanism) index() int {
	for i := range mechanisms {
		if mechanisms[i].name == m.name {
			return i
		}
	}
	return 0
}

// claim is who a client says it is.
type claim struct {
	account Account
	known   bool   // the backend has the account
	name    string // that decoys are made of
}

// find looks up the account called name at the stream's host and checks that
// authzid, if there is one, is its bare JID (RFC 6120 §6.3.8). A name that no
// account can have is like one that none has.
func (x *Exchange) find(name, authzid []byte) (c claim, err error) {
	own, bad := jid.New(string(name), x.host, "")
	if len(authzid) > 0 {
		if as, err := jid.Parse(string(authzid)); err != nil || bad != nil || as != own {
			return c, errAuthzid
		}
	}
	if bad != nil {
		return claim{name: string(name) + "@" + x.host}, nil
	}
	c.name = own.String()
	c.account, err = x.m.backend.Lookup(own)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return c, temporary(err)
	}
	c.known = err == nil
	return c, nil
}

// admit says whether an account whose password was right may in.
func (x *Exchange) admit(a *Account) error {
	if a.Credentials.Disabled {
		return Failure{Condition: AccountDisabled, Text: "this account is disabled"}
	}
	x.user = a.JID
	return nil
}
