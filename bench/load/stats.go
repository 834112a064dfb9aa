package load

// Stats is what a Crowd has counted since it was made. Counters only rise but
// Online, LoggingIn, Occupants, InFlight and Lost, which say what is.
type Stats struct {
	Online    int
	LoggingIn int
	Occupants int // of the room at hand
	Logins    uint64
	LoginTime Hist
	Failed    map[string]uint64 // logins, by condition
	Dropped   map[string]uint64 // sessions that the server ended, by condition

	Sent      uint64 // messages
	Received  uint64 // of those, each once
	InFlight  uint64 // messages and presence stanzas that were to come and have not; lost, when they had their time
	Doubled   uint64
	Reordered uint64
	Damaged   uint64            // not what was sent
	Errors    map[string]uint64 // error stanzas, by condition
	Latency   Hist              // of messages, from the write (or the time it was due) to the read

	Changes     uint64 // presence changes sent
	Wanted      uint64 // presence stanzas that contacts are to receive for them
	Told        uint64 // of those, received once
	PresenceLag Hist

	Befriended uint64 // pairs of users that have become each other's contacts

	Entered   uint64 // users that have entered a room, of which all there were told
	Reached   uint64 // messages to rooms that all have got
	ReachTime Hist   // from when they were written to when the last one had them
	RoomBytes uint64 // of the stanzas that were received in rooms
	Ping      Hist   // from when a ping was due to its answer

	BytesIn, BytesOut uint64 // of XML
	PresenceBytes     uint64 // of the presence stanzas counted in Told
}

// Add adds what another crowd, or another loop, counted.
func (s *Stats) Add(o Stats) {
	s.Online += o.Online
	s.LoggingIn += o.LoggingIn
	s.Occupants += o.Occupants
	s.combine(o, func(a, b uint64) uint64 { return a + b })
	s.LoginTime.Add(o.LoginTime)
	s.Latency.Add(o.Latency)
	s.PresenceLag.Add(o.PresenceLag)
	s.ReachTime.Add(o.ReachTime)
	s.Ping.Add(o.Ping)
}

// Since is what was counted after s was o. What is not a counter is as in s.
func (s Stats) Since(o Stats) Stats {
	d := Stats{Online: s.Online, LoggingIn: s.LoggingIn, Occupants: s.Occupants}
	d.combine(s, func(_, b uint64) uint64 { return b })
	d.combine(o, func(a, b uint64) uint64 { return a - b })
	d.InFlight = s.InFlight
	d.LoginTime = s.LoginTime.Since(o.LoginTime)
	d.Latency = s.Latency.Since(o.Latency)
	d.PresenceLag = s.PresenceLag.Since(o.PresenceLag)
	d.ReachTime = s.ReachTime.Since(o.ReachTime)
	d.Ping = s.Ping.Since(o.Ping)
	return d
}

func (s *Stats) combine(o Stats, f func(a, b uint64) uint64) {
	from := o.counters()
	for i, c := range s.counters() {
		*c = f(*c, *from[i])
	}
	combineMap(&s.Failed, o.Failed, f)
	combineMap(&s.Dropped, o.Dropped, f)
	combineMap(&s.Errors, o.Errors, f)
}

func (s *Stats) counters() []*uint64 {
	return []*uint64{
		&s.Logins, &s.Sent, &s.Received, &s.InFlight, &s.Doubled, &s.Reordered, &s.Damaged,
		&s.Changes, &s.Wanted, &s.Told, &s.BytesIn, &s.BytesOut, &s.PresenceBytes,
		&s.Befriended, &s.Entered, &s.Reached, &s.RoomBytes,
	}
}

func combineMap(m *map[string]uint64, o map[string]uint64, f func(a, b uint64) uint64) {
	for k, v := range o {
		count(m, k, 0)
		(*m)[k] = f((*m)[k], v)
	}
}

// count adds n to (*m)[k], making the map when it is first needed.
func count(m *map[string]uint64, k string, n uint64) {
	if *m == nil {
		*m = map[string]uint64{}
	}
	(*m)[k] += n
}

// Sum is all that a map of conditions counts.
func Sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}
