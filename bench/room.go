package bench

import (
	"flag"
	"fmt"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/report"
	"meerkat/engine/admin"
)

// rooms is the scenario of multi-user chat (XEP-0045): what a message to a room
// costs for each who gets it, what it costs to enter one, how long a very large
// one takes until the last has a message and whether others wait meanwhile, and
// what a room weighs.
//
// The floor writes the same bytes to the same sockets. When somebody enters, it
// writes to everybody else once, and all stanzas to who enters in one write.
type rooms struct {
	*run
	timing
	occupants, joins int
	large            int
	many             int
	service          string
	job              load.RoomJob // window and body
	stanza, presence int          // bytes as they leave the server
	srv, flr         *contender

	mostMessage, mostJoin, mostLarge float64
	mostPing                         time.Duration
	mostBytes                        float64
}

func room(fs *flag.FlagSet) func(*run) error {
	var s rooms
	var fl floorOptions
	fl.flags(fs)
	s.timing.flags(fs)
	fs.IntVar(&s.occupants, "occupants", 500, "occupants of the room")
	fs.IntVar(&s.job.Window, "window", 1, "messages in flight in it")
	fs.IntVar(&s.job.Body, "body", 100, "bytes of a message's body")
	fs.IntVar(&s.joins, "joins", 20, "users who enter it one after the other, in each turn; 0: none")
	fs.IntVar(&s.large, "large", 0, "occupants of a very large room besides; 0: none. It has to be allowed (rooms.occupants)")
	fs.IntVar(&s.many, "many", 20, "rooms with that many occupants that are weighed; 0: none")
	fs.StringVar(&s.service, "service", "", "domain of the rooms; conference. in front of -domain if empty")
	fs.Float64Var(&s.mostMessage, "most", 0, "largest ratio to the floor of a message that passes; 0: any")
	fs.Float64Var(&s.mostJoin, "most-join", 0, "the same of entering")
	fs.Float64Var(&s.mostLarge, "most-large", 0, "the same of the time to the last of a very large room")
	fs.DurationVar(&s.mostPing, "most-ping", 0, "longest ping of another user meanwhile that passes; 0: any")
	fs.Float64Var(&s.mostBytes, "most-bytes", 0, "most bytes of an occupant that pass; 0: any")
	return func(r *run) error {
		s.run = r
		if s.service == "" {
			s.service = "conference." + r.client.domain
		}
		return s.play(fl)
	}
}

// play brings all users online. The first ones are in rooms, on one thread of
// the generator, and the last one pings on another.
func (s *rooms) play(fl floorOptions) (err error) {
	s.client.threads = max(s.client.threads, 2)
	users := max(s.occupants+max(s.joins, 1), s.large) // one more shows how long presence is
	layout := load.Layout{Block: users, Users: users + 1}
	s.srv, s.flr, err = s.contenders(layout, fl, roomFloor, func(t *load.Target) { t.Presence = true })
	if err != nil {
		return err
	}
	defer s.srv.close()
	defer s.flr.close()
	for _, do := range []func() error{s.measureOne, s.weighMany, s.measureLarge} {
		if err := do(); err != nil {
			return err
		}
	}
	return s.verdict(s.srv, s.flr)
}

// address is that of a room of this run.
func (s *rooms) address(name string) string {
	return fmt.Sprintf("bench-%x-%s@%s", s.result.Began.UnixNano(), name, s.service)
}

// in has so many users be in a room, and waits until they are.
func (s *rooms) in(c *contender, j load.RoomJob) (load.Stats, error) {
	before, err := c.fleet.stats()
	if err != nil {
		return before, err
	}
	last := before
	now, err := c.fleet.do(load.Job{Room: &j})
	for quiet := time.Now(); err == nil && now.Occupants != j.Users; now, err = c.fleet.stats() {
		if now.BytesIn != last.BytesIn {
			last, quiet = now, time.Now()
		}
		if time.Since(quiet) > patience {
			return now, fmt.Errorf("bench: %d of %d users are in the room of the %s, and nothing happens; errors: %v", now.Occupants, j.Users, c.name, now.Errors)
		}
		pause()
	}
	if err != nil {
		return now, err
	}
	return now.Since(before), nil
}

