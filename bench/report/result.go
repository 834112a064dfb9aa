// Package report is the result of a benchmark: figures, charts over time and
// latency distributions, as text, JSON and HTML. It knows nothing of how they
// were measured.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"meerkat/bench/load"
	"meerkat/bench/proc"
)

// Result of one run of a scenario.
type Result struct {
	Scenario string
	Server   string
	Args     []string
	Settings []Setting
	Machine  proc.Machine
	Began    time.Time
	Took     time.Duration

	Figures   []Figure
	Slices    []Slice
	Series    []Series
	Latencies []Latency
}

// Setting is a flag and its value, default or not.
type Setting struct{ Name, Value string }

// Figure is one number that was found. Limit, if there is one, is the most, or
// with Least the least, that passes.
type Figure struct {
	Name  string
	Value float64
	Unit  string   `json:",omitempty"`
	Limit *float64 `json:",omitempty"`
	Least bool     `json:",omitempty"`
}

// Slice is one part of a run in which floor and server take turns.
type Slice struct {
	Of      string // "floor" or the server
	Rate    float64
	CPU     float64 // microseconds of the process per unit of work
	Work    uint64  // units done
	Seconds float64
	Others  float64 // CPU that other processes took meanwhile, in % of one core
}

// Series is a value over time.
type Series struct {
	Name string
	Unit string
	At   []float64 // seconds since the begin
	Y    []float64
}

// Latency is a distribution of durations.
type Latency struct {
	Name string
	Hist load.Hist
}

// Add appends a point.
func (s *Series) Add(at, y float64) { s.At, s.Y = append(s.At, at), append(s.Y, y) }

// Set notes a setting.
func (r *Result) Set(name, value string) { r.Settings = append(r.Settings, Setting{name, value}) }

// Figure notes a number.
func (r *Result) Figure(name string, value float64, unit string) {
	r.Figures = append(r.Figures, Figure{Name: name, Value: value, Unit: unit})
}

// Limited is AtMost, or Figure if limit is 0.
func (r *Result) Limited(name string, value float64, unit string, limit float64) {
	if limit > 0 {
		r.AtMost(name, value, unit, limit)
	} else {
		r.Figure(name, value, unit)
	}
}

// AtMost notes a number that may not be above limit.
func (r *Result) AtMost(name string, value float64, unit string, limit float64) {
	r.Figures = append(r.Figures, Figure{Name: name, Value: value, Unit: unit, Limit: &limit})
}

// AtLeast notes a number that may not be below limit.
func (r *Result) AtLeast(name string, value float64, unit string, limit float64) {
	r.Figures = append(r.Figures, Figure{Name: name, Value: value, Unit: unit, Limit: &limit, Least: true})
}

// Latency notes a distribution, and its usual quantiles as figures.
func (r *Result) Latency(name string, h load.Hist) {
	r.Latencies = append(r.Latencies, Latency{name, h})
	for _, q := range []struct {
		name string
		at   float64
	}{{"median", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
		r.Figure(name+", "+q.name, h.Quantile(q.at).Seconds()*1e3, "ms")
	}
}

// Value is the figure of this name.
func (r *Result) Value(name string) (float64, bool) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}

// setting is the value of a flag.
func (r *Result) setting(name string) string {
	for _, s := range r.Settings {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

// Chosen are the figures by which servers are compared, named so that they tell
// of the scenario and its settings.
func (r *Result) Chosen() (list []Figure) {
	what := r.Scenario
	switch r.Scenario {
	case "message":
		what = fmt.Sprintf("message, %s bytes, %s pairs, %s in flight", r.setting("body"), r.setting("pairs"), r.setting("window"))
	case "presence":
		what = fmt.Sprintf("presence to %s contacts, a stanza", r.setting("roster"))
	case "login":
		what = fmt.Sprintf("login, %s, TLS %s", r.setting("mech"), r.setting("tls"))
	case "idle":
		what = fmt.Sprintf("idle session, roster of %s, TLS %s", r.setting("roster"), r.setting("tls"))
	}
	for _, name := range []string{"CPU, median", "rate", "server RSS"} {
		for _, f := range r.Figures {
			if f.Name == name {
				list = append(list, Figure{Name: fmt.Sprintf("%s: %s (%s)", what, f.Name, f.Unit), Value: f.Value})
			}
		}
	}
	return list
}

// Kept reports whether f is within its limit.
func (f Figure) Kept() bool {
	switch {
	case f.Limit == nil:
		return true
	case f.Least:
		return f.Value >= *f.Limit
	}
	return f.Value <= *f.Limit
}

// Missed says which limits are not kept, and by what.
func (r *Result) Missed() (missed []string) {
	for _, f := range r.Figures {
		if !f.Kept() {
			missed = append(missed, fmt.Sprintf("%s is %s, want %s", f.Name, f.Text(), f.Want()))
		}
	}
	return missed
}

// Text is the value with its unit.
func (f Figure) Text() string { return join(Number(f.Value), f.Unit) }

// Want is the limit in words; "" if there is none.
func (f Figure) Want() string {
	switch {
	case f.Limit == nil:
		return ""
	case f.Least:
		return "at least " + join(Number(*f.Limit), f.Unit)
	}
	return "at most " + join(Number(*f.Limit), f.Unit)
}

func join(value, unit string) string {
	if unit == "" {
		return value
	}
	return value + " " + unit
}

// Number is v with about four digits that count.
func Number(v float64) string {
	switch a := max(v, -v); {
	case v == float64(int64(v)) || a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Print writes the figures as a table for people.
func (r *Result) Print(w io.Writer) {
	fmt.Fprintf(w, "%s of %s, %v on %d cores (%s)\n", r.Scenario, r.Server, r.Took.Round(time.Second), r.Machine.Cores, r.Machine.Kernel)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		note := f.Want()
		if !f.Kept() {
			note = "MISSED: " + note
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Name, f.Text(), note)
	}
	t.Flush()
}

// WriteJSON writes the result to a file.
func (r *Result) WriteJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	return r, nil
}

// Range is the smallest, the median and the largest of some values.
func Range(values []float64) (least, median, most float64) {
	if len(values) == 0 {
		return 0, 0, 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[0], (s[(len(s)-1)/2] + s[len(s)/2]) / 2, s[len(s)-1]
}
