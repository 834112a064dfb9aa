package load

import (
	"crypto/tls"
	"testing"
	"time"
)

var layout = Layout{Contacts: 6, Block: 20, Users: 40}

func target(addr string) Target {
	return Target{
		Addr: addr, Domain: "localhost", TLS: Plain, Mech: "PLAIN", Password: "secret", Resource: "r",
		Users: layout.Users, Layout: layout, Threads: 2, Roster: true, Presence: true,
	}
}

// crowd makes one that is online.
func crowd(t *testing.T, s *server, tg Target) *Crowd {
	t.Helper()
	c, err := New(tg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	do(t, c, Job{Login: &LoginJob{Users: tg.Users, Parallel: 8}})
	wait(t, c, "all online", func(st Stats) bool { return st.Online == tg.Users })
	return c
}

func do(t *testing.T, c *Crowd, j Job) {
	t.Helper()
	if err := c.Do(j); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, c *Crowd, what string, ok func(Stats) bool) Stats {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s := c.Stats()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("waiting for %s: %+v", what, s)
		}
	}
}

func drain(t *testing.T, c *Crowd) Stats {
	t.Helper()
	s, err := c.Drain(300 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A server that behaves is found to: messages and presence by closed and open
// loop, in clear, by STARTTLS and by direct TLS, pipelined or not.
func TestCrowdFindsNoFault(t *testing.T) {
	cert := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for name, change := range map[string]func(*server, *Target){
		"plain":            func(*server, *Target) {},
		"pipelined":        func(_ *server, tg *Target) { tg.Pipeline = true },
		"starttls":         func(s *server, tg *Target) { s.tls, tg.TLS = cert, StartTLS },
		"direct":           func(s *server, tg *Target) { s.tls, s.direct, tg.TLS = cert, true, Direct },
		"direct pipelined": func(s *server, tg *Target) { s.tls, s.direct, tg.TLS, tg.Pipeline = cert, true, Direct, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, layout: layout}
			tg := target("")
			change(s, &tg)
			tg.Addr = s.start()
			c := crowd(t, s, tg)
			for _, j := range []Job{
				{Message: &MessageJob{Users: 40, Window: 4, Body: 100}},
				{Message: &MessageJob{Users: 40, Rate: 5000, Body: 100, Bare: false}},
				{Presence: &PresenceJob{Users: 40, Window: 4}},
				{Presence: &PresenceJob{Users: 40, Rate: 250, Size: 200}},
			} {
				before := c.Stats()
				do(t, c, j)
				wait(t, c, "1000 stanzas", func(st Stats) bool { d := st.Since(before); return d.Received+d.Told > 1000 })
				drain(t, c)
			}
			st := c.Stats()
			if bad := st.InFlight + st.Doubled + st.Reordered + st.Damaged + Sum(st.Errors) + Sum(st.Dropped) + Sum(st.Failed); bad != 0 {
				t.Errorf("faults found where none were: %+v", st)
			}
			if st.Sent != st.Received || st.Wanted != st.Told {
				t.Errorf("sent %d, received %d, wanted %d, told %d", st.Sent, st.Received, st.Wanted, st.Told)
			}
		})
	}
}

// An open loop of more than there is time for still hears what comes.
func TestCrowdOverloaded(t *testing.T) {
	s := &server{t: t, layout: layout}
	tg := target("")
	tg.Addr = s.start()
	c := crowd(t, s, tg)
	do(t, c, Job{Message: &MessageJob{Users: 40, Rate: 2e6, Body: 100}})
	wait(t, c, "1000 messages", func(st Stats) bool { return st.Received > 1000 })
	drain(t, c)
	if st := c.Stats(); st.Sent != st.Received || st.Reordered+st.Doubled+st.Damaged+Sum(st.Dropped) != 0 {
		t.Errorf("%+v", st)
	}
}

// every makes one fault of each 50 stanzas, ten times.
func every(f fault) func(int) fault {
	return func(n int) fault {
		if n%50 == 0 && n <= 500 {
			return f
		}
		return none
	}
}

// Each fault of a server is counted, once, as what it is.
func TestCrowdFindsFaultsInMessages(t *testing.T) {
	for name, test := range map[string]struct {
		fault fault
		is    func(Stats) (got uint64, others uint64)
	}{
		"dropped":   {dropIt, func(s Stats) (uint64, uint64) { return s.InFlight, s.Doubled + s.Reordered + s.Damaged }},
		"doubled":   {doubleIt, func(s Stats) (uint64, uint64) { return s.Doubled, s.InFlight + s.Reordered + s.Damaged }},
		"reordered": {swapIt, func(s Stats) (uint64, uint64) { return s.Reordered, s.InFlight + s.Doubled + s.Damaged }},
		"damaged":   {spoilIt, func(s Stats) (uint64, uint64) { return s.Damaged, s.Doubled + s.Reordered }},
		"bounced":   {bounceIt, func(s Stats) (uint64, uint64) { return Sum(s.Errors), s.Doubled + s.Reordered + s.Damaged }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, layout: layout, fault: every(test.fault)}
			tg := target(s.start())
			tg.Threads = 1
			c := crowd(t, s, tg)
			// One pair and an open loop: neighbours in the stream are of one sender half the time.
			do(t, c, Job{Message: &MessageJob{Users: 2, Window: 40, Body: 100}})
			wait(t, c, "600 messages", func(st Stats) bool { return st.Received > 600 })
			st := drain(t, c)
			if test.fault == swapIt {
				if st.Reordered == 0 || st.InFlight+st.Doubled+st.Damaged > 0 {
					t.Errorf("%+v", st)
				}
				return
			}
			if got, others := test.is(st); got != 10 || others != 0 {
				t.Errorf("found %d, want 10, and %d others: %+v", got, others, st)
			}
		})
	}
}

