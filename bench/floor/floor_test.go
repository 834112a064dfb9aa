package floor

import (
	"net"
	"testing"
	"time"

	"meerkat/bench/load"
)

// A crowd of raw clients finds that nothing is lost, doubled or reordered, by
// the relay and by the fan-out, with one loop and with three.
func TestFloorMovesEverything(t *testing.T) {
	layout := load.Layout{Contacts: 10, Block: 20, Users: 40}
	for name, opt := range map[string]Options{
		"relay, 1 loop":    {Loops: 1, Layout: layout},
		"relay, 3 loops":   {Loops: 3, Layout: layout},
		"fan-out, 1 loop":  {Loops: 1, Layout: layout, Fanout: true},
		"fan-out, 3 loops": {Loops: 3, Layout: layout, Fanout: true},
	} {
		t.Run(name, func(t *testing.T) {
			addr := freeAddr(t)
			f, err := Start(addr, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Stop()
			c, err := load.New(load.Target{Addr: addr, Raw: true, Users: 40, Layout: layout, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			job := load.Job{Message: &load.MessageJob{Users: 40, Window: 8, Body: 100}}
			if opt.Fanout {
				job = load.Job{Presence: &load.PresenceJob{Users: 40, Window: 4, Size: 150}}
			}
			until(t, c, load.Job{Login: &load.LoginJob{Users: 40, Parallel: 40}}, func(s load.Stats) bool { return s.Online == 40 })
			until(t, c, job, func(s load.Stats) bool { return s.Received+s.Told > 5000 })
			s, err := c.Drain(time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if s.InFlight+s.Doubled+s.Reordered+s.Damaged > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// In a room everybody gets everything, and hears who comes and goes, with one
// loop and with three.
func TestFloorOfARoom(t *testing.T) {
	layout := load.Layout{Block: 20, Users: 20}
	for _, loops := range []int{1, 3} {
		addr := freeAddr(t)
		f, err := Start(addr, Options{Loops: loops, Layout: layout, Room: true})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Stop()
		c, err := load.New(load.Target{Addr: addr, Raw: true, Users: 20, Layout: layout, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		until(t, c, load.Job{Login: &load.LoginJob{Users: 20, Parallel: 20}}, func(s load.Stats) bool { return s.Online == 20 })
		j := load.RoomJob{Room: "r@rooms.test", Users: 20, Window: 3, Body: 100, Size: 300}
		until(t, c, load.Job{Room: &j}, func(s load.Stats) bool { return s.Reached > 100 })
		if _, err := c.Drain(time.Second); err != nil {
			t.Fatal(err)
		}
		fewer := j
		fewer.Users, fewer.Window = 10, 0
		until(t, c, load.Job{Room: &fewer}, func(s load.Stats) bool { return s.Occupants == 10 })
		s := c.Stats()
		if want := uint64(20*19/2 + 10*(10+19)/2); s.Told != want || s.InFlight+s.Doubled+s.Reordered+s.Damaged > 0 {
			t.Errorf("with %d loops %d are told who comes and goes, want %d: %+v", loops, s.Told, want, s)
		}
	}
}

func until(t *testing.T, c *load.Crowd, j load.Job, ok func(load.Stats) bool) {
	t.Helper()
	if err := c.Do(j); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !ok(c.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 10 s: %+v", c.Stats())
		}
	}
}

func freeAddr(t *testing.T) string {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
