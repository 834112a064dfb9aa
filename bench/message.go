package bench

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/report"
)

// waitForEnd returns when the process is told to end.
func waitForEnd() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}

// timing are the flags of scenarios that measure in slices.
type timing struct {
	duration time.Duration
	slices   int
}

func (o *timing) flags(fs *flag.FlagSet) {
	fs.DurationVar(&o.duration, "duration", 10*time.Second, "time to measure each of server and floor")
	o.slices = 5
	fs.Var((*count)(&o.slices), "slices", "`turns` that server and floor take")
}

func (o *timing) slice() time.Duration { return o.duration / time.Duration(o.slices) }

// count is a flag that is 1 at least.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }

func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("want a number from 1")
	}
	*c = count(n)
	return nil
}

// message is the scenario of conversations. A pair has a number of messages in
// flight, and each that arrives is answered by the next. The floor relays the
// very same bytes.
func message(fs *flag.FlagSet) func(*run) error {
	var fl floorOptions
	var tm timing
	fl.flags(fs)
	tm.flags(fs)
	pairs := fs.Int("pairs", 500, "pairs that talk")
	var job load.MessageJob
	fs.IntVar(&job.Window, "window", 1, "messages in flight in a pair")
	fs.IntVar(&job.Body, "body", 100, "bytes of a message's body")
	fs.BoolVar(&job.Bare, "bare", false, "send to bare JIDs")
	full := fs.Bool("full", false, "with stream management (XEP-0198), carbons (XEP-0280), and all messages archived (XEP-0313)")
	rate := fs.Float64("rate", 0, "instead: an open loop of so many messages a second in all")
	open := fs.Float64("open", 0.5, "then an open loop at this share of the rate that was reached; 0: none")
	fs.BoolVar(&fl.plain, "plain", false, "with -full: measure a second server without all that in place of the floor")
	most := fs.Float64("most", 0, "largest ratio to the floor that passes; 0: any")
	return func(r *run) error {
		job.Users = 2 * *pairs
		srv, flr, err := r.contenders(layoutOf(job.Users, 0), fl, relayFloor, func(t *load.Target) { t.Presence, t.Full = true, *full })
		if err != nil {
			return err
		}
		defer srv.close()
		defer flr.close()
		job.Rate = *rate
		srv.job = load.Job{Message: &job}
		m := turns{r: r, timing: tm, unit: "message", units: func(s load.Stats) uint64 { return s.Received }, mostRatio: *most}
		if flr != nil {
			flr.job = srv.job
		}
		if err := m.take(srv, flr); err != nil {
			return err
		}
		r.result.Latency("latency", m.stats.Latency)
		m.figures(srv, flr)
		if *open > 0 && *rate == 0 {
			job.Rate = *open * m.rate(srv.name)
			if err := r.openLoop(tm, srv, flr, job.Rate); err != nil {
				return err
			}
		}
		return r.verdict(srv, flr)
	}
}

// leastOpen is how long a turn of an open loop is at least, if it may be: one that has
// just begun finds everybody asleep, and is late for a while.
const leastOpen = 2 * time.Second

// openLoop has both sides do their job at a fixed rate, by turns. What the floor
// takes for it is what the machine takes.
func (r *run) openLoop(tm timing, srv, flr *contender, rate float64) error {
	var reached float64
	latency := make(map[*contender]*load.Hist)
	tm.slices = min(tm.slices, max(1, int(tm.duration/leastOpen)))
	p := r.progress("open loop", tm.slices)
	defer p.end()
	for range tm.slices {
		for _, c := range sides(srv, flr) {
			s, stats, err := c.slice(tm.slice(), func(s load.Stats) uint64 { return s.Received })
			if err != nil {
				return err
			}
			if latency[c] == nil {
				latency[c] = new(load.Hist)
			}
			latency[c].Add(stats.Latency)
			if c == srv {
				reached += s.Rate / float64(tm.slices)
			}
		}
		p.add(1)
	}
	r.figure("open loop, wanted", rate, "messages/s")
	r.figure("open loop, reached", reached, "messages/s")
	r.result.Latency("open loop", *latency[srv])
	if flr != nil {
		r.result.Latency(flr.name+"'s open loop", *latency[flr])
	}
	return nil
}

