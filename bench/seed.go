package bench

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"meerkat/bench/load"
	"meerkat/engine/auth"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/store"
)

// seed makes accounts with their rosters in a store directory. All have one
// password and one set of keys, so that a client derives its keys once, and
// seeding a million accounts does not take hours.
func seed(dir, domain, password string, layout load.Layout, step func(n int)) (err error) {
	st, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	credentials, err := auth.Derive(password, auth.DefaultIterations)
	if err != nil {
		return err
	}
	s := seeder{accounts: auth.NewAccounts(st), credentials: &credentials, domain: domain, layout: layout}
	for first := 0; first < layout.Users; first += seedBatch {
		last := min(first+seedBatch, layout.Users)
		done := make(chan error, 1)
		st.Update(func(tx *store.Tx) error { return s.users(tx, first, last) }, func(err error) { done <- err })
		if err := <-done; err != nil {
			return fmt.Errorf("bench: seed users from %d: %w", first, err)
		}
		step(last - first)
	}
	return nil
}

const seedBatch = 1000 // users in a transaction

type seeder struct {
	accounts    *auth.Accounts
	credentials *auth.Credentials
	domain      string
	layout      load.Layout
}

func (s *seeder) users(tx *store.Tx, first, last int) error {
	for n := first; n < last; n++ {
		user, err := jid.New(load.User(n), s.domain, "")
		if err != nil {
			return err
		}
		if err := s.accounts.Create(tx, user, s.credentials); err != nil {
			return err
		}
		if s.layout.Contacts == 0 {
			continue
		}
		if err := roster.Put(tx, user.BareString(), roster.Build(1, s.contacts(n))); err != nil {
			return err
		}
	}
	return nil
}

// contacts are n's, each subscribed to the other.
func (s *seeder) contacts(n int) (list []roster.Contact) {
	s.layout.Of(n, func(c int) {
		list = append(list, roster.Contact{
			State:  roster.Listed | roster.To | roster.From,
			JID:    load.User(c) + "@" + s.domain,
			Name:   load.User(c),
			Groups: []string{"Friends"},
		})
	})
	return list
}

// seeders make accounts in the form that a server keeps or imports. Each takes
// where to, domain, password and layout, and tells of its steps.
var seeders = map[string]func(to, domain, password string, l load.Layout, step func(int)) error{
	"meerkat":  seed,
	"prosody":  seedProsody,
	"portable": seedPortable,
}

// seedCommand is `meerkat bench seed`.
func seedCommand(fs *flag.FlagSet) func(*run) error {
	to := fs.String("data", "", "data directory of a server that is stopped; for portable, the file to write")
	form := fs.String("for", "meerkat", "meerkat, prosody (files of internal_hashed), portable (XEP-0227, for ejabberd and others), or protocol (at a server that runs, by -addr; slow)")
	register := fs.Bool("register", false, "for protocol: make the accounts too (XEP-0077)")
	users := fs.Int("users", 10000, "accounts to make, u0000000 and so on")
	contacts := fs.Int("roster", 100, "contacts of each")
	return func(r *run) error {
		make, ok := seeders[*form]
		if *form == "protocol" {
			if r.server.addr+r.server.direct == "" {
				return usageError("-for protocol needs -addr or -direct")
			}
			make, ok = r.seedByProtocol(*register), true
		} else if *to == "" || !ok {
			return usageError("seed needs -data, and -for is meerkat, prosody, portable or protocol")
		}
		bar := r.progress("seeding", *users)
		defer bar.end()
		began := time.Now()
		if err := make(*to, r.client.domain, r.client.password, layoutOf(*users, *contacts), bar.add); err != nil {
			return err
		}
		r.figure("accounts", float64(*users), "")
		r.figure("time", time.Since(began).Seconds(), "s")
		return nil
	}
}

// layoutOf chooses blocks that are large against a roster and small against a
// crowd, so that there are enough of them to deal out. Contacts are mutual if
// there are as many on either side: an odd number is one more.
func layoutOf(users, contacts int) load.Layout {
	contacts += contacts % 2
	return load.Layout{Contacts: contacts, Block: max(1000, 2*contacts), Users: users}
}
