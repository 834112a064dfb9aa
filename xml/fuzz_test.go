package xml

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// seeds adds the corpus to a fuzz target.
func seeds(f *testing.F, add func([]byte)) {
	for _, c := range malformedCases(f) {
		add(c.bytes)
	}
	for _, x := range examples(f) {
		add([]byte(x.XML))
	}
	for _, n := range []int{8, 16, 17, 56, 57, 63, 64, 65, 128} { // words of names and of masks
		name := strings.Repeat("n", n)
		add([]byte("<" + name + " " + name + "='" + name + "' x='>'>" + name + "</" + name + "><" + name + "/>"))
	}
	mix, ends := makeMix(40_000, 2)
	from := 0
	for _, end := range ends {
		add(mix[from:end])
		from = end
	}
}

// streamContext is that of testHeader.
func streamContext() *context {
	c := newSession(true)
	return contextAt(c.s.ctx)
}

// bothWays reads in with the fast and with the plain tokenizer and fails where
// they differ. It returns the fast one's tree and verdict.
func bothWays(t *testing.T, in []byte, ctx *context, lim *Limits) (*tree, int, Error) {
	var fast, slow tree
	spare := append(append(make([]byte, 0, len(in)+64), in...), strings.Repeat("'", 64)...)
	end, err := fast.parse(spare[:len(in)], lim, ctx)
	slow.reset(in, ctx)
	end2, err2 := slow.plainElement(lim)
	if !agree(end, end2, err, err2) {
		t.Fatalf("fast: %d, %v, plain: %d, %v: %q", end, err, end2, err2, in)
	}
	if err == 0 && !slices.Equal(fast.tape, slow.tape) {
		t.Fatalf("%q:\nfast  %x\nplain %x", in, fast.tape, slow.tape)
	}
	if err == 0 && (fast.prefixed != slow.prefixed || fast.elems != slow.elems) {
		t.Fatalf("%q: prefixed %v %v, elems %v %v", in, fast.prefixed, slow.prefixed, fast.elems, slow.elems)
	}
	return &fast, end, err
}

// agree tells whether two answers are one: a fault in what is not whole may be
// seen at once or later.
func agree(end, end2 int, err, err2 Error) bool {
	return end == end2 && (err == err2 || err == errMore && err2 != 0 || err2 == errMore && err != 0)
}

// FuzzFeed reads data with the fast tokenizer, with the plain one, without room
// behind it, with portable masks, and through Next in reads of several sizes.
// All have to agree.
func FuzzFeed(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b, uint16(3)) })
	shapes(func(b []byte) { f.Add(b, asShape|uint16(b[0])) })
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		if cut&asShape != 0 {
			data = shaped(data)
		}
		checkFeed(t, data, int(cut))
	})
}

// asShape is the bit of cut that makes FuzzFeed shape a stanza of its data.
const asShape = 1 << 15

var (
	fuzzLimits  = Limits{Bytes: 20_000, Header: 4096, Depth: 32, Attrs: 12, Elems: 200}
	tightLimits = Limits{Bytes: 2000, Header: 4096, Depth: 3, Attrs: 3, Elems: 50}
	fewLimits   = Limits{Bytes: 2000, Header: 4096, Depth: 20, Attrs: 20, Elems: 6}
)

func checkFeed(t *testing.T, data []byte, cut int) {
	lim := [...]*Limits{&testLimits, &fuzzLimits, &tightLimits, &fewLimits, &testLimits}[cut%5]
	ctx := streamContext()
	if i := skipSpace(data); i < len(data) && data[i] == '<' {
		was := hasAVX2
		tree, end, err := bothWays(t, data[i:], ctx, lim)
		hasAVX2 = false
		_, end2, err2 := bothWays(t, data[i:], ctx, lim)
		hasAVX2 = was
		if !agree(end, end2, err, err2) {
			t.Fatalf("AVX2: %d, %v, portable: %d, %v: %q", end, err, end2, err2, data)
		}
		tight := slices.Clip(slices.Clone(data[i:]))
		end2, err2 = tree.parse(tight, lim, ctx)
		if !agree(end, end2, err, err2) {
			t.Fatalf("%d, %v, without room: %d, %v: %q", end, err, end2, err2, data)
		}
		checkBeginnings(t, tree, data[i:], cut, lim)
		checkFramer(t, data[i:], cut, lim.Depth)
	}
	whole := newSession(true)
	whole.lim = lim
	err := whole.feed(data)
	for _, size := range []int{1 + cut%97, 1 + cut/97, 1} {
		compareCut(t, whole, err, data, size)
	}
}

