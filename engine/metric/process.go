package metric

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// processCollector tells of the process what the process collector of
// client_golang tells under the same names, but has its descriptors counted by
// somebody who knows most of them: with a million of them a look at each takes
// seconds on kernels that do not keep their number (before 6.2).
type processCollector struct{ open func() (int, error) }

var (
	processCPU     = processDesc("cpu_seconds_total", "CPU time, the kernel's for it included.")
	processOpen    = processDesc("open_fds", "Open files, connections included.")
	processMax     = processDesc("max_fds", "Files that may be open.")
	processVirtual = processDesc("virtual_memory_bytes", "Address space in use.")
	processRSS     = processDesc("resident_memory_bytes", "Memory that is resident, files' pages included.")
	processStart   = processDesc("start_time_seconds", "When it began, since 1970.")
)

func processDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("process_"+name, help, nil, nil)
}

// Describe is prometheus.Collector's.
func (c processCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{processCPU, processOpen, processMax, processVirtual, processRSS, processStart} {
		ch <- d
	}
}

// Collect is prometheus.Collector's. What cannot be read is left out: a scrape
// tells the rest.
func (c processCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, err error) {
		if err == nil {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
		}
	}
	if c.open != nil {
		n, err := c.open()
		gauge(processOpen, float64(n), err)
	}
	p, err := procfs.Self()
	if err != nil {
		return
	}
	if limits, err := p.Limits(); err == nil {
		gauge(processMax, float64(limits.OpenFiles), nil)
	}
	st, err := p.Stat()
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(processCPU, prometheus.CounterValue, st.CPUTime())
	gauge(processVirtual, float64(st.VirtualMemory()), nil)
	gauge(processRSS, float64(st.ResidentMemory()), nil)
	start, err := st.StartTime()
	gauge(processStart, start, err)
}
