package bench

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"meerkat/bench/floor"
	"meerkat/bench/load"
	"meerkat/bench/proc"
	"meerkat/bench/report"
)

// contender is a crowd and the process that it works: the server, or the floor.
type contender struct {
	name  string
	fleet *fleet
	pid   int // 0: not known
	job   load.Job
	stop  func()

	metrics string // host:port; "": not known
	data    string // directory of a server that the bench has started; "": another one

	target load.Target // how it is met
	tcp    string      // where it is met without a WebSocket
}

// settle is how long a new load runs before it is measured.
const settle = 300 * time.Millisecond

// patience is how long it is waited for the next of what is in flight, at the
// end of a load.
const patience = 10 * time.Second

// slice loads the contender with its job for d and takes the difference. units
// says what counts as work.
func (c *contender) slice(d time.Duration, units func(load.Stats) uint64) (report.Slice, load.Stats, error) {
	if _, err := c.fleet.do(c.job); err != nil {
		return report.Slice{}, load.Stats{}, err
	}
	time.Sleep(settle)
	a, err := c.look()
	if err != nil {
		return report.Slice{}, load.Stats{}, err
	}
	time.Sleep(d)
	b, err := c.look()
	if err != nil {
		return report.Slice{}, load.Stats{}, err
	}
	stats := b.stats.Since(a.stats)
	s := report.Slice{Of: c.name, Work: units(stats), Seconds: b.at.Sub(a.at).Seconds()}
	s.Rate = float64(s.Work) / s.Seconds
	if s.Work > 0 {
		s.CPU = float64((b.cpu - a.cpu).Nanoseconds()) / 1e3 / float64(s.Work)
	}
	s.Others = 100 * (b.others() - a.others()).Seconds() / s.Seconds
	_, err = c.fleet.drain(patience)
	return s, stats, err
}

// sight is what a contender had done at one time, and the machine.
type sight struct {
	at         time.Time
	cpu, crowd time.Duration // of the contender's process, of its clients
	machine    time.Duration // all that was used
	stats      load.Stats
}

// others is what neither contender nor clients have used.
func (s sight) others() time.Duration { return s.machine - s.cpu - s.crowd }

func (c *contender) look() (s sight, err error) {
	if c.pid != 0 {
		if s.cpu, err = proc.CPU(c.pid); err != nil {
			return s, err
		}
	}
	if s.crowd, err = c.fleet.cpu(); err != nil {
		return s, err
	}
	if s.machine, _, err = proc.Busy(); err != nil {
		return s, err
	}
	s.at = time.Now()
	s.stats, err = c.fleet.stats()
	return s, err
}

// online brings n users of the fleet online.
// After until, if it is not 0, no more begin to log in.
func (r *run) online(f *fleet, n, parallel int, rate float64, until time.Duration) (load.Stats, error) {
	p := r.progress("logging in", n)
	defer p.end()
	s, err := f.do(load.Job{Login: &load.LoginJob{Users: n, Parallel: parallel, Rate: rate}})
	for last := time.Now(); err == nil; s, err = f.stats() {
		p.set(s.Online)
		if until > 0 && time.Since(last) > until { // those under way come to their end
			n, until = s.Online+int(load.Sum(s.Failed))+s.LoggingIn, 0
			if _, err = f.do(load.Job{}); err != nil {
				break
			}
		}
		if failed := load.Sum(s.Failed); s.Online+int(failed) >= n && s.LoggingIn == 0 {
			break
		}
		if time.Since(last) > 10*r.client.timeout+time.Duration(float64(n)/max(rate, 50))*time.Second {
			return s, fmt.Errorf("bench: %d of %d users online, %d logging in, and no end", s.Online, n, s.LoggingIn)
		}
		pause()
	}
	return s, err
}

// allOnline is online, and an error if one failed.
func (r *run) allOnline(f *fleet, n, parallel int) error {
	s, err := r.online(f, n, parallel, 0, 0)
	if err == nil && s.Online < n {
		err = fmt.Errorf("bench: %d of %d users online; failed: %v", s.Online, n, s.Failed)
	}
	if err != nil {
		return err
	}
	return f.quiet(r.silence(), 2*time.Minute)
}

// silence is how long a server says nothing when it has nothing left to do. Not
// every server can be relied on to go on within a second.
func (r *run) silence() time.Duration {
	if r.server.addr != "" || r.server.direct != "" {
		return 10 * time.Second
	}
	return time.Second
}

// quiet waits until the server has said nothing for d, so that the presence of
// logins is no part of what is measured next; at most for longest.
func (f *fleet) quiet(d, longest time.Duration) error {
	last, since := uint64(0), time.Now()
	for end := time.Now().Add(longest); time.Now().Before(end); pause() {
		s, err := f.stats()
		if err != nil {
			return err
		}
		if s.BytesIn != last {
			last, since = s.BytesIn, time.Now()
		}
		if time.Since(since) > d {
			break
		}
	}
	return nil
}

