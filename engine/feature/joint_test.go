package feature

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"meerkat/engine/loop"
	"meerkat/store"
)

// straight runs handlers, and routes nothing.
type straight struct{ Router }

func (straight) Run(fn func()) { fn() }

// bench is an Env with two features that collect.
type jointPlay struct {
	*Env
	t     *testing.T
	group *loop.Group
	st    *store.Store
	has   [2]int // what each has collected
	said  []string
	block chan bool // the store's writer waits for it, if not nil
}

var errOnPurpose = errors.New("on purpose")

func newJointPlay(t *testing.T) *jointPlay {
	st, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	g := loop.NewManual(1, time.Unix(1e9, 0))
	p := &jointPlay{t: t, group: g, st: st}
	p.Env = &Env{Loop: g.At(0), Store: st, Router: straight{}}
	for i := range p.has {
		p.Collects(func() { p.issue(i) })
	}
	return p
}

func (p *jointPlay) issue(i int) {
	n := p.has[i]
	if p.has[i] = 0; n == 0 {
		return
	}
	block := p.block
	p.Update(func(*store.Tx) error {
		if block != nil {
			<-block
		}
		if n == 13 {
			return errOnPurpose
		}
		return nil
	}, func(err error) {
		p.say("%d has %d stored: %v", i, n, err)
		if n == 17 {
			panic("on purpose")
		}
	})
}

func (p *jointPlay) collect(i, n int) {
	p.has[i] += n
	p.Collected()
}

func (p *jointPlay) say(format string, args ...any) {
	p.said = append(p.said, fmt.Sprintf(format, args...))
}

// expect turns until all of want has been said, in order, and nothing else.
func (p *jointPlay) expect(want ...string) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); len(p.said) < len(want) && time.Now().Before(end); {
		p.turn()
	}
	for range 3 {
		time.Sleep(time.Millisecond)
		p.turn()
	}
	if !slices.Equal(p.said, want) {
		p.t.Fatalf("said %q, want %q", p.said, want)
	}
	p.said = nil
}

func (p *jointPlay) turn() { p.group.Turn() }

// What features collect is one update, in the order of the features, and who waits
// for it hears when all is stored.
func TestJointUpdates(t *testing.T) {
	p := newJointPlay(t)
	before := p.st.Stats().Updates
	p.collect(1, 1)
	p.collect(0, 2)
	p.collect(1, 3)
	p.WhenSettled(func() { p.say("settled") })
	if len(p.said) > 0 {
		t.Fatal("settled before it is stored")
	}
	p.expect("0 has 2 stored: <nil>", "1 has 4 stored: <nil>", "settled")
	if n := p.st.Stats().Updates - before; n != 1 {
		t.Errorf("%d updates, want 1", n)
	}
	p.WhenSettled(func() { p.say("settled") })
	p.expect("settled")
}

// A joint update is stored as a whole or not at all, and those after it are none
// the worse; nor are they for a panic.
func TestJointUpdatesThatFail(t *testing.T) {
	p := newJointPlay(t)
	p.collect(0, 1)
	p.collect(1, 13)
	p.expect("0 has 1 stored: on purpose", "1 has 13 stored: on purpose")
	p.collect(0, 17)
	p.collect(1, 2)
	p.WhenSettled(func() { p.say("settled") })
	p.expect("0 has 17 stored: <nil>", "1 has 2 stored: <nil>", "settled")
	for range 3 {
		p.collect(0, 17)
		p.WhenSettled(func() { p.say("settled") })
		p.expect("0 has 17 stored: <nil>", "settled")
	}
	p.collect(1, 3)
	p.expect("1 has 3 stored: <nil>")
	p.st.Close()
	p.collect(1, 4)
	p.WhenSettled(func() { p.say("settled") })
	p.expect("1 has 4 stored: "+store.ErrClosed.Error(), "settled")
}

// While two are on their way, what comes is collected; what is much goes at once.
func TestTwoJointUpdatesAtATime(t *testing.T) {
	p := newJointPlay(t)
	p.block = make(chan bool)
	for i := range 6 {
		p.collect(0, 1)
		p.turn()
		p.turn()
		if i == 0 {
			waitFor(t, func() bool { return p.flying() == 1 })
		}
	}
	if p.flying() != maxFlying || p.has[0] != 4 {
		t.Errorf("%d on their way, %d collected; want %d and 4", p.flying(), p.has[0], maxFlying)
	}
	p.WhenSettled(func() { p.say("settled") })
	p.collect(1, 1)
	p.JoinFull()
	p.collect(1, 1) // of the same handler
	p.turn()
	if p.flying() != maxFlying+1 || p.has != [2]int{} {
		t.Errorf("%d on their way, %v collected; want one more, and nothing", p.flying(), p.has)
	}
	close(p.block)
	p.expect("0 has 1 stored: <nil>", "0 has 1 stored: <nil>", "0 has 4 stored: <nil>", "1 has 2 stored: <nil>", "settled")
	if p.flying() != 0 {
		t.Errorf("%d on their way, want none", p.flying())
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for nothing")
		}
	}
}