// measureOne is about the room of ordinary size.
func (s *rooms) measureOne() error {
	j := load.RoomJob{Room: s.address("one"), Users: s.occupants}
	if _, err := s.in(s.srv, j); err != nil {
		return err
	}
	if err := s.sizes(j); err != nil {
		return err
	}
	if s.flr != nil {
		j.Size = s.presence
		if _, err := s.in(s.flr, j); err != nil {
			return err
		}
	}
	if err := s.entering(j); err != nil {
		return err
	}
	return s.talking(j)
}

// sizes finds out how long the server's stanzas are.
func (s *rooms) sizes(j load.RoomJob) error {
	more := j
	more.Users++
	came, err := s.in(s.srv, more)
	if err != nil {
		return err
	}
	if _, err = s.in(s.srv, j); err != nil {
		return err
	}
	s.presence = int(came.PresenceBytes / max(came.Told, 1))
	j.Window, j.Body = s.job.Window, s.job.Body
	s.srv.job = load.Job{Room: &j}
	_, st, err := s.srv.slice(300*time.Millisecond, func(s load.Stats) uint64 { return s.Received })
	if err == nil && st.Received == 0 {
		err = fmt.Errorf("bench: nobody hears anything in the room: %+v", st)
	}
	if err != nil {
		return err
	}
	s.stanza = int(st.RoomBytes / st.Received)
	s.figure("bytes of a message", float64(s.stanza), "")
	s.figure("bytes of a presence", float64(s.presence), "")
	return nil
}

// talking measures messages.
func (s *rooms) talking(j load.RoomJob) error {
	m := turns{r: s.run, timing: s.timing, unit: "delivery", units: func(s load.Stats) uint64 { return s.Received }, mostRatio: s.mostMessage}
	j.Window, j.Body, j.Size = s.job.Window, s.job.Body, s.stanza
	for _, c := range sides(s.srv, s.flr) {
		c.job = load.Job{Room: &j}
	}
	if err := m.take(s.srv, s.flr); err != nil {
		return err
	}
	s.result.Latency("latency", m.stats.Latency)
	s.result.Latency("time to the last occupant", m.stats.ReachTime)
	m.figures(s.srv, s.flr)
	return nil
}

// entering measures users who enter while others are there.
func (s *rooms) entering(j load.RoomJob) error {
	if s.joins == 0 || s.srv.pid == 0 {
		return nil
	}
	cost := map[*contender][]float64{}
	for range s.slices {
		for _, c := range sides(s.srv, s.flr) {
			us, err := s.enter(c, j)
			if err != nil {
				return err
			}
			cost[c] = append(cost[c], us)
		}
	}
	least, median, _ := report.Range(cost[s.srv])
	s.figure("entering, CPU, least", least, "us")
	s.figure("entering, CPU, median", median, "us")
	if s.flr != nil {
		a, b, _ := report.Range(cost[s.flr])
		s.figure("entering, floor's CPU, median", b, "us")
		s.figure("entering, ratio of least", least/a, "")
		_, ratio, _ := report.Range(neighbours(cost[s.srv], cost[s.flr]))
		s.result.Limited("entering, ratio, median", ratio, "", s.mostJoin)
	}
	return nil
}

// enter has users enter and leave again, and returns the CPU time of each who
// enters, in us.
func (s *rooms) enter(c *contender, j load.RoomJob) (float64, error) {
	more := j
	more.Users += s.joins
	a, err := c.look()
	if err != nil {
		return 0, err
	}
	if _, err = s.in(c, more); err != nil {
		return 0, err
	}
	b, err := c.look()
	if err != nil {
		return 0, err
	}
	_, err = s.in(c, j)
	return float64((b.cpu - a.cpu).Nanoseconds()) / 1e3 / float64(s.joins), err
}

