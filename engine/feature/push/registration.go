package push

import (
	"bytes"
	"crypto/sha256"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/store"
)

// docs has each account's registrations: by app server and node, hashed.
var docs = store.NewMap("push")

// registration is one client's wish to be woken.
type registration struct {
	server   jid.JID
	node     string // "" if the client gave none
	resource string // of the session that made it
	options  []byte // the form of publish-options, for the namespace of pubsub; or nil
}

// registrations are those of an account, as far as they are in memory.
type registrations struct{ list []registration }

// none is what accounts without registrations share.
var none registrations

// key tells the registrations of an account apart (§5: by address and node).
func (r *registration) key() string {
	h := sha256.Sum256([]byte(r.server.String() + "\x00" + r.node))
	return string(h[:16])
}

// version is the first byte of a stored registration.
const version = 1

func (r *registration) encode() []byte {
	b := []byte{version}
	for _, part := range []string{r.server.String(), r.node, r.resource, string(r.options)} {
		b = store.AppendField(b, part)
	}
	return b
}

// decode reads what encode wrote. What it returns is its own.
func decode(v []byte) (r registration, ok bool) {
	if len(v) == 0 || v[0] != version {
		return r, false
	}
	f := store.Fields{Rest: v[1:]}
	server, err := jid.Parse(f.Text())
	r = registration{server: server, node: f.Text(), resource: f.Text()}
	if options := f.Bytes(); len(options) > 0 {
		r.options = bytes.Clone(options)
	}
	if err != nil || f.Bad || len(f.Rest) > 0 {
		return registration{}, false
	}
	return r, true
}

// load reads the registrations of an account. Damaged ones are passed over.
func load(tx *store.Tx, owner string) (list []registration) {
	_ = docs.Each(tx, owner, func(_ string, v []byte) error {
		if r, ok := decode(v); ok {
			list = append(list, r)
		}
		return nil
	})
	return list
}

// of returns the registrations of an account, from memory if it is here: a.
func (f *Feature) of(e *feature.Env, a *account.Account, owner string) []registration {
	if a != nil {
		if k := f.known.Of(a.Slots); k != nil {
			return k.list
		}
	}
	var list []registration
	e.View(func(tx *store.Tx) { list = load(tx, owner) })
	if a != nil {
		k := &none
		if len(list) > 0 {
			k = &registrations{list}
		}
		f.known.Put(&a.Slots, k)
	}
	return list
}
