// Package metric counts what loops do without making them meet, and shows the
// sums to Prometheus. It knows nothing of what is counted.
//
// Every loop owns a row of cells, every metric owns one or more columns, so an
// Add is one uncontended atomic instruction on memory that only its loop
// writes: no lock, no map, no allocation. Rows are summed when somebody looks.
// The table is zero memory of the kernel until touched: 8 bytes a metric and
// loop in the end.
//
// Metrics are declared as package variables in the file that counts them, with
// names meerkat_<package>_<what>_<unit>, counters ending in _total. A bad or a
// doubled name is our own bug and panics at start.
package metric

import (
	"fmt"
	"math"
	"sync/atomic"
)

const (
	// rows bounds how many loops count on memory of their own. More loops than
	// that share rows, which is slower and as exact.
	rows = 256
	// columns bounds the cells of all metrics together.
	columns = 4096
)

// OffLoop is the shard of every goroutine that is not a loop. They share a row.
const OffLoop = -1

var cells [rows][columns]uint64

// cell is the counter of shard, the index of a loop or OffLoop, in column col.
func cell(shard int, col uint32) *uint64 {
	return &cells[uint(shard)%rows][col%columns]
}

// sum adds up column col of all rows. Counts made meanwhile may be in or not.
func sum(col uint32) (n uint64) {
	for r := range cells {
		n += atomic.LoadUint64(&cells[r][col])
	}
	return n
}

// Counter only grows.
type Counter struct{ col uint32 }

// NewCounter declares a counter. help is one sentence with the unit in it.
func NewCounter(name, help string) *Counter {
	c := &Counter{col: reserve(1)}
	register(&family{name: name, help: help, kind: counter, col: c.col})
	return c
}

// Add counts n more on a shard, the index of the loop that calls or OffLoop.
func (c *Counter) Add(shard int, n uint64) { atomic.AddUint64(cell(shard, c.col), n) }

// Value is the sum over all shards.
func (c *Counter) Value() uint64 { return sum(c.col) }

// CounterVec is one counter for each of a few values of a label, all known at
// compile time: what a client sends must never name a metric.
type CounterVec struct {
	col uint32
	n   int
}

// NewCounterVec declares a counter for each of values, which are addressed by
// their position.
func NewCounterVec(name, help, label string, values ...string) *CounterVec {
	v := newVec(counter, name, help, label, values)
	return &v
}

func newVec(k kind, name, help, label string, values []string) CounterVec {
	if len(values) == 0 || label == "" {
		panic(fmt.Sprintf("metric: %s needs a label and its values", name))
	}
	v := CounterVec{col: reserve(len(values)), n: len(values)}
	register(&family{name: name, help: help, kind: k, col: v.col, label: label, values: values})
	return v
}

// Add counts n more for value number i.
func (v *CounterVec) Add(shard, i int, n uint64) { atomic.AddUint64(cell(shard, v.at(i)), n) }

// Value is the sum over all shards for value number i.
func (v *CounterVec) Value(i int) uint64 { return sum(v.at(i)) }

// at is the column of value i. A wrong i must not count for another metric.
func (v *CounterVec) at(i int) uint32 {
	if uint(i) >= uint(v.n) {
		panic(fmt.Sprintf("metric: value %d of %d", i, v.n))
	}
	return v.col + uint32(i)
}

// Gauge goes up and down. A shard's own part may be negative, when a
// connection opens on one loop and closes on another; the sum is what counts.
type Gauge struct{ col uint32 }

// NewGauge declares a gauge that starts at zero.
func NewGauge(name, help string) *Gauge {
	g := &Gauge{col: reserve(1)}
	register(&family{name: name, help: help, kind: gauge, col: g.col})
	return g
}

// Add moves the gauge by n.
func (g *Gauge) Add(shard int, n int64) { atomic.AddUint64(cell(shard, g.col), uint64(n)) }

// Value is the sum over all shards.
func (g *Gauge) Value() int64 { return int64(sum(g.col)) }

// GaugeVec is one gauge for each of a few values of a label, as CounterVec is
// for counters.
type GaugeVec struct{ vec CounterVec }

// NewGaugeVec declares a gauge for each of values, which are addressed by their
// position.
func NewGaugeVec(name, help, label string, values ...string) *GaugeVec {
	return &GaugeVec{newVec(gauge, name, help, label, values)}
}

// Add moves the gauge of value number i by n.
func (v *GaugeVec) Add(shard, i int, n int64) { v.vec.Add(shard, i, uint64(n)) }

// Value is the sum over all shards for value number i.
func (v *GaugeVec) Value(i int) int64 { return int64(v.vec.Value(i)) }

// NewGaugeFunc declares a gauge that fn reads when somebody looks; fn may be
// called from any goroutine, several at once. A later fn for the same name takes
// the place of the earlier one, as a server made anew in the same process needs.
func NewGaugeFunc(name, help string, fn func() float64) {
	register(&family{name: name, help: help, kind: gauge, fn: fn})
}

// NewCounterFunc is NewGaugeFunc for a number that only grows and is counted
// elsewhere.
func NewCounterFunc(name, help string, fn func() float64) {
	register(&family{name: name, help: help, kind: counter, fn: fn})
}

// NewHistogramFunc is NewGaugeFunc for a histogram that is kept elsewhere. fn
// gives a count for each of bounds, not cumulated, and one for what is above the
// last.
func NewHistogramFunc(name, help string, bounds []float64, fn func() (counts []uint64, sum float64)) {
	register(&family{name: name, help: help, kind: histogram, bounds: bounds, hist: fn})
}

// Histogram counts observations by size. Its columns are one for each bound,
// one for what is above the last, and the sum as bits of a float64.
type Histogram struct {
	col    uint32
	bounds []float64
}

// NewHistogram declares a histogram. bounds are the upper ends of its buckets,
// inclusive and rising.
func NewHistogram(name, help string, bounds []float64) *Histogram {
	for i, b := range bounds {
		if i > 0 && b <= bounds[i-1] {
			panic(fmt.Sprintf("metric: bounds of %s do not rise: %v", name, bounds))
		}
	}
	h := &Histogram{col: reserve(len(bounds) + 2), bounds: bounds}
	register(&family{name: name, help: help, kind: histogram, col: h.col, bounds: bounds})
	return h
}

// Observe counts v.
func (h *Histogram) Observe(shard int, v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	atomic.AddUint64(cell(shard, h.col+uint32(i)), 1)
	addFloat(cell(shard, h.col+uint32(len(h.bounds)+1)), v)
}

// addFloat adds v to the float64 in p. It loops only off the loops, where
// goroutines share a row.
func addFloat(p *uint64, v float64) {
	for {
		old := atomic.LoadUint64(p)
		if atomic.CompareAndSwapUint64(p, old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// sumFloat adds up a column of float64s.
func sumFloat(col uint32) (v float64) {
	for r := range cells {
		v += math.Float64frombits(atomic.LoadUint64(&cells[r][col]))
	}
	return v
}
