package loop

import (
	"sync/atomic"
	"time"

	"meerkat/engine/metric"
)

// bytes out / turns is how much a turn writes; wakes / turns how often a loop
// slept when there was work.
var (
	turns = metric.NewCounter("meerkat_loop_turns_total",
		"Turns of the event loops.")
	slowTurns = metric.NewCounter("meerkat_loop_slow_turns_total",
		"Turns that took longer than 10 ms.")
	turnSeconds = metric.NewHistogram("meerkat_loop_turn_seconds",
		"Length of turns.", []float64{.0001, .001, .01, .1, 1})
	conns = metric.NewGauge("meerkat_loop_connections",
		"Sockets on the event loops.")
	bytesIn = metric.NewCounter("meerkat_loop_read_bytes_total",
		"Bytes read from sockets.")
	bytesOut = metric.NewCounter("meerkat_loop_written_bytes_total",
		"Bytes given to sockets.")
	sent = metric.NewCounter("meerkat_loop_sent_total",
		"Packets and functions that loops sent each other or themselves.")
	panics = metric.NewCounter("meerkat_loop_panics_total",
		"Panics caught in handlers, functions and timers.")
	refused = metric.NewCounter("meerkat_loop_work_refused_total",
		"Functions refused because too many waited for a worker.")
)

// Connections is how many sockets are on the loops of this process.
func Connections() int { return int(conns.Value()) }

// Stats is what a loop has done since it started.
type Stats struct {
	Turns, SlowTurns  uint64
	Sent              uint64 // packets and functions, to others and to itself
	Wakes             uint64 // times that mail or the tick woke it
	BytesIn, BytesOut uint64
	Conns             int64 // now
}

type stats struct {
	turns, slow, sent, wakes, in, out atomic.Uint64
	conns                             atomic.Int64
}

// tally is what a turn counts, told to stats and metrics once at its end.
type tally struct {
	in, out, sent uint64
	conns         int64
}

// Stats may be called from any goroutine.
func (l *Loop) Stats() Stats {
	s := &l.stats
	return Stats{
		Turns: s.turns.Load(), SlowTurns: s.slow.Load(), Sent: s.sent.Load(), Wakes: s.wakes.Load(),
		BytesIn: s.in.Load(), BytesOut: s.out.Load(), Conns: s.conns.Load(),
	}
}

// account tells what the turn that has ended did.
func (l *Loop) account() {
	l.timeTurn(l.group.clock().Sub(l.now))
	n := l.n
	l.n = tally{}
	count(&l.stats.in, bytesIn, l.Index, n.in)
	count(&l.stats.out, bytesOut, l.Index, n.out)
	count(&l.stats.sent, sent, l.Index, n.sent)
	if n.conns != 0 {
		l.stats.conns.Add(n.conns)
		conns.Add(l.Index, n.conns)
	}
}

func (l *Loop) timeTurn(d time.Duration) {
	count(&l.stats.turns, turns, l.Index, 1)
	turnSeconds.Observe(l.Index, d.Seconds())
	if d >= slowTurn {
		count(&l.stats.slow, slowTurns, l.Index, 1)
	}
	if d >= alarmTurn {
		l.group.opt.OnSlowTurn(l.Index, d)
	}
}

func count(mine *atomic.Uint64, all *metric.Counter, shard int, n uint64) {
	if n > 0 {
		mine.Add(n)
		all.Add(shard, n)
	}
}
