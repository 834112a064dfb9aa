package auth

import (
	"crypto/rand"
	"errors"
	"fmt"

	"meerkat/engine/jid"
	"meerkat/store"
)

var (
	credentialsDoc = store.NewDoc("credentials") // of a bare JID: a record
	secretDoc      = store.NewDoc("secrets")     // of a purpose: random bytes
)

// decoySecret has a slash in front so that no account is called like it.
const decoySecret = "/decoy"

// ErrExists says that there is an account of that name already.
var ErrExists = errors.New("auth: the account exists")

// Accounts is the Backend in our own store. Its other methods are parts of the
// caller's transactions, so that what hangs on an account comes with it.
type Accounts struct{ store *store.Store }

// NewAccounts returns the accounts in s.
func NewAccounts(s *store.Store) *Accounts { return &Accounts{s} }

// Lookup is Backend's. It takes microseconds: a read from mapped memory.
func (a *Accounts) Lookup(account jid.JID) (Account, error) {
	found := Account{JID: account.Bare()}
	err := a.store.View(func(tx *store.Tx) (err error) {
		found.Credentials, err = a.Get(tx, account)
		return err
	})
	return found, err
}

// Get returns the credentials of an account, or ErrNoAccount.
func (*Accounts) Get(tx *store.Tx, account jid.JID) (Credentials, error) {
	owner := account.BareString()
	record := credentialsDoc.Get(tx, owner)
	if record == nil {
		return Credentials{}, ErrNoAccount
	}
	c, err := DecodeCredentials(record)
	if err != nil {
		return c, fmt.Errorf("%w: of %s", err, owner)
	}
	return c, nil
}

// Exists reports whether there is such an account.
func (*Accounts) Exists(tx *store.Tx, account jid.JID) bool {
	return credentialsDoc.Get(tx, account.BareString()) != nil
}

// Create adds an account, or fails with ErrExists.
func (a *Accounts) Create(tx *store.Tx, account jid.JID, c *Credentials) error {
	if a.Exists(tx, account) {
		return fmt.Errorf("%w: %s", ErrExists, account.BareString())
	}
	return credentialsDoc.Put(tx, account.BareString(), c.AppendTo(nil))
}

// Replace gives an account other credentials and ends its tokens, or fails with
// ErrNoAccount. Who was disabled stays so.
func (a *Accounts) Replace(tx *store.Tx, account jid.JID, c *Credentials) error {
	if !a.Exists(tx, account) {
		return fmt.Errorf("%w: %s", ErrNoAccount, account.BareString())
	}
	if err := a.Revoke(tx, account); err != nil {
		return err
	}
	put := *c
	put.Disabled = put.Disabled || a.Disabled(tx, account.BareString())
	return credentialsDoc.Put(tx, account.BareString(), put.AppendTo(nil))
}

// SetDisabled has an account let nobody in, or its owner again. It fails with
// ErrNoAccount.
func (a *Accounts) SetDisabled(tx *store.Tx, account jid.JID, disabled bool) error {
	c, err := a.Get(tx, account)
	if err != nil {
		return err
	}
	c.Disabled = disabled
	return credentialsDoc.Put(tx, account.BareString(), c.AppendTo(nil))
}

// Disabled reports whether there is an account of that bare JID that lets nobody
// in.
func (*Accounts) Disabled(tx *store.Tx, bare string) bool {
	record := credentialsDoc.Get(tx, bare)
	return len(record) > 1 && record[0] == codecVersion && record[1]&flagDisabled != 0
}

// Remove removes the credentials and with them the account, if there is one.
// What else it owns goes by store.RemoveOwner.
func (a *Accounts) Remove(tx *store.Tx, account jid.JID) error {
	if err := a.Revoke(tx, account); err != nil {
		return err
	}
	return credentialsDoc.Delete(tx, account.BareString())
}

// Each calls fn for the bare JID of every account that is not before from, in
// order of bytes, until fn returns store.ErrStop or another error.
func (*Accounts) Each(tx *store.Tx, from string, fn func(bare string) error) error {
	return credentialsDoc.EachFrom(tx, from, func(owner string, _ []byte) error { return fn(owner) })
}

// LoadSecret returns the server secret that decoys are made of, and makes it the
// first time. It waits for the disk: call it once, at start.
func LoadSecret(s *store.Store) (secret []byte, err error) {
	read := func(tx *store.Tx) error {
		secret = append([]byte(nil), secretDoc.Get(tx, decoySecret)...)
		return nil
	}
	if err = s.View(read); err != nil || len(secret) >= secretSize {
		return secret, err
	}
	fresh := make([]byte, secretSize)
	rand.Read(fresh) // never fails
	ended := make(chan error, 1)
	s.Update(func(tx *store.Tx) error { return secretDoc.Put(tx, decoySecret, fresh) }, func(err error) { ended <- err })
	if err = <-ended; err != nil {
		return nil, fmt.Errorf("auth: keep the server secret: %w", err)
	}
	return fresh, nil
}
