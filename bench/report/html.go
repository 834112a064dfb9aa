package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"strings"

	"github.com/wcharczuk/go-chart/v2"

	"meerkat/bench/load"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"number": Number}).Parse(page))

// WriteHTML writes the result as one page with its charts in it.
func (r *Result) WriteHTML(path string) error {
	charts, err := r.charts()
	if err != nil {
		return fmt.Errorf("report: chart: %w", err)
	}
	var b bytes.Buffer
	err = pageTemplate.Execute(&b, struct {
		*Result
		Command string
		Charts  []template.HTML
	}{r, "meerkat bench " + strings.Join(append([]string{r.Scenario}, r.Args...), " "), charts})
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// charts draws all there is to draw.
func (r *Result) charts() (list []template.HTML, err error) {
	add := func(c chart.Chart) {
		var b bytes.Buffer
		if e := c.Render(chart.SVG, &b); e != nil && err == nil {
			err = e
		}
		list = append(list, template.HTML(b.String())) // made by the library, of our numbers and names
	}
	for _, s := range r.Series {
		if len(s.At) > 1 {
			add(s.chart())
		}
	}
	for _, l := range r.Latencies {
		if l.Hist.Count() > 1 {
			add(l.chart())
		}
	}
	if c, ok := slicesChart(r.Slices); ok {
		add(c)
	}
	return list, err
}

func newChart(title, x, y string) chart.Chart {
	c := chart.Chart{
		Title: title, Width: 720, Height: 300,
		Background: chart.Style{Padding: chart.Box{Top: 40, Left: 10, Right: 20, Bottom: 10}},
	}
	c.XAxis.Name, c.YAxis.Name = x, y
	return c
}

// chart is a value over time, on the axes of the talk's slides: per cent from 0
// to 100, memory from 0.
func (s Series) chart() chart.Chart {
	c := newChart(s.Name, "seconds", s.Unit)
	_, _, most := Range(s.Y)
	if strings.HasPrefix(s.Unit, "%") {
		most = 100
	}
	c.YAxis.Range = &chart.ContinuousRange{Min: 0, Max: most*1.05 + 1e-9}
	c.Series = []chart.Series{chart.ContinuousSeries{Name: s.Name, XValues: s.At, YValues: s.Y}}
	return c
}

// chart is the share of durations that were longer, both on logarithmic axes,
// so that the tail is seen.
func (l Latency) chart() chart.Chart {
	c := newChart(l.Name+": share that took longer", "ms", "share")
	c.XAxis.Range = &chart.LogarithmicRange{}
	c.YAxis.Range = &chart.LogarithmicRange{}
	left := l.Hist.Count()
	total := float64(left)
	var x, y []float64
	for i, n := range l.Hist {
		if n == 0 || i == 0 {
			continue
		}
		left -= min(n, left)
		if left > 0 {
			x = append(x, load.Edge(i).Seconds()*1e3)
			y = append(y, float64(left)/total)
		}
	}
	if len(x) < 2 { // all alike: a flat line says so
		at := max(l.Hist.Quantile(1).Seconds()*1e3, 1e-6)
		x, y = []float64{at / 2, at}, []float64{1, 0.5}
	}
	c.Series = []chart.Series{chart.ContinuousSeries{Name: l.Name, XValues: x, YValues: y}}
	c.XAxis.ValueFormatter = func(v any) string { return Number(v.(float64)) }
	c.YAxis.ValueFormatter = c.XAxis.ValueFormatter
	return c
}

// slicesChart is the CPU of each turn of server and floor, if each had two.
func slicesChart(slices []Slice) (chart.Chart, bool) {
	c := newChart("CPU in each turn", "turn", "us")
	var names []string
	points := map[string]*chart.ContinuousSeries{}
	most := 0.0
	for _, s := range slices {
		p := points[s.Of]
		if p == nil {
			p = &chart.ContinuousSeries{Name: s.Of}
			points[s.Of] = p
			names = append(names, s.Of)
		}
		p.XValues = append(p.XValues, float64(len(p.XValues)+1))
		p.YValues = append(p.YValues, s.CPU)
		most = max(most, s.CPU)
	}
	for _, n := range names {
		if len(points[n].XValues) < 2 {
			return c, false
		}
		c.Series = append(c.Series, *points[n])
	}
	c.YAxis.Range = &chart.ContinuousRange{Min: 0, Max: most*1.05 + 1e-9}
	c.Elements = []chart.Renderable{chart.LegendLeft(&c)}
	return c, len(names) > 0
}
