package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"meerkat/bench/load"
)

func sample() *Result {
	var h load.Hist
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	r := &Result{Scenario: "message", Server: "A & <B>", Began: time.Unix(1e9, 0).UTC(), Took: 90 * time.Second}
	r.Set("pairs", "500")
	r.Figure("rate", 12345.6, "messages/s")
	r.AtMost("lost", 1, "", 0)
	r.AtLeast("online", 10, "", 10)
	r.Latency("latency", h)
	r.Series = []Series{{Name: "CPU of the machine", Unit: "%", At: []float64{1, 2}, Y: []float64{10, 20}}}
	for i := range 4 {
		r.Slices = append(r.Slices, Slice{Of: []string{"floor", "server"}[i%2], CPU: float64(i), Rate: 1})
	}
	return r
}

func TestJSONComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	want := sample()
	if err := want.WriteJSON(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSON(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("came back as\n%+v\nwas\n%+v", got, want)
	}
}

func TestMissedNamesWhatIsNotKept(t *testing.T) {
	got := sample().Missed()
	if len(got) != 1 || got[0] != "lost is 1, want at most 0" {
		t.Errorf("missed %q", got)
	}
}

// The page has a chart for each series, distribution and set of turns, and
// what it quotes is escaped.
func TestHTMLHasCharts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.html")
	if err := sample().WriteHTML(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if n := strings.Count(page, "<svg"); n != 3 {
		t.Errorf("%d charts, want 3", n)
	}
	if !strings.Contains(page, "A &amp; &lt;B&gt;") || strings.Contains(page, "<B>") {
		t.Error("the server's name is not escaped")
	}
	if strings.Count(page, `class="missed"`) != 1 {
		t.Error("the missed limit does not stand out, or a kept one does")
	}
}

// Even poor data makes a page.
func TestHTMLOfLittle(t *testing.T) {
	var one, same load.Hist
	one.Record(time.Second)
	same.Record(5)
	same.Record(5)
	r := &Result{Latencies: []Latency{{"one", one}, {"same", same}, {"none", nil}},
		Slices: []Slice{{Of: "server"}}, Series: []Series{{At: []float64{1}, Y: []float64{1}}, {At: []float64{1, 2}, Y: []float64{0, 0}}}}
	if err := r.WriteHTML(filepath.Join(t.TempDir(), "r.html")); err != nil {
		t.Error(err)
	}
}

func TestRange(t *testing.T) {
	for _, row := range []struct {
		in   []float64
		want [3]float64
	}{{nil, [3]float64{}}, {[]float64{3}, [3]float64{3, 3, 3}}, {[]float64{4, 1, 2, 9}, [3]float64{1, 3, 9}}} {
		a, b, c := Range(row.in)
		if got := [3]float64{a, b, c}; got != row.want {
			t.Errorf("range of %v: %v, want %v", row.in, got, row.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 12: "12", 1234.5: "1234", 123.45: "123.5", 1.234: "1.23", 0.01234: "0.0123"} {
		if got := Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
