package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sort"
)

// Reader sees the rows of one owner as of the last commit, numbered from 0, the
// oldest first. It is for one goroutine, and for the time of a View.
type Reader struct {
	tx    *Tx
	owner string
	spans []span
	total int
	buf   []byte
	from  *month // what buf holds is of its log
	at    int64  // from there
}

// span is places one after the other in the log of m. The run, if any, is what
// keeps the memory of b.
type span struct {
	m     *month
	run   *run
	b     []byte
	first int // number of its first row
}

func (s *span) len() int { return len(s.b) / placeSize }

// Read returns what owner has in the archive.
func (a *Archive) Read(tx *Tx, owner string) (*Reader, error) {
	r := &Reader{tx: tx, owner: owner}
	spans, err := a.spans(owner)
	if err != nil {
		return nil, err
	}
	erased := a.erasedUpTo(tx, owner)
	for _, s := range spans {
		if s.trim(erased); len(s.b) > 0 {
			r.spans = append(r.spans, s)
		}
	}
	r.spans = inOrder(r.spans)
	for i := range r.spans {
		r.spans[i].first = r.total
		r.total += r.spans[i].len()
	}
	return r, nil
}

// spans returns all places of owner. Under the lock it only notes where to look:
// an index may have to come from the disk.
func (a *Archive) spans(owner string) (all []span, err error) {
	var found []span
	a.mu.RLock()
	for _, m := range a.months {
		for _, r := range m.runs {
			found = append(found, span{m: m, run: r})
		}
		for _, t := range []*tail{m.frozen, m.tail} {
			if t != nil && t.owners[owner] != nil {
				found = append(found, span{m: m, b: t.owners[owner].b})
			}
		}
	}
	a.mu.RUnlock()
	all = found[:0]
	for _, s := range found {
		if s.run != nil {
			if s.b, _, err = s.run.find(owner); err != nil {
				return nil, err
			}
		}
		if len(s.b) > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

// inOrder sorts spans by time. Those of two pools, of an owner whose retention was
// changed, may overlap: they are split.
func inOrder(spans []span) []span {
	for i := 0; i < len(spans); i++ {
		slices.SortFunc(spans[i:], func(x, y span) int { return cmp.Compare(placeAt(x.b, 0).seq, placeAt(y.b, 0).seq) })
		if i+1 == len(spans) {
			break
		}
		s, next := spans[i], placeAt(spans[i+1].b, 0).seq
		if placeAt(s.b, s.len()-1).seq < next {
			continue
		}
		n := sort.Search(s.len(), func(k int) bool { return placeAt(s.b, k).seq > next }) * placeSize
		spans[i].b, s.b = s.b[:n], s.b[n:]
		spans = append(spans, s)
	}
	return spans
}

// trim leaves out the rows up to erased, and those that have been wiped, which
// are the first ones.
func (s *span) trim(erased uint64) {
	for len(s.b) > 0 {
		if e := placeAt(s.b, 0); e.off != 0 && e.seq > erased {
			return
		}
		s.b = s.b[placeSize:]
	}
}

// Len returns how many rows there are.
func (r *Reader) Len() int { return r.total }

// span returns the span that row i is in.
func (r *Reader) span(i int) *span {
	for k := len(r.spans) - 1; ; k-- {
		if r.spans[k].first <= i {
			return &r.spans[k]
		}
	}
}

// At returns sequence number and tag of row i.
func (r *Reader) At(i int) (seq uint64, tag uint32) {
	s := r.span(i)
	e := placeAt(s.b, i-s.first)
	runtime.KeepAlive(s.run)
	return e.seq, e.tag
}

// Search returns the number of the first row whose sequence number is seq or
// greater, Len if there is none.
func (r *Reader) Search(seq uint64) int {
	lo, hi := 0, r.total
	for lo < hi {
		mid := (lo + hi) / 2
		if s, _ := r.At(mid); s < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Tagged calls fn for the rows from i up to and without j that have that tag, in
// their order, or backwards if j is less than i, from i-1 down to j. It stops
// when fn returns false.
func (r *Reader) Tagged(tag uint32, i, j int, fn func(i int) bool) {
	for i < j {
		s := r.span(i)
		end := min(j, s.first+s.len())
		for b := s.b[(i-s.first)*placeSize:]; i < end; i, b = i+1, b[placeSize:] {
			if binary.LittleEndian.Uint32(b[16:]) == tag && !fn(i) {
				return
			}
		}
		runtime.KeepAlive(s.run)
	}
	for i > j {
		s := r.span(i - 1)
		end := max(j, s.first)
		for b := s.b[:(i-s.first)*placeSize]; i > end; b = b[:len(b)-placeSize] {
			if i--; binary.LittleEndian.Uint32(b[len(b)-4:]) == tag && !fn(i) {
				return
			}
		}
		runtime.KeepAlive(s.run)
	}
}

// Value returns row i, borrowed until the next call. It is nil if the row has
// been blanked, or is being wiped right now. The error is ErrDamaged where the log is not what was
// written.
func (r *Reader) Value(i int) ([]byte, error) {
	s := r.span(i)
	e := placeAt(s.b, i-s.first)
	runtime.KeepAlive(s.run)
	if e.off == 0 {
		return nil, nil
	}
	raw, err := r.load(s.m, e.off)
	if err != nil {
		return nil, fmt.Errorf("store: read %s: byte %d: %w", s.m.f.Name(), e.off, err)
	}
	w, err := parseRow(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("store: read %s: byte %d: %w", s.m.f.Name(), e.off, err)
	case len(w.owner) == 0, w.packed[0] == packedBlank && string(w.owner) == r.owner && w.seq == e.seq:
		return nil, nil
	case string(w.owner) != r.owner || w.seq != e.seq:
		return nil, fmt.Errorf("store: read %w", wrongRow(s.m.f.Name(), e))
	}
	return r.tx.unpack(w.packed)
}

// readAhead is how much is read at once: an owner who writes much has rows close
// to each other.
const readAhead = 8 << 10

// load returns the bytes of the log from off on, the whole row at least.
func (r *Reader) load(m *month, off int64) ([]byte, error) {
	if r.from != m || off < r.at || off+rowHeader > r.at+int64(len(r.buf)) {
		if err := r.fill(m, off, readAhead); err != nil {
			return nil, err
		}
	}
	b := r.buf[off-r.at:]
	n := int(binary.LittleEndian.Uint32(b))
	if n > MaxValue+MaxOwner+1<<20 {
		return nil, damaged("a row of %d bytes", n)
	}
	if n > len(b) {
		if err := r.fill(m, off, n); err != nil {
			return nil, err
		}
		b = r.buf
	}
	return b, nil
}

// fill reads n bytes from off, or to the end.
func (r *Reader) fill(m *month, off int64, n int) error {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.from = nil
	got, err := m.f.ReadAt(r.buf[:n], off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if got < rowHeader {
		return damaged("cut off")
	}
	r.buf, r.from, r.at = r.buf[:got], m, off
	return nil
}