// sides are the contenders in the order of their turns; flr may be nil.
func sides(srv, flr *contender) []*contender {
	if flr == nil {
		return []*contender{srv}
	}
	return []*contender{flr, srv}
}

// verdict notes the faults of both sides.
func (r *run) verdict(srv, flr *contender) error {
	s, err := srv.fleet.stats()
	if err != nil {
		return err
	}
	r.faults(s)
	if flr == nil {
		return nil
	}
	s, err = flr.fleet.stats()
	if err != nil {
		return err
	}
	if s.InFlight+s.Doubled+s.Reordered+s.Damaged+load.Sum(s.Dropped) > 0 {
		return fmt.Errorf("bench: the floor itself has lost or mixed up stanzas, so nothing here can be believed: %+v", s)
	}
	return nil
}

// turns measures server and floor by turns, so that what else the machine does
// meets both.
type turns struct {
	timing
	r     *run
	unit  string
	units func(load.Stats) uint64
	stats load.Stats // of the server's slices

	mostCPU, mostRatio float64 // that pass, of the medians; 0: any
}

// take runs the slices: floor, server, floor, server. Without a floor, the
// server alone.
func (m *turns) take(srv, flr *contender) error {
	sides := sides(srv, flr)
	p := m.r.progress("measuring", m.slices*len(sides))
	defer p.end()
	for range m.slices {
		for _, c := range sides {
			s, stats, err := c.slice(m.slice(), m.units)
			if err != nil {
				return err
			}
			if s.Work == 0 {
				return fmt.Errorf("bench: the %s has done nothing in %v: %+v", c.name, m.slice(), stats)
			}
			if c == srv {
				m.stats.Add(stats)
			}
			m.r.result.Slices = append(m.r.result.Slices, s)
			p.add(1)
		}
	}
	return nil
}

// of collects one value of all slices of a side.
func (m *turns) of(name string, value func(report.Slice) float64) (v []float64) {
	for _, s := range m.r.result.Slices {
		if s.Of == name {
			v = append(v, value(s))
		}
	}
	return v
}

// rate is the median of a side.
func (m *turns) rate(name string) float64 {
	_, median, _ := report.Range(m.of(name, func(s report.Slice) float64 { return s.Rate }))
	return median
}

// figures notes rate and CPU of both sides and their ratio.
func (m *turns) figures(srv, flr *contender) {
	r := m.r
	cpu := func(s report.Slice) float64 { return s.CPU }
	r.figure("rate", m.rate(srv.name), m.unit+"s/s")
	_, _, others := report.Range(m.of(srv.name, func(s report.Slice) float64 { return s.Others }))
	r.figure("CPU of other processes, most", others, "% of a core")
	if srv.pid != 0 {
		least, median, _ := report.Range(m.of(srv.name, cpu))
		r.figure("CPU, least", least, "us/"+m.unit)
		r.result.Limited("CPU, median", median, "us/"+m.unit, m.mostCPU)
	}
	if flr == nil {
		return
	}
	least, median, _ := report.Range(m.of(flr.name, cpu))
	r.figure(flr.name+"'s rate", m.rate(flr.name), m.unit+"s/s")
	r.figure(flr.name+"'s CPU, least", least, "us/"+m.unit)
	r.figure(flr.name+"'s CPU, median", median, "us/"+m.unit)
	if srv.pid == 0 {
		return
	}
	a, b, _ := report.Range(m.of(srv.name, cpu))
	r.figure("above the "+flr.name+", median", b-median, "us/"+m.unit)
	r.figure("ratio of least", a/least, "")
	_, ratio, _ := report.Range(neighbours(m.of(srv.name, cpu), m.of(flr.name, cpu)))
	r.result.Limited("ratio, median", ratio, "", m.mostRatio)
}

// neighbours are the ratios of slices that were taken one after the other: what else
// the machine did then has met both.
func neighbours(srv, flr []float64) (ratios []float64) {
	for i := range srv {
		if flr[i] > 0 {
			ratios = append(ratios, srv[i]/flr[i])
		}
	}
	return ratios
}
