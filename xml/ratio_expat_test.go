//go:build expat

package xml

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"meerkat/xml/internal/expat"
)

// lane is one way to read the mix in TestRatio.
type lane struct {
	name  string
	want  float64 // as a multiple of libexpat, in pushes of 4 KB
	want1 float64 // the same, in pushes of one byte
	total int     // bytes of the mix in one pass
	pass  func(b []byte, ends []int)
	over  *lane     // what it does more than
	mbs   []float64 // of each slice and round
}

// TestRatio times libexpat and us by turns over the same slices of the mix, so
// that both meet the same noise, and prints megabytes a second and ratios. It
// takes a minute: set MEERKAT_RATIO to the number of rounds to run it.
func TestRatio(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("MEERKAT_RATIO"))
	if rounds == 0 {
		t.Skip("MEERKAT_RATIO is not set")
	}
	mix, ends := benchMix()
	lanes := ratioLanes(t)
	base := &lanes[0]
	for range rounds {
		for from := 0; from < len(ends); {
			to := min(from+len(ends)/256, len(ends)) // short, so that some are not interrupted
			off := 0
			if from > 0 {
				off = ends[from-1]
			}
			for i := range lanes {
				lanes[i].time(mix, ends[from:to], off)
			}
			from = to
		}
	}
	for i := range lanes {
		l := &lanes[i]
		if l.over != nil {
			fmt.Printf("%-18s takes %.2f times as long, %.0f ns a stanza\n", l.name, l.over.calm(rounds)/l.calm(rounds), l.perStanza(ends, rounds))
		}
		lo, mid, hi := base.compare(l)
		calm := l.calm(rounds) / base.calm(rounds)
		fmt.Printf("%-18s %7.1f MB/s, median %7.1f; %6.2f times libexpat; of slices min %5.2f median %5.2f max %6.2f; want %.1f\n",
			l.name, l.calm(rounds), quantile(l.mbs, 0.5), calm, lo, mid, hi, l.want)
		if one := l.calm(rounds) / lanes[1].calm(rounds); l.want1 > 0 {
			fmt.Printf("%-18s %.2f times libexpat pushed one byte at a time; want %.1f\n", l.name, one, l.want1)
			if one < l.want1 {
				t.Errorf("%s: %.2f times libexpat pushed one byte at a time, want %.1f", l.name, one, l.want1)
			}
		}
		if calm < l.want {
			t.Errorf("%s: %.2f times libexpat, want %.1f", l.name, calm, l.want)
		}
	}
}

// time runs one slice, which begins at off.
func (l *lane) time(mix []byte, ends []int, off int) {
	n := indexOf(ends, off+min(l.total, ends[len(ends)-1]-off))
	b := mix[off:ends[n]]
	rel := make([]int, n+1)
	for i := range rel {
		rel[i] = ends[i] - off
	}
	t := time.Now()
	l.pass(b, rel)
	l.mbs = append(l.mbs, float64(len(b))/1e6/time.Since(t).Seconds())
}

// calm is the speed over all slices, each at its best of all rounds.
func (l *lane) calm(rounds int) float64 {
	slices, sum := len(l.mbs)/rounds, 0.0
	for i := range slices {
		best := 0.0
		for j := i; j < len(l.mbs); j += slices {
			best = max(best, l.mbs[j])
		}
		sum += 1 / best
	}
	return float64(slices) / sum
}

// perStanza is the time of an average stanza in nanoseconds.
func (l *lane) perStanza(ends []int, rounds int) float64 {
	return float64(ends[len(ends)-1]) / float64(len(ends)) / l.calm(rounds) * 1e3
}

// compare returns how many times faster than l the other is, slice by slice.
func (l *lane) compare(other *lane) (lo, mid, hi float64) {
	var r []float64
	for i := range l.mbs {
		r = append(r, other.mbs[i]/l.mbs[i])
	}
	return quantile(r, 0), quantile(r, 0.5), quantile(r, 1)
}

func quantile(v []float64, q float64) float64 {
	s := append([]float64{}, v...)
	sort.Float64s(s)
	return s[int(q*float64(len(s)-1))]
}

func ratioLanes(t *testing.T) []lane {
	x := expat.New(false)
	t.Cleanup(x.Close)
	x.Feed([]byte(mixHeader), 4096)
	x1 := expat.New(false)
	t.Cleanup(x1.Close)
	x1.Feed([]byte(mixHeader), 4096)
	all := int(mixSize)
	lanes := []lane{
		{name: "libexpat 4096", total: all, pass: func(b []byte, _ []int) { must(t, x.Feed(b, 4096)) }},
		{name: "libexpat 1", total: 2e4, pass: func(b []byte, _ []int) { must(t, x1.Feed(b, 1)) }},
		{name: "one stanza", want: 10, total: all, pass: stanzaPass(t, nil)},
		{name: "stanza, forwarded", total: all, pass: stanzaPass(t, &Edit{To: []byte("juliet@example.com/balcony.1234567"), From: []byte("romeo@example.net/orchard.1234567")})},
	}
	for _, x := range []struct {
		name        string
		size, total int
		want        float64
		avx2        bool
	}{
		{"64 KB", 64 << 10, all, 10, true},
		{"16 KB", 16 << 10, all, 8.5, true},
		{"1460", 1460, all, 6, true},
		{"64", 64, all, 4, true},
		{"1", 1, all, 0, true},
		{"64 KB portable", 64 << 10, all, 5, false},
	} {
		lanes = append(lanes, lane{name: x.name, want: x.want, total: x.total, pass: readPass(t, x.size, x.avx2)})
	}
	lanes[3].over = &lanes[2]
	lanes[8].want1 = 2
	return lanes
}

func must(t *testing.T, code int) {
	if code != 0 {
		t.Fatal("libexpat: error", code)
	}
}

func readPass(t *testing.T, size int, avx2 bool) func([]byte, []int) {
	p, s := NewParser(), new(State)
	p.Next(s, []byte(mixHeader), &testLimits)
	read := make([]byte, size, size+64)
	return func(b []byte, _ []int) {
		was := hasAVX2
		hasAVX2 = avx2 && was
		if _, err := feedAll(p, s, read, b, size); err != nil {
			t.Fatal(err)
		}
		hasAVX2 = was
	}
}

func stanzaPass(t *testing.T, ed *Edit) func([]byte, []int) {
	p, s := NewParser(), new(State)
	p.Next(s, []byte(mixHeader), &testLimits)
	read := make([]byte, 1<<16, 1<<16+64)
	out := make([]byte, 0, 1<<20)
	return func(b []byte, ends []int) {
		from := 0
		for _, end := range ends {
			n := copy(read, b[from:end])
			k, e, _, err := p.Next(s, read[:n], &testLimits)
			if err != nil || k != Element {
				t.Fatal(k, err)
			}
			if ed != nil {
				if len(out) > 1<<19 {
					out = out[:0]
				}
				out = e.AppendEdited(out, "jabber:client", ed)
			}
			from = end
		}
	}
}
