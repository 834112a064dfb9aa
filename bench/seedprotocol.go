package bench

import (
	"fmt"
	"time"

	"meerkat/bench/load"
)

// Of a seeding by the protocol.
const (
	seedParallel = 32 // logins at a time
	seedWindow   = 4  // contacts that a user asks at a time
)

// seedByProtocol makes a seeder for a server that runs. The users of a block of
// the layout come online, ask each other, and leave. What is there already stays.
func (r *run) seedByProtocol(register bool) func(to, domain, password string, l load.Layout, step func(int)) error {
	return func(_, _, _ string, layout load.Layout, step func(int)) error {
		s, err := r.subject(layout)
		defer s.stop()
		if err != nil {
			return err
		}
		t := s.target
		t.Register, t.Roster, t.Presence = register, true, true
		for t.First = 0; t.First < layout.Users; t.First += layout.Block {
			t.Users = min(layout.Block, layout.Users-t.First)
			if err := r.seedBlock(t); err != nil {
				return err
			}
			step(t.Users)
		}
		return nil
	}
}

func (r *run) seedBlock(t load.Target) error {
	fleet, err := newFleet(t, 1)
	if err != nil {
		return err
	}
	defer fleet.close()
	login := load.Job{Login: &load.LoginJob{Users: t.Users, Parallel: min(seedParallel, t.Users)}}
	if err := r.until(fleet, login, func(s load.Stats) bool { return s.Online == t.Users }); err != nil {
		return err
	}
	own := load.Layout{Contacts: t.Layout.Contacts, Block: t.Layout.Block, Users: t.Users}
	pairs := uint64(own.Pairs(t.Users))
	friends := load.Job{Friends: &load.FriendsJob{Users: t.Users, Window: seedWindow}}
	return r.until(fleet, friends, func(s load.Stats) bool { return s.Befriended == pairs })
}

// until has a fleet do j until it is done, or something fails, or nothing comes
// any more.
func (r *run) until(f *fleet, j load.Job, done func(load.Stats) bool) error {
	s, err := f.do(j)
	for came, since := s.BytesIn, time.Now(); err == nil && !done(s); s, err = f.stats() {
		if s.BytesIn != came {
			came, since = s.BytesIn, time.Now()
		}
		if load.Sum(s.Failed)+load.Sum(s.Dropped)+load.Sum(s.Errors) > 0 || time.Since(since) > r.client.timeout {
			return fmt.Errorf("bench: %d users are online, %d pairs are contacts; failed: %v; dropped: %v; errors: %v",
				s.Online, s.Befriended, s.Failed, s.Dropped, s.Errors)
		}
		pause()
	}
	return err
}