func TestCrowdFindsFaultsInPresence(t *testing.T) {
	for name, test := range map[string]struct {
		fault fault
		is    func(Stats) uint64
	}{
		"dropped": {dropIt, func(s Stats) uint64 { return s.InFlight }},
		"doubled": {doubleIt, func(s Stats) uint64 { return s.Doubled + s.Reordered }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, layout: layout, fault: every(test.fault)}
			c := crowd(t, s, target(s.start()))
			do(t, c, Job{Presence: &PresenceJob{Users: 40, Rate: 250}})
			wait(t, c, "600 presences", func(st Stats) bool { return st.Told > 600 })
			if st := drain(t, c); test.is(st) != 10 {
				t.Errorf("found %d, want 10: %+v", test.is(st), st)
			}
		})
	}
}

// One lost and one doubled in the same change do not make up for each other.
func TestCrowdFindsLostBehindDoubled(t *testing.T) {
	s := &server{t: t, layout: layout, fault: func(n int) fault {
		return map[int]fault{2: dropIt, 4: doubleIt}[n]
	}}
	c := crowd(t, s, target(s.start()))
	do(t, c, Job{Presence: &PresenceJob{Users: 1, Window: 1}})
	wait(t, c, "the first change", func(st Stats) bool { return st.Told == 5 && st.Doubled == 1 })
	if st := drain(t, c); st.InFlight != 1 || st.Doubled != 1 {
		t.Errorf("%d missing, %d doubled, want 1 and 1", st.InFlight, st.Doubled)
	}
}

func TestCrowdCountsFailedLogins(t *testing.T) {
	s := &server{t: t, layout: layout}
	tg := target(s.start())
	tg.Password = "wrong"
	c, err := New(tg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, Job{Login: &LoginJob{Users: 10, Parallel: 3}})
	st := wait(t, c, "10 failures", func(st Stats) bool { return Sum(st.Failed) == 10 })
	if st.Failed["not-authorized"] != 10 || st.LoggingIn != 0 {
		t.Errorf("%+v", st)
	}
}

func TestCrowdChurns(t *testing.T) {
	s := &server{t: t, layout: layout}
	c, err := New(target(s.start()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, Job{Login: &LoginJob{Users: 40, Parallel: 4, Churn: true}})
	st := wait(t, c, "200 logins", func(st Stats) bool { return st.Logins >= 200 })
	if len(st.Failed) > 0 || st.Online != 0 {
		t.Errorf("%+v", st)
	}
}

// Logins at a rate take the time they should.
func TestCrowdLoginRate(t *testing.T) {
	s := &server{t: t, layout: layout}
	c, err := New(target(s.start()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	do(t, c, Job{Login: &LoginJob{Users: 40, Parallel: 40, Rate: 200}})
	wait(t, c, "all online", func(st Stats) bool { return st.Online == 40 })
	if took := time.Since(began); took < 180*time.Millisecond || took > 2*time.Second {
		t.Errorf("40 logins at 200 a second took %v", took)
	}
}

// Rosters are mutual, of the size asked for, and stay in their block.
func TestLayoutIsMutual(t *testing.T) {
	for _, l := range []Layout{{6, 20, 40}, {100, 1000, 2500}, {5, 20, 33}, {100, 20, 45}, {3, 2, 2}} {
		knows := map[[2]int]bool{}
		for n := range l.Users {
			at := 0
			l.Of(n, func(c int) {
				if got := l.index(n, c); got != at {
					t.Errorf("%+v: index of %d at %d is %d, want %d", l, c, n, got, at)
				}
				at++
				if c == n || knows[[2]int{n, c}] || c/l.Block != n/l.Block || c >= l.Users {
					t.Errorf("%+v: %d knows %d, who is itself, twice there, or elsewhere", l, n, c)
				}
				knows[[2]int{n, c}] = true
			})
		}
		for k := range knows {
			if l.Contacts%2 == 0 && !knows[[2]int{k[1], k[0]}] {
				t.Errorf("%+v: %d knows %d, not the other way round", l, k[0], k[1])
			}
		}
	}
}
