package metric

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type kind uint8

const (
	counter kind = iota
	gauge
	histogram
)

// family is a declared metric with all its columns.
type family struct {
	name, help string
	kind       kind
	col        uint32
	label      string
	values     []string
	bounds     []float64
	fn         func() float64
	hist       func() (counts []uint64, sum float64)
	desc       *prometheus.Desc
}

// registry holds all families of the process, by name.
var registry struct {
	sync.Mutex
	families []*family // guarded by Mutex, sorted by name
	next     uint32    // guarded by Mutex: first free column
}

// reserve takes n neighbouring columns.
func reserve(n int) uint32 {
	registry.Lock()
	defer registry.Unlock()
	col := registry.next
	if int(col)+n > columns {
		panic(fmt.Sprintf("metric: more than %d cells declared", columns))
	}
	registry.next += uint32(n)
	return col
}

var validName = regexp.MustCompile(`^meerkat(_[a-z0-9]+){2,}$`)

// register puts f among the families. Functions may be replaced by name.
func register(f *family) {
	if !validName.MatchString(f.name) || (f.kind == counter) != strings.HasSuffix(f.name, "_total") {
		panic(fmt.Sprintf("metric: bad name %q: want meerkat_<package>_<what>_<unit>, and _total on counters only", f.name))
	}
	var labels []string
	if f.label != "" {
		labels = []string{f.label}
	}
	f.desc = prometheus.NewDesc(f.name, f.help, labels, nil)

	registry.Lock()
	defer registry.Unlock()
	i, found := slices.BinarySearchFunc(registry.families, f.name, func(g *family, name string) int {
		return strings.Compare(g.name, name)
	})
	switch {
	case !found:
		registry.families = slices.Insert(registry.families, i, f)
	case f.onDemand() && registry.families[i].onDemand():
		registry.families[i] = f
	default:
		panic(fmt.Sprintf("metric: %s is declared twice", f.name))
	}
}

// onDemand says that a function keeps f's values.
func (f *family) onDemand() bool { return f.fn != nil || f.hist != nil }

// families is a copy of what is declared now.
func families() []*family {
	registry.Lock()
	defer registry.Unlock()
	return slices.Clone(registry.families)
}

// collector shows all families. It describes none of them ahead, as metrics of
// functions may come later; register has checked names already.
type collector struct{}

// Collector is the registry as Prometheus wants it.
func Collector() prometheus.Collector { return collector{} }

func (collector) Describe(chan<- *prometheus.Desc) {}

func (collector) Collect(out chan<- prometheus.Metric) {
	for _, f := range families() {
		f.collect(out)
	}
}

func (f *family) collect(out chan<- prometheus.Metric) {
	typ := prometheus.CounterValue
	if f.kind == gauge {
		typ = prometheus.GaugeValue
	}
	switch {
	case f.kind == histogram:
		count, total, buckets := f.histogram()
		out <- prometheus.MustNewConstHistogram(f.desc, count, total, buckets)
	case f.label != "":
		for i, v := range f.values {
			out <- prometheus.MustNewConstMetric(f.desc, typ, f.value(i), v)
		}
	default:
		out <- prometheus.MustNewConstMetric(f.desc, typ, f.value(0))
	}
}

// value is the number of column i, or what the function says.
func (f *family) value(i int) float64 {
	switch {
	case f.fn != nil:
		return f.fn()
	case f.kind == gauge:
		return float64(int64(sum(f.col + uint32(i))))
	default:
		return float64(sum(f.col + uint32(i)))
	}
}

// histogram gives the buckets cumulated, as Prometheus counts them.
func (f *family) histogram() (count uint64, total float64, buckets map[float64]uint64) {
	counts, total := f.counts()
	buckets = make(map[float64]uint64, len(f.bounds))
	for i, n := range counts {
		count += n
		if i < len(f.bounds) {
			buckets[f.bounds[i]] = count
		}
	}
	return count, total, buckets
}

// counts gives the buckets as they are counted.
func (f *family) counts() (counts []uint64, total float64) {
	if f.hist != nil {
		return f.hist()
	}
	counts = make([]uint64, len(f.bounds)+1)
	for i := range counts {
		counts[i] = sum(f.col + uint32(i))
	}
	return counts, sumFloat(f.col + uint32(len(counts)))
}

// Snapshot is every metric by name, with {label="value"} where it has one. A
// histogram gives its _count and its _sum. For tests and the command line.
func Snapshot() map[string]float64 {
	all := map[string]float64{}
	for _, f := range families() {
		switch {
		case f.kind == histogram:
			count, total, _ := f.histogram()
			all[f.name+"_count"], all[f.name+"_sum"] = float64(count), total
		case f.label != "":
			for i, v := range f.values {
				all[fmt.Sprintf("%s{%s=%q}", f.name, f.label, v)] = f.value(i)
			}
		default:
			all[f.name] = f.value(0)
		}
	}
	return all
}

// Handler serves all families and those of the Go runtime and the process
// (memory, CPU, descriptors) in the text formats of Prometheus. open counts the
// descriptors; nil leaves them out.
func Handler(open func() (int, error)) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(Collector(), collectors.NewGoCollector(), processCollector{open})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
