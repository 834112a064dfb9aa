package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A bucket's edge is in that bucket, and edges rise.
func TestHistEdges(t *testing.T) {
	for i := range histSize {
		if got := bucket(Edge(i)); got != i {
			t.Fatalf("bucket of the edge of %d (%d ns) is %d", i, Edge(i), got)
		}
		if i > 0 && Edge(i) <= Edge(i-1) {
			t.Fatalf("edge %d is %d, not above %d", i, Edge(i), Edge(i-1))
		}
	}
}

func TestHistQuantiles(t *testing.T) {
	var h Hist
	all := make([]time.Duration, 10000)
	for i := range all {
		all[i] = time.Duration(rand.ExpFloat64() * 1e6)
		h.Record(all[i])
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := h.Quantile(q); got > want || want-got > want/32+1 {
			t.Errorf("quantile %v: %v, want %v less at most 1/32", q, got, want)
		}
	}
}

func TestHistSince(t *testing.T) {
	var h, before Hist
	h.Record(time.Millisecond)
	before.Add(h)
	h.Record(time.Second)
	if d := h.Since(before); d.Count() != 1 || d.Quantile(0.5) < 900*time.Millisecond {
		t.Errorf("since: %d recorded, median %v, want the 1 s one", d.Count(), d.Quantile(0.5))
	}
}