// measureLarge is about a room so large that one message keeps a server busy.
// Nobody is told who comes, or filling it would take longer than all else.
func (s *rooms) measureLarge() error {
	if s.large == 0 {
		return nil
	}
	j := load.RoomJob{Room: s.address("large"), Users: s.large, Hush: true, Size: s.presence}
	for _, c := range sides(s.srv, s.flr) {
		if _, err := s.in(c, j); err != nil {
			return err
		}
	}
	j.Window, j.Body, j.Size = 1, s.job.Body, s.stanza
	ping := load.PingJob{User: s.srv.fleet.users - 1, Rate: 200}
	silent, err := s.pings(ping)
	if err != nil {
		return err
	}
	s.result.Latency("very large room that is silent, ping of another user", silent)
	times := map[*contender]*load.Stats{}
	for range s.slices {
		for _, c := range sides(s.srv, s.flr) {
			c.job = load.Job{Room: &j}
			if c == s.srv {
				c.job.Ping = &ping
			}
			_, st, err := c.slice(s.slice(), func(s load.Stats) uint64 { return s.Received })
			if err != nil {
				return err
			}
			if times[c] == nil {
				times[c] = new(load.Stats)
			}
			times[c].Add(st)
		}
	}
	s.largeFigures(times)
	return nil
}

// pings measures them while nothing else happens, so that it is seen what the
// machine itself adds.
func (s *rooms) pings(ping load.PingJob) (load.Hist, error) {
	s.srv.job = load.Job{Ping: &ping}
	_, st, err := s.srv.slice(s.slice(), func(s load.Stats) uint64 { return s.Ping.Count() })
	return st.Ping, err
}

func (s *rooms) largeFigures(times map[*contender]*load.Stats) {
	own := times[s.srv]
	s.result.Latency("very large room, time to the last occupant", own.ReachTime)
	s.result.Latency("very large room, ping of another user", own.Ping)
	s.result.Limited("very large room, ping, longest", own.Ping.Quantile(1).Seconds()*1e3, "ms", s.mostPing.Seconds()*1e3)
	if s.flr == nil {
		return
	}
	floor := times[s.flr].ReachTime.Quantile(0.5)
	s.figure("very large room, floor's time, median", floor.Seconds()*1e3, "ms")
	s.result.Limited("very large room, ratio of medians", own.ReachTime.Quantile(0.5).Seconds()/floor.Seconds(), "", s.mostLarge)
}

// weighMany fills rooms, weighs the server, and weighs it again when they are
// empty.
func (s *rooms) weighMany() error {
	if s.many == 0 {
		return nil
	}
	weights := make([]weight, 0, 3)
	for _, users := range []int{-1, s.occupants, 0} {
		for i := range s.many {
			j := load.RoomJob{Room: s.address(fmt.Sprint("many-", i)), Users: users, Hush: true, Lasting: true}
			if users < 0 {
				break
			}
			if _, err := s.in(s.srv, j); err != nil {
				return err
			}
		}
		s.collect()
		w, err := s.weigh(s.srv)
		if err != nil {
			return err
		}
		weights = append(weights, w)
	}
	before, full, empty := weights[0], weights[1], weights[2]
	each := func(bytes int64, n int) float64 { return float64(bytes) / float64(n) }
	s.figure("server RSS", each(full.server.RSS-before.server.RSS, s.many*s.occupants), "bytes/occupant")
	if before.heap > 0 {
		s.result.Limited("server heap, room included", each(full.heap-before.heap, s.many*s.occupants), "bytes/occupant", s.mostBytes)
		s.figure("server heap", each(empty.heap-before.heap, s.many), "bytes/idle room")
	}
	return nil
}

// collect has a server of ours collect its garbage, so that its heap is what
// lives.
func (s *rooms) collect() {
	if s.srv.data == "" {
		return
	}
	if c, err := admin.Dial(s.srv.data); err == nil {
		defer c.Close()
		_, _ = c.Collect() // without it the heap is what there is, garbage and all
	}
}
