package bench

import (
	"flag"
	"fmt"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
	"meerkat/bench/report"
)

// shape is a load test of the talk "MongooseIM - Messaging that Scales" (2013):
// users arrive at a rate until all are online, then they do something.
type shape struct {
	name, help string
	users      int
	arrival    float64 // logins a second
	roster     int
	messages   float64 // a second, in all
	changes    float64 // of presence a second, in all
	hold       time.Duration
	until      time.Duration // arrivals end then; 0: when all are there
	parallel   int           // logins in flight at most
	reach      float64       // messages a second by which each user is reached at the end
}

// talks are its tests T1 to T5, with the numbers of its slides.
func talks() []scenario {
	shapes := []shape{
		{"max-users", "T1: 400,000 users arrive, 150 a second, and do nothing", 400_000, 150, 100, 0, 0, time.Minute, 0, 2000, 0},
		{"max-rate", "T2: 75,000 users arrive, 100 a second, and send 21,000 messages a second", 75_000, 100, 100, 21_000, 0, 10 * time.Minute, 0, 2000, 0},
		{"t3", "T3: 50,000 users arrive, 130 a second, and change presence 120 times a second", 50_000, 130, 100, 0, 120, 1046 * time.Second, 0, 2000, 0},
		{"t4", "T4: as t3 with 330,000 users", 330_000, 130, 100, 0, 120, 1489 * time.Second, 0, 2000, 0},
		{"storm", "T5: 380,000 users arrive, 2,000 a second, and send 8,000 messages a second", 380_000, 2000, 100, 8000, 0, 5 * time.Minute, 0, 2000, 0},
	}
	var list []scenario
	for _, s := range shapes {
		list = append(list, scenario{s.name, s.help, s.setup})
	}
	return list
}

func (s shape) setup(fs *flag.FlagSet) func(*run) error {
	scale := fs.Float64("scale", 0.04, "share of the users and of the traffic; arrivals stay as they are")
	users := fs.Int("users", 0, "users, instead of by scale; the traffic follows")
	fs.Float64Var(&s.arrival, "arrival", s.arrival, "logins a second")
	fs.IntVar(&s.roster, "roster", s.roster, "contacts of each")
	fs.DurationVar(&s.hold, "hold", s.hold, "how long all stay when they are online")
	fs.IntVar(&s.parallel, "parallel", s.parallel, "logins in flight at most")
	fs.DurationVar(&s.until, "until", 0, "arrivals end after this time, and those who are online go on; 0: when all are")
	fs.Float64Var(&s.reach, "reach", 0, "messages a second by which each user is sent one at the end, where users do nothing else; 0: all in five seconds")
	fs.Float64Var(&s.messages, "messages", s.messages, "messages a second, of all users of the talk")
	fs.Float64Var(&s.changes, "changes", s.changes, "presence changes a second, of all users of the talk")
	return func(r *run) error {
		share := *scale
		if *users > 0 {
			share = float64(*users) / float64(s.users)
		}
		s.users = max(2, int(float64(s.users)*share)) &^ 1
		s.messages *= share
		s.changes *= share
		return s.play(r)
	}
}