// checkBeginnings reads the beginnings of in where what is behind them in memory
// is the rest, which must not be heeded.
func checkBeginnings(t *testing.T, fast *tree, in []byte, cut int, lim *Limits) {
	spare := append(append(make([]byte, 0, len(in)+64), in...), strings.Repeat("='>/", 16)...)
	step := 1 + len(in)/24
	for k := 2 + cut%step; k <= len(in); k += step {
		near := k&^63 + cut>>8%2
		for _, k := range []int{k, near} {
			if k < 2 || k > len(in) {
				continue
			}
			var slow tree
			end, err := fast.parse(spare[:k], lim, fast.ctx)
			slow.reset(in[:k], fast.ctx)
			end2, err2 := slow.plainElement(lim)
			if !agree(end, end2, err, err2) {
				t.Fatalf("fast: %d, %v, plain: %d, %v: %q, before %q", end, err, end2, err2, in[:k], spare[k:])
			}
			if err2 == errMore && err != errMore {
				t.Fatalf("fast: %v for what is not whole: %q, before %q", err, in[:k], spare[k:])
			}
		}
	}
}

// checkFramer compares the framer that jumps with the one that takes each byte.
func checkFramer(t *testing.T, in []byte, cut, maxDepth int) {
	spare := append(append(make([]byte, 0, len(in)+64), in...), strings.Repeat("'/>", 22)...)
	var slow, fast State
	n, done, err := slow.advance(in, maxDepth)
	k := cut % (len(in) + 1)
	if i := bytes.IndexByte(in[k:], '<'); cut>>8&1 == 0 && i >= 0 {
		k += i + 1
	}
	n2, done2, err2 := fast.jump(spare[:k], 0, maxDepth)
	if !done2 && err2 == 0 {
		n2, done2, err2 = fast.jump(spare[:len(in)], k, maxDepth)
	}
	if err == 0 && (n != n2 || done != done2 || err2 != 0 || slow != fast) {
		t.Fatalf("framer: %d, %v, %v, by jumps from 0 and %d: %d, %v, %v: %q", n, done, slow, k, n2, done2, fast, in)
	}
	if err2 != 0 && err == 0 {
		t.Fatalf("framer by jumps: %v: %q", err2, in)
	}
}

// compareCut feeds data in reads of size bytes and compares with one read.
func compareCut(t *testing.T, whole *session, err error, data []byte, size int) {
	c := newSession(true)
	c.lim = whole.lim
	var err2 error
	data = append(append(make([]byte, 0, len(data)+64), data...), strings.Repeat("'>/\"", 16)...)[:len(data)]
	for i := 0; i < len(data) && err2 == nil; i += size {
		err2 = c.feedIn(data[i:min(i+size, len(data))])
	}
	// A bad element is refused at the latest when it ends. Which of several
	// faults is named depends on which is seen first.
	late := err != nil && err2 == nil && c.s.Partial()
	early := err == nil && err2 != nil && whole.s.Partial()
	if (err != nil) != (err2 != nil) && !late && !early {
		t.Fatalf("whole: %v, in reads of %d: %v: %q", err, size, err2, data)
	}
	if !slices.Equal(whole.got, c.got) {
		t.Fatalf("in reads of %d: %q: events\n%s\nwant\n%s", size, data, c.got, whole.got)
	}
	if !c.s.Partial() && c.p.Held() != 0 {
		t.Fatalf("%q: %d bytes held", data, c.p.Held())
	}
	c.p.Drop(&c.s)
	if c.p.Held() != 0 {
		t.Fatalf("%q: %d bytes held after Drop", data, c.p.Held())
	}
}

// TestNamesOfAnyLength puts a byte that no name has at each place of names that
// reach over one or two words of the masks.
func TestNamesOfAnyLength(t *testing.T) {
	ctx := streamContext()
	for n := 1; n < 140; n++ {
		name := strings.Repeat("n", n)
		for _, in := range []string{"<" + name + "/>", "<a " + name + "='1'/>", "<a xmlns='u' " + name + "='1' " + name + "x='2'/>", "<a><" + name + ">t</" + name + "></a>"} {
			for pad := range 9 {
				in := "<p q='" + strings.Repeat("v", pad) + "'>" + in + "</p>"
				if _, _, err := bothWays(t, []byte(in), ctx, &testLimits); err != 0 {
					t.Fatalf("%v: %s", err, in)
				}
			}
			for i := range len(in) {
				b := []byte(in)
				if b[i] == 'n' {
					b[i] = '%'
					if _, _, err := bothWays(t, b, ctx, &testLimits); err != NotWellFormed {
						t.Fatalf("%v: %s", err, b)
					}
				}
			}
		}
	}
}
