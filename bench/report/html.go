package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"os"
	"strconv"
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
		Charts  []figure
	}{r, "meerkat bench " + strings.Join(append([]string{r.Scenario}, r.Args...), " "), charts})
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// figure is a chart and what stands above it.
type figure struct {
	Title string
	SVG   template.HTML
}

// charts draws all there is to draw.
func (r *Result) charts() (list []figure, err error) {
	add := func(title string, c chart.Chart) {
		var b bytes.Buffer
		if e := c.Render(chart.SVG, &b); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", title, e)
		}
		list = append(list, figure{title, template.HTML(b.String())}) // made by the library, of our numbers and names
	}
	for _, s := range r.Series {
		if len(s.At) > 1 {
			add(s.Name, s.chart())
		}
	}
	for _, l := range r.Latencies {
		if l.Hist.Count() > 1 {
			add(l.Name, l.chart())
		}
	}
	if c, ok := slicesChart(r.Slices); ok {
		add("CPU in each turn", c)
	}
	return list, err
}

func newChart(x, y string) chart.Chart {
	c := chart.Chart{
		Width: 720, Height: 280,
		Background: chart.Style{Padding: chart.Box{Top: 20, Left: 10, Right: 20, Bottom: 10}},
	}
	c.XAxis.Name, c.YAxis.Name = x, y
	c.YAxisSecondary.Style = chart.Hidden()
	return c
}

// ticks are round numbers from 0 to most, about n of them.
func ticks(most float64, n int) (list []chart.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, m := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if most/step > float64(n) {
			step *= m
		}
	}
	for i := 0; float64(i-1)*step < most; i++ {
		v := float64(i) * step
		list = append(list, chart.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
	}
	return list
}

// chart is a value over time, on the axes of the talk's slides: per cent from 0
// to 100, memory from 0.
func (s Series) chart() chart.Chart {
	c := newChart("seconds", s.Unit)
	c.YAxis.Ticks = fromZero(s.Y)
	if strings.HasPrefix(s.Unit, "%") {
		c.YAxis.Ticks = ticks(100, 5)
	}
	c.XAxis.Ticks = ticks(s.At[len(s.At)-1], 10)
	c.Series = []chart.Series{line(s.Name, s.At, s.Y)}
	return c
}

// chart is the duration over the share that did not take longer, on an axis that
// gives each nine as much room, so that the tail is seen.
func (l Latency) chart() chart.Chart {
	c := newChart("of all, at most", "ms")
	total := float64(l.Hist.Count())
	var x, y []float64
	done := 0.0
	for i, n := range l.Hist {
		if n == 0 {
			continue
		}
		x = append(x, nines(done/total)) // where this bucket begins
		y = append(y, load.Edge(i).Seconds()*1e3)
		done += float64(n)
	}
	end := nines(1 - 1/total) // the slowest one
	x, y = append(x, end), append(y, y[len(y)-1])
	c.Series = []chart.Series{line(l.Name, x, y)}
	c.YAxis.Ticks = fromZero(y)
	for i, label := range []string{"0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"} {
		if float64(i-1) < max(end, 1) {
			c.XAxis.Ticks = append(c.XAxis.Ticks, chart.Tick{Value: float64(i), Label: label})
		}
	}
	return c
}

// nines is how many nines a share has: 0.9 one, 0.99 two.
func nines(share float64) float64 { return max(0, -math.Log10(max(1-share, 1e-9))) }

// fromZero are the ticks of an axis that has all of y and begins at 0.
func fromZero(y []float64) []chart.Tick {
	_, _, most := Range(y)
	return ticks(max(most, 1e-9), 5)
}

func line(name string, x, y []float64) chart.ContinuousSeries {
	return chart.ContinuousSeries{Name: name, XValues: x, YValues: y}
}

// slicesChart is the CPU of each turn of server and floor, if each had two.
func slicesChart(slices []Slice) (chart.Chart, bool) {
	c := newChart("turn", "us")
	var names []string
	points := map[string]*chart.ContinuousSeries{}
	var all []float64
	for _, s := range slices {
		p := points[s.Of]
		if p == nil {
			p = &chart.ContinuousSeries{Name: s.Of}
			points[s.Of] = p
			names = append(names, s.Of)
		}
		p.XValues = append(p.XValues, float64(len(p.XValues)+1))
		p.YValues = append(p.YValues, s.CPU)
		all = append(all, s.CPU)
		if n := len(p.XValues); n > len(c.XAxis.Ticks) {
			c.XAxis.Ticks = append(c.XAxis.Ticks, chart.Tick{Value: float64(n), Label: strconv.Itoa(n)})
		}
	}
	for _, n := range names {
		if len(points[n].XValues) < 2 {
			return c, false
		}
		c.Series = append(c.Series, *points[n])
	}
	c.YAxis.Ticks = fromZero(all)
	c.Background.Padding.Top = 60 // for the legend
	c.Elements = []chart.Renderable{chart.LegendThin(&c)}
	return c, len(names) > 0
}