// play runs the test.
func (s shape) play(r *run) error {
	srv, err := r.meet(layoutOf(s.users, s.roster), func(t *load.Target) { t.Roster, t.Presence = true, true })
	defer srv.close()
	if err != nil {
		return err
	}
	w, err := r.watch(srv)
	if err != nil {
		return err
	}
	began := time.Now()
	st, err := r.online(srv.fleet, s.users, s.parallel, s.arrival, s.until)
	if err != nil {
		return err
	}
	ramp := time.Since(began)
	wanted := s.users
	s.users = st.Online &^ 1
	after, err := r.weigh(srv)
	if err != nil {
		return err
	}
	r.result.AtLeast("users online", float64(st.Online), "", float64(wanted))
	r.figure("arrival, wanted", s.arrival, "logins/s")
	r.figure("arrival, reached", float64(st.Online)/ramp.Seconds(), "logins/s")
	r.result.Latency("time of a login", st.LoginTime)
	r.weights(w.start, after, s.users, 0)
	waits, err := r.waits(srv)
	if err != nil {
		return err
	}
	err = s.traffic(r, srv)
	if err == nil && s.messages == 0 && s.changes == 0 {
		err = r.reachAll(srv, s.users, s.reach)
	}
	if err == nil {
		err = waits()
	}
	if e := w.end(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return r.verdict(srv, nil)
}

// traffic is what the users do when all are online.
func (s shape) traffic(r *run, srv *contender) error {
	p := r.progress("all online", int(s.hold.Seconds()))
	defer p.end()
	job := load.Job{}
	if s.messages > 0 {
		job.Message = &load.MessageJob{Users: s.users, Rate: s.messages, Body: 50}
	}
	if s.changes > 0 {
		job.Presence = &load.PresenceJob{Users: s.users, Rate: s.changes}
	}
	a, err := srv.look()
	if err != nil {
		return err
	}
	if _, err := srv.fleet.do(job); err != nil {
		return err
	}
	for end := time.Now().Add(s.hold); time.Now().Before(end); p.add(1) {
		time.Sleep(min(time.Second, time.Until(end)))
	}
	b, err := srv.look()
	if err != nil {
		return err
	}
	if _, err = srv.fleet.drain(patience); err != nil {
		return err
	}
	s.outcome(r, a, b)
	return nil
}

// outcome notes what the traffic came to: at least 98 % of what was wanted.
func (s shape) outcome(r *run, a, b sight) {
	st, secs := b.stats.Since(a.stats), b.at.Sub(a.at).Seconds()
	r.figure("CPU of the server while all are online", (b.cpu-a.cpu).Seconds()/secs*100, "% of one core")
	if s.messages > 0 {
		r.result.AtLeast("messages", float64(st.Received)/secs, "messages/s", 0.98*s.messages)
		r.result.Latency("latency", st.Latency)
	}
	if s.changes > 0 {
		r.result.AtLeast("presence changes", float64(st.Changes)/secs, "changes/s", 0.98*s.changes)
		r.figure("presence stanzas", float64(st.Told)/secs, "stanzas/s")
		r.result.Latency("lag", st.PresenceLag)
	}
}

// watch takes the charts' samples once a second: those of the talk's slides,
// CPU and free memory, and what the server and its crowd were doing.
type watch struct {
	r     *run
	srv   *contender
	start weight
	quit  chan struct{}
	done  chan error
}

func (r *run) watch(srv *contender) (*watch, error) {
	start, err := r.weigh(srv)
	w := &watch{r: r, srv: srv, start: start, quit: make(chan struct{}), done: make(chan error, 1)}
	if err == nil {
		go func() { w.done <- w.sample() }()
	}
	return w, err
}

// end stops the samples and says what went wrong with them.
func (w *watch) end() error {
	close(w.quit)
	return <-w.done
}

func (w *watch) sample() error {
	var cpu, server, free, rss report.Series
	cpu.Name, cpu.Unit = "CPU of the machine", "%"
	server.Name, server.Unit = "CPU of the server", "% of the machine"
	free.Name, free.Unit = "Free memory", "GB"
	rss.Name, rss.Unit = "Memory of the server", "GB"
	defer func() { w.r.result.Series = append(w.r.result.Series, cpu, server, free, rss) }()
	began := time.Now()
	last, err := w.read()
	for tick := time.NewTicker(time.Second); err == nil; {
		select {
		case <-w.quit:
			tick.Stop()
			return nil
		case <-tick.C:
		}
		var now sample
		if now, err = w.read(); err != nil {
			break
		}
		at := time.Since(began).Seconds()
		all := (now.all - last.all).Seconds()
		if all <= 0 { // a machine so busy that its own count stood still
			continue
		}
		cpu.Add(at, 100*(now.used-last.used).Seconds()/all)
		server.Add(at, 100*(now.server-last.server).Seconds()/all)
		free.Add(at, float64(now.free)/1e9)
		rss.Add(at, float64(now.rss)/1e9)
		last = now
	}
	return fmt.Errorf("bench: samples: %w", err)
}

type sample struct {
	used, all, server time.Duration
	free, rss         int64
}

func (w *watch) read() (s sample, err error) {
	if s.used, s.all, err = proc.Busy(); err != nil {
		return s, err
	}
	if s.free, err = proc.Free(); err != nil || w.srv.pid == 0 {
		return s, err
	}
	if s.server, err = proc.CPU(w.srv.pid); err != nil {
		return s, err
	}
	m, err := proc.Memory(w.srv.pid)
	s.rss = m.RSS
	return s, err
}
