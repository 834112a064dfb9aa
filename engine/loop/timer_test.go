package loop

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// clocked notes the tick at which it fires.
type clocked struct {
	t     Timer
	want  int64
	fired int64
	count int
}

func (c *clocked) Timeout(*Timer) { c.count++ }

func TestWheelFiresEveryTimerAtItsTick(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var w wheel
	w.init(0)
	var timers []*clocked
	for range 5000 {
		c := &clocked{want: 1 + rnd.Int64N([]int64{100, 5000, 300_000, 20_000_000, 40_000_000}[rnd.IntN(5)])}
		c.t.Owner = c
		w.set(&c.t, c.want)
		timers = append(timers, c)
	}
	sort.Slice(timers, func(i, j int) bool { return timers[i].want < timers[j].want })
	for now := int64(0); w.count > 0; {
		next := w.next()
		if next <= now {
			t.Fatalf("next says tick %d at tick %d", next, now)
		}
		now = next
		for tm := w.expired(now); tm != nil; tm = w.expired(now) {
			c := tm.Owner.(*clocked)
			c.fired, c.count = now, c.count+1
		}
	}
	for _, c := range timers {
		if c.fired != c.want || c.count != 1 {
			t.Fatalf("timer for tick %d fired %d times, at tick %d", c.want, c.count, c.fired)
		}
	}
}

func TestWheelSkipsLongSleepInOneStep(t *testing.T) {
	var w wheel
	w.init(0)
	var fired []int64
	for _, when := range []int64{70, 5000, 1 << 19} {
		c := &clocked{want: when}
		c.t.Owner = c
		w.set(&c.t, when)
	}
	for tm := w.expired(1 << 20); tm != nil; tm = w.expired(1 << 20) {
		fired = append(fired, tm.Owner.(*clocked).want)
	}
	if len(fired) != 3 || fired[0] != 70 || fired[1] != 5000 || fired[2] != 1<<19 {
		t.Errorf("fired %v, want 70, 5000, %d in order", fired, 1<<19)
	}
}

func TestStoppedAndResetTimersFireOnlyAsLastSet(t *testing.T) {
	g := NewManual(1, epoch)
	l := g.At(0)
	stopped, reset := &clocked{}, &clocked{}
	stopped.t.Owner, reset.t.Owner = stopped, reset
	l.Post(func() {
		l.Set(&stopped.t, time.Second)
		l.Set(&reset.t, time.Second)
		l.Set(&reset.t, time.Minute)
		l.Stop(&stopped.t)
		l.Stop(&stopped.t)
	})
	g.Advance(59 * time.Second)
	if stopped.count+reset.count != 0 {
		t.Fatalf("fired early: stopped %d, reset %d", stopped.count, reset.count)
	}
	g.Advance(2 * time.Second)
	if stopped.count != 0 || reset.count != 1 {
		t.Errorf("stopped fired %d times, want 0; reset %d, want 1", stopped.count, reset.count)
	}
}

func TestTimerNeverFiresEarlyAndAtMostATickLate(t *testing.T) {
	g := NewManual(1, epoch)
	l := g.At(0)
	for _, d := range []time.Duration{0, 1, 99 * time.Millisecond, 100 * time.Millisecond, 3050 * time.Millisecond, time.Hour} {
		g.Advance(37 * time.Millisecond)
		var set, at time.Time
		l.Post(func() {
			set = l.Now()
			l.Set(&Timer{Owner: Func(func() { at = l.Now() })}, d)
		})
		g.Advance(d + 2*Tick)
		if late := at.Sub(set) - d; at.IsZero() || late < 0 || late > Tick {
			t.Errorf("timer of %v fired %v late (at %v)", d, late, at)
		}
	}
}
