package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"meerkat/engine"
	"meerkat/engine/admin"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/jid"
	"meerkat/store"
)

const accountUsage = "try: meerkat account add|remove|password|revoke|disable|enable JID, meerkat account list [PREFIX], or meerkat account invite [JID|DOMAIN]"

// simple are the verbs that need nothing but the account.
var simple = map[string]struct {
	what string
	do   func(a admin.Accounts, bare string) error
}{
	"remove":  {"removed", admin.Accounts.Remove},
	"revoke":  {"has no login tokens any more", admin.Accounts.Revoke},
	"disable": {"is disabled; its owner gets in again after: meerkat account enable", admin.Accounts.Disable},
	"enable":  {"is enabled", admin.Accounts.Enable},
}

// account manages accounts: add, remove, list, password, revoke, disable, enable, invite.
func account(t terminal, args []string) error {
	var s settings
	f := s.flags("account", t)
	fromInput := f.Bool("password-stdin", false, "read the password from standard input")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return usageError(accountUsage)
	}
	verb, rest := rest[0], rest[1:]
	if wanted := map[string]int{"add": 1, "remove": 1, "password": 1, "revoke": 1, "disable": 1, "enable": 1, "list": len(rest), "invite": len(rest)}; wanted[verb] != len(rest) || len(rest) > 1 {
		return usageError(accountUsage)
	}
	cfg, path, err := s.load()
	if err != nil {
		return err
	}
	if verb != "add" {
		if err := mustExist(cfg.Data); err != nil {
			return err
		}
	}
	if verb == "list" {
		return withAccounts(cfg, func(a admin.Accounts) error { return list(t, a, strings.Join(rest, "")) })
	}
	if verb == "invite" {
		return withAccounts(cfg, func(a admin.Accounts) error { return inviteTo(t, a, strings.Join(rest, "")) })
	}
	bare, err := accountName(rest[0], cfg, path)
	if err != nil {
		return err
	}
	if does, ok := simple[verb]; ok {
		return withAccounts(cfg, func(a admin.Accounts) error { return done(t, bare, does.what, does.do(a, bare)) })
	}
	password, shown, err := newPassword(t, *fromInput, bare)
	if err != nil {
		return err
	}
	return withAccounts(cfg, func(a admin.Accounts) error {
		what, set := "added", a.Add
		if verb == "password" {
			what, set = "has a new password", a.SetPassword
		}
		if err := done(t, bare, what, set(bare, password)); err != nil || !shown {
			return err
		}
		_, err := fmt.Fprintf(t.out, "password: %s\n", password)
		return err
	})
}

// withAccounts runs fn on the accounts of the running server, or on the store
// if there is none.
func withAccounts(cfg *config.Config, fn func(admin.Accounts) error) error {
	return withServer(cfg, func(c *admin.Client) error { return fn(c) },
		func(s *store.Store) error { return fn(engine.OpenAccounts(s, cfg)) })
}

// withServer runs ask with the running server, or, if there is none, alone with
// its store.
func withServer(cfg *config.Config, ask func(*admin.Client) error, alone func(*store.Store) error) (err error) {
	client, err := admin.Dial(cfg.Data)
	if err == nil {
		defer client.Close()
		return ask(client)
	}
	if !errors.Is(err, admin.ErrStopped) {
		return err
	}
	s, err := store.Open(store.Options{Dir: cfg.Data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return alone(s)
}

// mustExist keeps a slip in a path from making an empty store there.
func mustExist(data string) error {
	if _, err := os.Stat(data); err != nil {
		return fmt.Errorf("no accounts: %w; name the directory with -data", err)
	}
	return nil
}

// accountName is the bare address that a person typed, of a domain of ours.
func accountName(typed string, cfg *config.Config, path string) (string, error) {
	j, err := jid.Parse(typed)
	if err != nil || !j.HasLocal() || !j.IsBare() {
		return "", usageError(fmt.Sprintf("%q is no account's address: want name@%s", typed, cfg.Domains[0]))
	}
	for _, d := range cfg.Domains {
		if d == j.Domain() {
			return j.String(), nil
		}
	}
	if path == "" {
		path = "without a configuration"
	}
	return "", usageError(fmt.Sprintf("%s is not served here: domains has %s (%s)", j.Domain(), strings.Join(cfg.Domains, ", "), path))
}

// done tells what was done to an account, unless it failed.
func done(t terminal, bare, what string, err error) error {
	switch {
	case errors.Is(err, auth.ErrExists):
		return fmt.Errorf("%s exists already; a new password: meerkat account password %s", bare, bare)
	case errors.Is(err, auth.ErrNoAccount):
		return fmt.Errorf("there is no account %s; to make it: meerkat account add %s", bare, bare)
	case err != nil:
		return fmt.Errorf("%s: %w", bare, err)
	}
	_, err = fmt.Fprintf(t.out, "%s %s\n", bare, what)
	return err
}

// inviteTo prints what somebody who is to have an account needs.
func inviteTo(t terminal, a admin.Accounts, address string) error {
	l, err := a.Invite(address)
	switch {
	case errors.Is(err, auth.ErrExists):
		return fmt.Errorf("%s exists already; a new password: meerkat account password %s", address, address)
	case err != nil:
		return err
	}
	link := l.URI
	if l.Landing != "" {
		link = l.Landing
	}
	_, err = fmt.Fprintf(t.out, "%s\ngood once, until %s\n", link, l.Expires.Local().Format("2006-01-02 15:04"))
	return err
}

// list prints all accounts that begin with prefix, one a line.
func list(t terminal, a admin.Accounts, prefix string) error {
	w := bufio.NewWriter(t.out)
	for after := ""; ; {
		page, err := a.List(prefix, after, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return w.Flush()
		}
		for _, bare := range page {
			fmt.Fprintln(w, bare)
		}
		after = page[len(page)-1]
	}
}

// checkPassword refuses what the server would, before anything is opened.
func checkPassword(p string) error {
	if p == "" || len(p) > auth.MaxPassword {
		return auth.ErrPassword
	}
	return nil
}
