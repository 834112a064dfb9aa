package load

import (
	"fmt"
	"math/bits"
	"time"
)

// Hist counts durations in buckets that are at most 1/32 wide, from 1 ns to
// 2^40 ns (18 min). The zero Hist is empty. It is a slice so that an unused
// one costs nothing and JSON carries it as it is.
type Hist []uint64

const (
	histBits = 5 // sub-buckets of a power of two, as a power of two
	histSize = (40 - histBits + 1) << histBits
)

// Record counts d.
func (h *Hist) Record(d time.Duration) {
	if *h == nil {
		*h = make(Hist, histSize)
	}
	(*h)[bucket(d)]++
}

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	exp := max(bits.Len64(v)-histBits-1, 0)
	return min(exp<<histBits+int(v>>exp), histSize-1)
}

// Edge is the smallest duration that bucket i counts.
func Edge(i int) time.Duration {
	if i < 2<<histBits {
		return time.Duration(i)
	}
	exp := i>>histBits - 1
	return time.Duration(i-exp<<histBits) << exp
}

// Count is how many durations were recorded.
func (h Hist) Count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile is the duration that share q (0..1) of the recorded ones do not
// exceed, to within a bucket; 0 if nothing was recorded.
func (h Hist) Quantile(q float64) time.Duration {
	left := uint64(q * float64(h.Count()))
	for i, c := range h {
		if c > left {
			return Edge(i)
		}
		left -= c
	}
	for i := len(h) - 1; i >= 0; i-- {
		if h[i] > 0 {
			return Edge(i)
		}
	}
	return 0
}

func (h Hist) String() string {
	return fmt.Sprintf("%d from %v to %v, median %v", h.Count(), h.Quantile(0), h.Quantile(1), h.Quantile(0.5))
}

// Add counts what o counted too.
func (h *Hist) Add(o Hist) {
	if *h == nil && o != nil {
		*h = make(Hist, histSize)
	}
	for i, c := range o {
		(*h)[i] += c
	}
}

// Since is what h counted after it was o.
func (h Hist) Since(o Hist) Hist {
	d := append(Hist(nil), h...)
	for i, c := range o {
		d[i] -= c
	}
	return d
}
