package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"meerkat/store"
)

// phone is one client of juliet's that has tokens.
type phone struct {
	t     *testing.T
	v     *server
	all   *Tokens
	agent string
}

var day = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const none = "HT-SHA-256-NONE"

func newPhone(t *testing.T) *phone {
	v := newServer(t)
	c, _ := Derive("secret", MinIterations)
	if err := updateErr(v.store, func(tx *store.Tx) error { return v.accounts.Create(tx, address("juliet"), &c) }); err != nil {
		t.Fatal(err)
	}
	return &phone{t, v, NewTokens(v.accounts, []byte("secret"), 14*24*time.Hour), "phone"}
}

func (p *phone) login(token string) (*TokenLogin, error) {
	in := append([]byte("juliet\x00"), proof(token, "Initiator", nil)...)
	return p.all.Login(none, Binding{TLS: true}, address("juliet").Domain(), p.agent, in, day)
}

// next carries out what becomes of the tokens, and returns the new one.
func (p *phone) next(by *TokenLogin, want string, forget bool, now time.Time) (string, error) {
	n := p.all.Next(address("juliet"), p.agent, by, want, forget, Binding{TLS: true}, now)
	if n.Update == nil {
		return n.Token, nil
	}
	return n.Token, updateErr(p.v.store, n.Update)
}

func (p *phone) issue(now time.Time) string {
	p.t.Helper()
	token, err := p.next(nil, none, false, now)
	if err != nil || token == "" {
		p.t.Fatalf("no token: %v", err)
	}
	return token
}

// What is revoked between the proof and what comes of it does not come back.
func TestRevokedTokenStaysRevoked(t *testing.T) {
	p := newPhone(t)
	token := p.issue(day)
	by, err := p.login(token)
	if err != nil {
		t.Fatal(err)
	}
	if err := updateErr(p.v.store, func(tx *store.Tx) error { return p.v.accounts.Revoke(tx, address("juliet")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.next(by, none, false, day); !errors.Is(err, errRevoked) {
		t.Errorf("a token is issued for a revoked one: %v", err)
	}
	if _, err := p.login(token); !refusedWith(err, NotAuthorized) {
		t.Errorf("the revoked token: %v", err)
	}
}

// Two logins by one new token, before the first one has said so, are both good.
func TestTokenUsedTwiceAtOnce(t *testing.T) {
	p := newPhone(t)
	token := p.issue(day)
	one, _ := p.login(token)
	two, _ := p.login(token)
	for _, by := range []*TokenLogin{one, two} {
		if _, err := p.next(by, "", false, day); err != nil {
			t.Errorf("next: %v", err)
		}
	}
	if _, err := p.login(token); err != nil {
		t.Errorf("the token after that: %v", err)
	}
}

// §3.6: a client that logs out has no token left, nor one that it never got.
func TestForgottenTokens(t *testing.T) {
	p := newPhone(t)
	token := p.issue(day)
	by, _ := p.login(token)
	lost, err := p.next(by, none, false, day)
	if err != nil {
		t.Fatal(err)
	}
	if by, err = p.login(token); err != nil {
		t.Fatal(err)
	}
	if got, err := p.next(by, "", true, day.Add(10*24*time.Hour)); err != nil || got != "" {
		t.Errorf("logged out with the token %q, %v", got, err)
	}
	for _, old := range []string{token, lost} {
		if _, err := p.login(old); !refusedWith(err, NotAuthorized) {
			t.Errorf("a token after the client has logged out: %v", err)
		}
	}
}

// Whether an account is disabled is said only to who has its token.
func TestDisabledIsForTheOwner(t *testing.T) {
	p := newPhone(t)
	token := p.issue(day)
	if err := updateErr(p.v.store, func(tx *store.Tx) error { return p.v.accounts.SetDisabled(tx, address("juliet"), true) }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.login("wrong"); !refusedWith(err, NotAuthorized) {
		t.Errorf("a wrong token: %v", err)
	}
	if _, err := p.login(token); !refusedWith(err, AccountDisabled) {
		t.Errorf("the right token: %v", err)
	}
}

// An account has so many tokens; those that end first make room.
func TestTokensAreBounded(t *testing.T) {
	p := newPhone(t)
	var first string
	for i := range maxTokens + 5 {
		p.agent = fmt.Sprint(i)
		token := p.issue(day.Add(time.Duration(i) * time.Second))
		if i == 0 {
			first = token
		}
	}
	n := 0
	_ = p.v.store.View(func(tx *store.Tx) error { n = tokens.Len(tx, address("juliet").String()); return nil })
	if n != maxTokens {
		t.Errorf("%d tokens are kept, want %d", n, maxTokens)
	}
	if p.agent = "0"; first != "" {
		if _, err := p.login(first); !refusedWith(err, NotAuthorized) {
			t.Errorf("the first token: %v", err)
		}
	}
	for range 3 { // a client's own token makes room for its next one
		p.agent = "50"
		p.issue(day)
	}
	_ = p.v.store.View(func(tx *store.Tx) error { n = tokens.Len(tx, address("juliet").String()); return nil })
	if n != maxTokens {
		t.Errorf("%d tokens are kept after renewals, want %d", n, maxTokens)
	}
}

func refusedWith(err error, c Condition) bool {
	var f Failure
	return errors.As(err, &f) && f.Condition == c
}
