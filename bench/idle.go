package bench

import (
	"flag"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
)

// idle is the scenario of sessions that do nothing: what does each weigh?
func idle(fs *flag.FlagSet) func(*run) error {
	users := fs.Int("users", 15000, "users online")
	contacts := fs.Int("roster", 100, "contacts of each, most of them online")
	parallel := fs.Int("parallel", 64, "logins at a time")
	rest := fs.Duration("settle", 10*time.Second, "time before memory is read")
	most := fs.Float64("most", 0, "most bytes of RSS a session that pass; 0: any")
	return func(r *run) error {
		srv, err := r.meet(layoutOf(*users, *contacts), func(t *load.Target) { t.Roster, t.Presence = true, true })
		defer srv.close()
		if err != nil {
			return err
		}
		before, err := r.weigh(srv)
		if err != nil {
			return err
		}
		if err := r.allOnline(srv.fleet, *users, *parallel); err != nil {
			return err
		}
		for range int(rest.Seconds() * 10) {
			time.Sleep(100 * time.Millisecond)
		}
		after, err := r.weigh(srv)
		if err != nil {
			return err
		}
		r.weights(before, after, *users, *most)
		if err := r.reachAll(srv, *users, 0); err != nil {
			return err
		}
		return r.verdict(srv, nil)
	}
}

// weight is what was used at one time, in bytes.
type weight struct {
	server    proc.Mem
	heap      int64 // of a server in Go, what is not collected yet included; 0: not known
	kernel    int64
	generator int64
}

func (r *run) weigh(c *contender) (w weight, err error) {
	if w.generator, err = c.fleet.rss(); err != nil {
		return w, err
	}
	if c.metrics != "" {
		m, err := scrape(c.metrics)
		if err != nil {
			return w, err
		}
		w.heap = int64(m["go_memstats_heap_alloc_bytes"])
	}
	if w.kernel, err = proc.Kernel(); err != nil || c.pid == 0 {
		return w, err
	}
	w.server, err = proc.Memory(c.pid)
	return w, err
}

func (r *run) weights(a, b weight, users int, most float64) {
	each := func(bytes int64) float64 { return float64(bytes) / float64(users) }
	r.figure("sessions", float64(users), "")
	r.result.Limited("server RSS", each(b.server.RSS-a.server.RSS), "bytes/session", most)
	r.figure("of it not from files", each(b.server.Anon-a.server.Anon), "bytes/session")
	if b.heap > 0 {
		r.figure("server heap, garbage and all", each(b.heap-a.heap), "bytes/session")
	}
	r.figure("server RSS before", float64(a.server.RSS)/1e6, "MB")
	r.figure("server RSS after", float64(b.server.RSS)/1e6, "MB")
	r.figure("server RSS at most", float64(b.server.Peak)/1e6, "MB")
	r.figure("the generator's own RSS", each(b.generator-a.generator), "bytes/session")
	r.figure("the kernel's sockets, both ends", each(b.kernel-a.kernel), "bytes/session")
}

// reachAll sends each user one message or two, so that it is known that all
// that was weighed is alive. A rate of 0 takes five seconds for all.
func (r *run) reachAll(srv *contender, users int, rate float64) error {
	users -= users % 2
	if rate == 0 {
		rate = float64(users) / 5
	}
	if _, err := srv.fleet.do(load.Job{Message: &load.MessageJob{Users: users, Rate: rate, Body: 100}}); err != nil {
		return err
	}
	p := r.progress("one message each", users)
	defer p.end()
	for {
		s, err := srv.fleet.stats()
		if err != nil {
			return err
		}
		p.set(int(s.Received))
		if s.Sent >= uint64(users) {
			break
		}
		pause()
	}
	s, err := srv.fleet.drain(6 * patience)
	for before := uint64(0); err == nil && s.InFlight > 0 && s.Received > before; { // a slow server is not one that loses
		before = s.Received
		s, err = srv.fleet.drain(6 * patience)
	}
	r.result.AtLeast("messages received", float64(s.Received), "", float64(users))
	return err
}

// pause is between two looks at a crowd that is at work.
func pause() { time.Sleep(20 * time.Millisecond) }
