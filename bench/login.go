package bench

import (
	"flag"
	"fmt"

	"meerkat/bench/load"
)

// login is the scenario of clients that log in up to the bound resource, and
// out again. Only the server's CPU counts; clients remember their keys.
func login(fs *flag.FlagSet) func(*run) error {
	var tm timing
	tm.flags(fs)
	users := fs.Int("users", 1000, "accounts that take turns")
	contacts := fs.Int("roster", 0, "contacts of each")
	full := fs.Bool("full", false, "ask for the roster and send presence too")
	parallel := fs.Int("parallel", 16, "logins at a time")
	most := fs.Float64("most", 0, "most CPU microseconds of a login that pass; 0: any")
	return func(r *run) error {
		srv, err := r.meet(layoutOf(*users, *contacts), func(t *load.Target) { t.Roster, t.Presence = *full, *full })
		defer srv.close()
		if err != nil {
			return err
		}
		// Each account logs in once before it counts.
		if err := r.warmUp(srv, *users, *parallel); err != nil {
			return err
		}
		srv.job = load.Job{Login: &load.LoginJob{Users: *users, Parallel: *parallel, Churn: true}}
		m := turns{r: r, timing: tm, unit: "login", units: func(s load.Stats) uint64 { return s.Logins }, mostCPU: *most}
		if err := m.take(srv, nil); err != nil {
			return err
		}
		r.result.Latency("time of a login", m.stats.LoginTime)
		m.figures(srv, nil)
		return r.verdict(srv, nil)
	}
}

// warmUp has every account log in and out once.
func (r *run) warmUp(srv *contender, users, parallel int) error {
	p := r.progress("first logins", users)
	defer p.end()
	job := load.Job{Login: &load.LoginJob{Users: users, Parallel: parallel, Churn: true}}
	for s, err := srv.fleet.do(job); ; s, err = srv.fleet.stats() {
		p.set(int(s.Logins))
		switch {
		case err != nil:
			return err
		case load.Sum(s.Failed) > 0:
			return fmt.Errorf("bench: logins fail: %v", s.Failed)
		case int(s.Logins) >= users:
			_, err := srv.fleet.drain(patience)
			return err
		}
		pause()
	}
}
