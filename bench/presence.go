package bench

import (
	"flag"
	"fmt"
	"time"

	"meerkat/bench/load"
)

// presence is the scenario of a change that all contacts are told. The floor
// fans out stanzas of the size that the server's have on their way out.
func presence(fs *flag.FlagSet) func(*run) error {
	var fl floorOptions
	var tm timing
	fl.flags(fs)
	tm.flags(fs)
	users := fs.Int("users", 1000, "users online")
	contacts := fs.Int("roster", 100, "contacts of each, all online")
	window := fs.Int("window", 8, "changes being told at a time")
	most := fs.Float64("most", 0, "largest ratio to the floor that passes; 0: any")
	return func(r *run) error {
		srv, flr, err := r.contenders(layoutOf(*users, *contacts), fl, fanoutFloor, func(t *load.Target) { t.Presence = true })
		if err != nil {
			return err
		}
		defer srv.close()
		defer flr.close()
		m := turns{r: r, timing: tm, unit: "stanza", units: func(s load.Stats) uint64 { return s.Told }, mostRatio: *most}
		srv.job = load.Job{Presence: &load.PresenceJob{Users: *users, Window: *window}}
		if flr != nil {
			size, err := stanzaSize(srv)
			if err != nil {
				return err
			}
			r.figure("bytes of a stanza", float64(size), "")
			flr.job = load.Job{Presence: &load.PresenceJob{Users: *users, Window: *window, Size: size}}
		}
		if err := m.take(srv, flr); err != nil {
			return err
		}
		r.result.Latency("lag", m.stats.PresenceLag)
		m.figures(srv, flr)
		return r.verdict(srv, flr)
	}
}

// stanzaSize is how long the stanzas are by which the server tells of a change.
func stanzaSize(srv *contender) (int, error) {
	s, stats, err := srv.slice(time.Second, func(s load.Stats) uint64 { return s.Told })
	if err == nil && s.Work == 0 {
		err = fmt.Errorf("bench: the server tells no contact of a change: %+v", stats)
	}
	if err != nil {
		return 0, err
	}
	return int(stats.PresenceBytes / s.Work), nil
}
