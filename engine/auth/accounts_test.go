package auth

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"meerkat/store"
)

func TestAccountsCreateReplaceRemove(t *testing.T) {
	v := newServer(t)
	juliet := address("juliet")
	first, _ := Derive("one", MinIterations)
	second, _ := Derive("two", MinIterations)
	check := func(what string, want error, fn func(tx *store.Tx) error) {
		t.Helper()
		if err := updateErr(v.store, fn); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	check("replace before create", ErrNoAccount, func(tx *store.Tx) error { return v.accounts.Replace(tx, juliet, &first) })
	check("create", nil, func(tx *store.Tx) error { return v.accounts.Create(tx, juliet, &first) })
	check("create twice", ErrExists, func(tx *store.Tx) error { return v.accounts.Create(tx, juliet, &second) })
	if _, err := plainLogin(t, v, "\x00juliet\x00one"); err != nil {
		t.Errorf("login after create: %v", err)
	}
	check("replace", nil, func(tx *store.Tx) error { return v.accounts.Replace(tx, juliet, &second) })
	if _, err := plainLogin(t, v, "\x00juliet\x00two"); err != nil {
		t.Errorf("login after replace: %v", err)
	}
	check("remove", nil, func(tx *store.Tx) error { return v.accounts.Remove(tx, juliet) })
	if _, err := v.accounts.Lookup(juliet); !errors.Is(err, ErrNoAccount) {
		t.Errorf("lookup after remove: %v, want ErrNoAccount", err)
	}
}

func TestLookupIsByBareJID(t *testing.T) {
	v := newServer(t)
	full, err := address("romeo").WithResource("desk")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := v.accounts.Lookup(full); err != nil || a.JID != address("romeo") || a.Credentials.empty() {
		t.Errorf("Lookup(%s) = %s, %v", full, a.JID, err)
	}
}

func TestDamagedRecordIsATemporaryFailureThatNamesTheAccount(t *testing.T) {
	v := newServer(t)
	v.update(t, func(tx *store.Tx) error { return credentialsDoc.Put(tx, "tybalt@example.org", []byte{9}) })
	_, err := plainLogin(t, v, "\x00tybalt\x00pencil")
	wantCondition(t, "a damaged record", err, TemporaryAuthFailure)
	if !errors.Is(err, ErrRecord) || !bytes.Contains([]byte(err.Error()), []byte("tybalt@example.org")) {
		t.Errorf("the log hears %v", err)
	}
}

func TestEachGoesByPages(t *testing.T) {
	v := newServer(t)
	var all, rest []string
	err := v.store.View(func(tx *store.Tx) error {
		return errors.Join(
			v.accounts.Each(tx, "", func(bare string) error { all = append(all, bare); return nil }),
			v.accounts.Each(tx, "paris", func(bare string) error { rest = append(rest, bare); return store.ErrStop }))
	})
	want := []string{"ghost@example.org", "nurse@example.org", "paris@example.org", "romeo@example.org"}
	if err != nil || !slices.Equal(all, want) || !slices.Equal(rest, want[2:3]) {
		t.Errorf("%q, then %q, %v; want %q", all, rest, err, want)
	}
}

func TestSecretIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	var secrets [][]byte
	for range 2 {
		s, err := store.Open(store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		secret, err := LoadSecret(s)
		if err != nil || len(secret) < secretSize {
			t.Fatalf("secret of %d octets, %v", len(secret), err)
		}
		secrets = append(secrets, secret)
		s.Close()
		if _, err := LoadSecret(s); err == nil {
			t.Error("a closed store has a secret")
		}
	}
	if !bytes.Equal(secrets[0], secrets[1]) {
		t.Error("the secret changed when the store was opened again")
	}
}
