package account

import "meerkat/engine/jid"

// Table is a loop's accounts by bare JID.
type Table struct {
	m map[string]*Account
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{m: make(map[string]*Account)} }

// Get returns the account, or nil if it has no session.
func (t *Table) Get(bare string) *Account { return t.m[bare] }

// Len returns how many accounts there are.
func (t *Table) Len() int { return len(t.m) }

// Open returns the account of bare, made if need be.
func (t *Table) Open(bare jid.JID) *Account {
	a := t.m[bare.String()]
	if a == nil {
		a = &Account{JID: bare}
		t.m[bare.String()] = a
	}
	return a
}

// Drop forgets a if it has no session left.
func (t *Table) Drop(a *Account) {
	if len(a.Sessions) == 0 {
		delete(t.m, a.JID.String())
	}
}

// Each calls fn for every account.
func (t *Table) Each(fn func(a *Account)) {
	for _, a := range t.m {
		fn(a)
	}
}

// Add appends s to its account.
func (a *Account) Add(s *Session) {
	s.Account = a
	a.Sessions = append(a.Sessions, s)
}

// Remove takes s out of its account and reports whether it was there.
func (a *Account) Remove(s *Session) bool {
	for i, x := range a.Sessions {
		if x == s {
			a.Sessions = append(a.Sessions[:i], a.Sessions[i+1:]...)
			return true
		}
	}
	return false
}
