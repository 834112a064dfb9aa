package xml

import (
	"sync"
	"testing"
)

// mixSize is how much of the mix the benchmarks read in one pass.
const mixSize = 64e6

var benchMix = sync.OnceValues(func() ([]byte, []int) { return makeMix(mixSize, 1) })

// feedAll copies b into a read buffer, size bytes at a time, as a socket would,
// and parses it. It returns how many elements there were.
func feedAll(p *Parser, s *State, read, b []byte, size int) (elems int, err error) {
	if size == 1 {
		return feedBytes(p, s, read, b)
	}
	for len(b) > 0 {
		n := copy(read[:min(size, len(b))], b)
		b = b[n:]
		for in := read[:n]; len(in) > 0; {
			k, _, n, err := p.Next(s, in, &testLimits)
			if err != nil {
				return elems, err
			}
			if k == Element {
				elems++
			}
			in = in[n:]
		}
	}
	return elems, nil
}

// feedBytes is feedAll for single bytes, without loops and copies that would
// cost more than the parser.
func feedBytes(p *Parser, s *State, read, b []byte) (elems int, err error) {
	read = read[:1]
	for _, c := range b {
		read[0] = c
		k, _, _, err := p.Next(s, read, &testLimits)
		if err != nil {
			return elems, err
		}
		if k == Element {
			elems++
		}
	}
	return elems, nil
}

func benchOpen(b *testing.B) (*Parser, *State) {
	p, s := NewParser(), new(State)
	if k, _, _, err := p.Next(s, []byte(mixHeader), &testLimits); k != Header || err != nil {
		b.Fatal(k, err)
	}
	return p, s
}

// benchReads measures passes over the mix in reads of size bytes.
func benchReads(b *testing.B, size, total int) {
	mix, ends := benchMix()
	mix = mix[:ends[indexOf(ends, total)]]
	p, s := benchOpen(b)
	read := make([]byte, size, size+64)
	elems := 0
	b.SetBytes(int64(len(mix)))
	b.ReportAllocs()
	for b.Loop() {
		n, err := feedAll(p, s, read, mix, size)
		if err != nil {
			b.Fatal(err)
		}
		elems += n
	}
	perStanza(b, elems)
}

func perStanza(b *testing.B, elems int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(elems), "ns/stanza")
}

// indexOf returns the first stanza that ends at or behind off.
func indexOf(ends []int, off int) int {
	for i, e := range ends {
		if e >= off {
			return i
		}
	}
	return len(ends) - 1
}

func BenchmarkRead64K(b *testing.B)  { benchReads(b, 64<<10, mixSize) }
func BenchmarkRead16K(b *testing.B)  { benchReads(b, 16<<10, mixSize) }
func BenchmarkRead1460(b *testing.B) { benchReads(b, 1460, mixSize) }
func BenchmarkRead64(b *testing.B)   { benchReads(b, 64, 16e6) }
func BenchmarkRead1(b *testing.B)    { benchReads(b, 1, 8e6) }

func BenchmarkRead64KPortable(b *testing.B) {
	defer func(was bool) { hasAVX2 = was }(hasAVX2)
	hasAVX2 = false
	benchReads(b, 64<<10, mixSize)
}

// BenchmarkStanza reads one stanza at a time.
func BenchmarkStanza(b *testing.B) {
	p, s := benchOpen(b)
	benchStanzas(b, p, func(int) *State { return s }, func(Elem) {})
}

// BenchmarkScattered reads one stanza at a time, each on one of 65,536 connections.
func BenchmarkScattered(b *testing.B) {
	p, s := benchOpen(b)
	states := make([]struct {
		State
		_ [112]byte // what else a connection has
	}, 1<<16)
	for i := range states {
		states[i].State = *s
	}
	benchStanzas(b, p, func(i int) *State {
		return &states[uint32(i)*2654435761>>16].State
	}, func(Elem) {})
}

// BenchmarkForward also writes each stanza for the recipient, with both
// addresses replaced.
func BenchmarkForward(b *testing.B) {
	p, s := benchOpen(b)
	out := make([]byte, 0, 1<<20)
	ed := &Edit{To: []byte("juliet@example.com/balcony.1234567"), From: []byte("romeo@example.net/orchard.1234567")}
	benchStanzas(b, p, func(int) *State { return s }, func(e Elem) {
		if len(out) > 1<<19 {
			out = out[:0]
		}
		out = e.AppendEdited(out, "jabber:client", ed)
	})
}

// benchStanzas measures passes over the mix, one stanza a read.
func benchStanzas(b *testing.B, p *Parser, state func(i int) *State, do func(Elem)) {
	mix, ends := benchMix()
	read := make([]byte, 1<<16, 1<<16+64)
	elems := 0
	b.SetBytes(int64(len(mix)))
	b.ReportAllocs()
	for b.Loop() {
		from := 0
		for i, end := range ends {
			n := copy(read, mix[from:end])
			k, e, _, err := p.Next(state(i), read[:n], &testLimits)
			if err != nil || k != Element {
				b.Fatal(k, err, string(mix[from:end]))
			}
			do(e)
			from = end
		}
		elems += len(ends)
	}
	perStanza(b, elems)
}