// contenders starts the server and, if it is wanted, the floor, and brings all
// users of both online; adjust has the last word on how the server is met.
func (r *run) contenders(layout load.Layout, fl floorOptions, program floorProgram, adjust func(*load.Target)) (srv, flr *contender, err error) {
	defer func() {
		if err != nil {
			srv.close()
			flr.close()
		}
	}()
	if srv, err = r.join(layout, adjust); err != nil || fl.off {
		return srv, nil, err
	}
	if fl.tcp {
		flr, err = r.besides(srv)
		return srv, flr, err
	}
	if fl.plain {
		flr, err = r.without(layout, adjust)
		return srv, flr, err
	}
	flr, addr, err := startFloor(layout, fl.loops, program)
	if err != nil {
		return srv, flr, err
	}
	raw := load.Target{Addr: addr, Raw: true, Domain: r.client.domain, Resource: "bench",
		Users: layout.Users, Layout: layout, Threads: r.client.threads}
	if flr.fleet, err = newFleet(raw, r.client.workers); err == nil {
		err = r.allOnline(flr.fleet, layout.Users, 64)
	}
	return srv, flr, err
}

// besides is the same server as srv, met by TCP, in place of the floor.
func (r *run) besides(srv *contender) (*contender, error) {
	if srv.target.WS == "" || srv.tcp == "" {
		return nil, usageError("-tcp goes with -ws, and with a server that is started here")
	}
	t := srv.target
	t.WS, t.Addr, t.Resource = "", srv.tcp, "tcp"
	fleet, err := newFleet(t, r.client.workers)
	c := &contender{name: "TCP", pid: srv.pid, fleet: fleet, stop: func() {}}
	if err == nil {
		err = r.allOnline(fleet, t.Users, 64)
	}
	return c, err
}

// without is another server like srv, whose users ask for nothing besides messages
// and presence, in place of the floor.
func (r *run) without(layout load.Layout, adjust func(*load.Target)) (*contender, error) {
	if r.server.addr+r.server.direct+r.server.keep != "" {
		return nil, usageError("-plain goes with a server that is started here, and not with -keep")
	}
	c, err := r.join(layout, func(t *load.Target) { adjust(t); t.Full = false })
	c.name = "plain"
	return c, err
}

// join starts the server, and brings all users online.
func (r *run) join(layout load.Layout, adjust func(*load.Target)) (*contender, error) {
	c, err := r.meet(layout, adjust)
	if err == nil {
		err = r.allOnline(c.fleet, layout.Users, 64)
	}
	return c, err
}

// meet starts the server, and makes a crowd for it that is offline.
func (r *run) meet(layout load.Layout, adjust func(*load.Target)) (*contender, error) {
	sub, err := r.subject(layout)
	c := &contender{name: r.server.name, pid: sub.pid, stop: sub.stop, metrics: sub.metrics, data: sub.data, tcp: sub.tcp}
	if err != nil {
		return c, err
	}
	adjust(&sub.target)
	c.target = sub.target
	c.fleet, err = newFleet(sub.target, r.client.workers)
	return c, err
}

// close ends both; a contender that never came to be is nil.
func (c *contender) close() {
	if c == nil {
		return
	}
	if c.fleet != nil {
		c.fleet.close()
	}
	c.stop()
}

// floorOptions are the flags of scenarios that have a floor.
type floorOptions struct {
	off   bool
	tcp   bool
	plain bool
	loops int
}

func (o *floorOptions) flags(fs *flag.FlagSet) {
	fs.BoolVar(&o.off, "no-floor", false, "measure the server alone")
	fs.BoolVar(&o.tcp, "tcp", false, "with -ws: measure the same server by TCP in place of the floor")
	fs.IntVar(&o.loops, "floor-loops", runtime.GOMAXPROCS(0), "event loops of the floor")
}

// floorProgram is what the floor does.
type floorProgram string

const (
	relayFloor  floorProgram = "relay"
	fanoutFloor floorProgram = "fanout"
	roomFloor   floorProgram = "room"
)

// startFloor runs the floor in a process of its own, and says where.
func startFloor(layout load.Layout, loops int, program floorProgram) (c *contender, addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return nil, "", err
	}
	child, err := self(false, "floor", "-listen", addr, "-loops", strconv.Itoa(loops),
		"-users", strconv.Itoa(layout.Users), "-roster", strconv.Itoa(layout.Contacts),
		"-block", strconv.Itoa(layout.Block), "-program", string(program))
	if err != nil {
		return nil, "", err
	}
	c = &contender{name: "floor", pid: child.PID, stop: func() { child.Stop(5 * time.Second) }}
	return c, addr, child.Listening(addr, 10*time.Second)
}

// floorCommand is `meerkat bench floor`, until it is interrupted.
func floorCommand(args []string) error {
	fs := flag.NewFlagSet("meerkat bench floor", flag.ContinueOnError)
	var o floor.Options
	addr := fs.String("listen", "", "host:port")
	fs.IntVar(&o.Loops, "loops", runtime.GOMAXPROCS(0), "event loops")
	program := fs.String("program", string(relayFloor), "relay, fanout or room: to the neighbour, to all contacts, to all in a room")
	fs.IntVar(&o.Layout.Users, "users", 1000, "clients")
	fs.IntVar(&o.Layout.Contacts, "roster", 100, "contacts of each")
	fs.IntVar(&o.Layout.Block, "block", 1000, "clients of a block")
	if err := parse(fs, args); err != nil {
		return err
	}
	o.Fanout, o.Room = *program == string(fanoutFloor), *program == string(roomFloor)
	f, err := floor.Start(*addr, o)
	if err != nil {
		return err
	}
	waitForEnd()
	return f.Stop()
}
