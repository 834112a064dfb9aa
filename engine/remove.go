package engine

import (
	"errors"

	"meerkat/engine/feature/muc"
	"meerkat/engine/jid"
	"meerkat/engine/pubsub"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// removeUnserved removes an account from a store that nobody serves, and what others
// have of it: who gets the name next must not see, hear or own anything by that. What
// a running server does is in route.Router.Remove and the features' Removed.
func (a *Accounts) removeUnserved(tx *store.Tx, account jid.JID) error {
	bare := account.String()
	for _, forget := range []func(tx *store.Tx, account string) error{a.partFromContacts, pubsub.Forget, muc.Forget, a.store.RemoveOwner} {
		if err := forget(tx, bare); err != nil {
			return err
		}
	}
	return nil
}

// partFromContacts ends what contacts here have with the account (RFC 6121 §3.2, §3.3).
func (a *Accounts) partFromContacts(tx *store.Tx, account string) (err error) {
	var contacts []roster.Contact
	for it := range roster.Load(tx, account).All() {
		contacts = append(contacts, it.Clone())
	}
	for _, c := range contacts {
		j, e := jid.Parse(c.JID)
		if e != nil || !a.users.Exists(tx, j) {
			continue
		}
		for _, t := range []stanza.Type{stanza.Unsubscribe, stanza.Unsubscribed} {
			_, e := roster.Inbound(tx, c.JID, account, t, nil)
			err = errors.Join(err, e)
		}
	}
	return err
}
