package engine

import (
	"fmt"
	"strings"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/jid"
	"meerkat/engine/route"
	"meerkat/store"
)

// Accounts is what an operator does to accounts, on a running server or on a
// store that nobody serves. Its methods wait for the disk and may be called
// from any goroutine but a loop's.
type Accounts struct {
	store      *store.Store
	users      *auth.Accounts
	domains    []string
	iterations int
	config     *config.Config
	server     *Server // nil: nobody serves
}

// OpenAccounts returns the accounts in a store that nobody serves.
func OpenAccounts(st *store.Store, cfg *config.Config) *Accounts {
	return &Accounts{store: st, users: auth.NewAccounts(st), domains: cfg.Domains, iterations: cfg.Limits.ScramIterations, config: cfg}
}

// Accounts returns the accounts of a running server.
func (s *Server) Accounts() *Accounts {
	a := OpenAccounts(s.opt.Store, s.config)
	a.server = s
	return a
}

// Add makes an account. The error is auth.ErrExists if there is one,
// auth.ErrPassword if password cannot be one.
func (a *Accounts) Add(address, password string) error {
	j, creds, err := a.prepare(address, password)
	if err != nil {
		return err
	}
	return a.update(func(tx *store.Tx) error { return a.users.Create(tx, j, &creds) })
}

// SetPassword gives an account another password and ends its sessions. The
// error is auth.ErrNoAccount if there is none.
func (a *Accounts) SetPassword(address, password string) error {
	j, creds, err := a.prepare(address, password)
	if err != nil {
		return err
	}
	if err := a.update(func(tx *store.Tx) error { return a.users.Replace(tx, j, &creds) }); err != nil {
		return err
	}
	a.onLoop(j, func(r *route.Router) { r.KickAll(j, "the password has been changed") })
	return nil
}

// Remove removes an account with all it owns. The error is auth.ErrNoAccount if
// there is none.
func (a *Accounts) Remove(address string) error {
	j, err := a.parse(address)
	if err != nil {
		return err
	}
	exists := false
	if err := a.store.View(func(tx *store.Tx) error { exists = a.users.Exists(tx, j); return nil }); err != nil {
		return err
	}
	if !exists {
		return auth.ErrNoAccount
	}
	if a.server == nil {
		return a.update(func(tx *store.Tx) error { return a.removeUnserved(tx, j) })
	}
	done := make(chan error, 1)
	a.onLoop(j, func(r *route.Router) { r.Remove(j, func(err error) { done <- err }) })
	return <-done
}

// Revoke ends the tokens that clients of an account log in by (XEP-0484), but no
// session. The error is auth.ErrNoAccount if there is none.
func (a *Accounts) Revoke(address string) error {
	j, err := a.parse(address)
	if err != nil {
		return err
	}
	return a.update(func(tx *store.Tx) error {
		if !a.users.Exists(tx, j) {
			return auth.ErrNoAccount
		}
		return a.users.Revoke(tx, j)
	})
}

// Disable has an account let nobody in, and ends its sessions; Enable lets its owner
// in again. The error is auth.ErrNoAccount if there is none.
func (a *Accounts) Disable(address string) error {
	j, err := a.setDisabled(address, true)
	if err == nil {
		a.onLoop(j, func(r *route.Router) { r.KickAll(j, "the account has been disabled") })
	}
	return err
}

// Enable is the contrary of Disable.
func (a *Accounts) Enable(address string) error {
	_, err := a.setDisabled(address, false)
	return err
}

func (a *Accounts) setDisabled(address string, disabled bool) (jid.JID, error) {
	j, err := a.parse(address)
	if err != nil {
		return j, err
	}
	return j, a.update(func(tx *store.Tx) error { return a.users.SetDisabled(tx, j, disabled) })
}

// List returns up to n accounts that begin with prefix, in order, those after
// after only.
func (a *Accounts) List(prefix, after string, n int) (list []string, err error) {
	from := max(prefix, after)
	err = a.store.View(func(tx *store.Tx) error {
		return a.users.Each(tx, from, func(bare string) error {
			if bare == after {
				return nil
			}
			if len(list) == n || !strings.HasPrefix(bare, prefix) {
				return store.ErrStop
			}
			list = append(list, bare)
			return nil
		})
	})
	return list, err
}

func (a *Accounts) parse(address string) (jid.JID, error) {
	j, err := jid.Parse(address)
	if err != nil {
		return jid.JID{}, fmt.Errorf("%q is no address: %w", address, err)
	}
	if !j.HasLocal() || j.IsFull() {
		return jid.JID{}, fmt.Errorf("%q is no account: want name@domain", address)
	}
	return j, nil
}

func (a *Accounts) prepare(address, password string) (j jid.JID, c auth.Credentials, err error) {
	if j, err = a.parse(address); err != nil {
		return j, c, err
	}
	if !a.serves(j.Domain()) {
		return j, c, fmt.Errorf("%s is not served here: domains is %s", j.Domain(), strings.Join(a.domains, ", "))
	}
	c, err = auth.Derive(password, a.iterations)
	return j, c, err
}

func (a *Accounts) serves(domain string) bool {
	for _, d := range a.domains {
		if h, err := jid.Domain(d); err == nil && h.String() == domain {
			return true
		}
	}
	return false
}

func (a *Accounts) update(fn func(tx *store.Tx) error) error {
	done := make(chan error, 1)
	a.store.Update(fn, func(err error) { done <- err })
	return <-done
}

// onLoop runs fn where the account's sessions are, if anybody serves them.
func (a *Accounts) onLoop(j jid.JID, fn func(r *route.Router)) {
	if a.server == nil {
		return
	}
	r := a.server.routers[a.server.group.For(j.BareString()).Index]
	r.Env().Loop.Post(func() { r.Run(func() { fn(r) }) })
}
