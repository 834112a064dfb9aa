package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"meerkat/bench/load"
	"meerkat/bench/proc"
)

// fleet is a crowd in as many processes as descriptors or the user want.
type fleet struct {
	members []*member
	users   int
}

// member is a worker and its users.
type member struct {
	load.Part
	child *proc.Child
	enc   *json.Encoder
	dec   *json.Decoder
}

// spareFiles is how many descriptors a worker needs besides its clients'.
const spareFiles = 64

// newFleet starts the workers of a crowd; workers is how many at least.
func newFleet(t load.Target, workers int) (*fleet, error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return nil, fmt.Errorf("bench: limit of open files: %w", err)
	}
	room := max(t.Layout.Block, (int(min(lim.Max, 1<<30))-spareFiles)/t.Layout.Block*t.Layout.Block)
	f := &fleet{users: t.Users}
	for _, p := range t.Layout.Parts(t.Users, max(workers, (t.Users+room-1)/room)) {
		m, err := newMember(t, p)
		if err != nil {
			f.close()
			return nil, err
		}
		f.members = append(f.members, m)
	}
	return f, nil
}

func newMember(t load.Target, p load.Part) (*member, error) {
	child, err := self(true, "worker")
	if err != nil {
		return nil, err
	}
	m := &member{Part: p, child: child, enc: json.NewEncoder(child.Stdin), dec: json.NewDecoder(child.Stdout)}
	t.First += p.First
	t.Users = p.Users
	if _, err := m.ask(request{Target: &t}); err != nil {
		child.Stop(time.Second)
		return nil, err
	}
	return m, nil
}

// self starts this program as `meerkat bench args`.
func self(pipe bool, args ...string) (*proc.Child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return proc.Start(pipe, "", path, append([]string{"bench"}, args...)...)
}

func (m *member) ask(r request) (a answer, err error) {
	if err = m.enc.Encode(r); err == nil {
		err = m.dec.Decode(&a)
	}
	if err != nil {
		return a, fmt.Errorf("bench: worker %d: %w\n%s", m.child.PID, err, m.child.Log())
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// ask asks all members at once, each its own part, and adds up the answers.
func (f *fleet) ask(part func(*member) request) (sum answer, err error) {
	type reply struct {
		answer
		err error
	}
	replies := make(chan reply, len(f.members))
	for _, m := range f.members {
		go func() {
			a, err := m.ask(part(m))
			replies <- reply{a, err}
		}()
	}
	for range f.members {
		r := <-replies
		err = errors.Join(err, r.err)
		sum.Stats.Add(r.Stats)
		sum.RSS += r.RSS
	}
	return sum, err
}

// do has the crowd do j from now on.
func (f *fleet) do(j load.Job) (load.Stats, error) {
	a, err := f.ask(func(m *member) request {
		own := j.Part(m.Part)
		return request{Job: &own}
	})
	return a.Stats, err
}

func (f *fleet) stats() (load.Stats, error) {
	a, err := f.ask(func(*member) request { return request{} })
	return a.Stats, err
}

// rss is the memory of all workers, in bytes, without what they could give back.
func (f *fleet) rss() (int64, error) {
	a, err := f.ask(func(*member) request { return request{Weigh: true} })
	return a.RSS, err
}

// cpu is the processor time of all workers.
func (f *fleet) cpu() (sum time.Duration, err error) {
	for _, m := range f.members {
		d, err := proc.CPU(m.child.PID)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// drain stops all sending and waits for what is in flight, until nothing has
// come for d.
func (f *fleet) drain(d time.Duration) (load.Stats, error) {
	a, err := f.ask(func(*member) request { return request{Drain: d} })
	return a.Stats, err
}

func (f *fleet) close() {
	for _, m := range f.members {
		m.child.Stop(5 * time.Second)
	}
}
