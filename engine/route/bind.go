package route

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
)

// namer makes session ids: start time of the process in seconds (32 bits), loop
// (8), account.Thawed (1), count from anywhere (23), so that no account has one
// twice in the life of a store, however soon a process follows another.
type namer struct{ next uint64 }

func newNamer(loop int) namer {
	var from [4]byte
	rand.Read(from[1:]) // never fails
	return namer{uint64(time.Now().Unix())<<32 | uint64(loop&0xff)<<24 | uint64(binary.BigEndian.Uint32(from[:]))}
}

func (n *namer) id() uint64 {
	if n.next++; n.next&account.Thawed != 0 {
		n.next += account.Thawed // goes on in the bits before
	}
	return n.next
}

// Bind makes user's resource a connected one (RFC 6120 §7.6, §7.7), on the loop
// of user. An empty resource is made by the server. An older session with the
// same name is ended with the stream error conflict: who logs in again from a
// device that lost its network must win.
//
// It returns BadRequest for a name that cannot be one, ResourceConstraint if
// the account has as many sessions as the limit allows.
func (r *Router) Bind(user jid.JID, resource string, sink account.Sink) (*account.Session, stanza.Condition) {
	if resource == "" {
		resource = randomResource()
	}
	full, err := user.WithResource(resource)
	if err != nil || full.IsBare() {
		return nil, stanza.BadRequest
	}
	r.enter()
	defer r.leave()
	if a := r.env.Accounts.Get(user.String()); a != nil {
		if old := a.Find(full.Resource()); old != nil {
			r.replace(old)
		}
		if limit := r.env.Config.Limits.SessionsPerUser; limit > 0 && len(a.Sessions) >= limit {
			r.env.Accounts.Drop(a)
			return nil, stanza.ResourceConstraint
		}
	}
	a := r.env.Accounts.Open(full.Bare()) // one string for both
	s := &account.Session{JID: full, Sink: sink, ID: r.names.id()}
	a.Add(s)
	sessions.Add(r.env.Shard(), 1)
	r.hooks(r.Bound, s)
	return s, stanza.OK
}

func randomResource() string {
	var b [9]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (r *Router) replace(old *account.Session) {
	r.Unbind(old)
	old.Sink.Kick("conflict", "another session has taken this resource")
}

// Unbind ends s: its stream is closed or closing. A second call does nothing.
func (r *Router) Unbind(s *account.Session) {
	a := s.Account
	if !a.Remove(s) {
		return
	}
	r.Run(func() {
		sessions.Add(r.env.Shard(), -1)
		r.hooks(r.Unbound, s)
	})
	r.env.Accounts.Drop(a)
}

func (r *Router) hooks(fns []func(*feature.Ctx), s *account.Session) {
	for _, fn := range fns {
		fn(&feature.Ctx{Env: &r.env, Owner: s.Account.JID, Account: s.Account, Session: s})
	}
}
