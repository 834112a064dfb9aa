package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// archiveCounters are since Open.
type archiveCounters struct {
	rows, bytes, flushes, merges, indexErrors, erased, dropped atomic.Uint64
}

// pending is what the updates of a transaction have for other files than main.db.
type pending struct {
	rows    []pooled
	wipe    []wipe
	records [][]byte // for the journal
}

// marks say how much was pending.
type marks struct{ rows, wipe, records int }

func (p *pending) marks() marks { return marks{len(p.rows), len(p.wipe), len(p.records)} }

// cut takes back what came behind m.
func (p *pending) cut(m marks) {
	clear(p.rows[m.rows:])
	clear(p.wipe[m.wipe:])
	clear(p.records[m.records:])
	p.rows, p.wipe, p.records = p.rows[:m.rows], p.wipe[:m.wipe], p.records[:m.records]
}

type pooled struct {
	pool string
	rows *Rows
}

// Append adds rows to the archive when the transaction commits. They must stay
// as they are until then. pool is "" or from PoolName.
func (a *Archive) Append(tx *Tx, pool string, rows *Rows) error {
	switch {
	case !tx.write:
		return ErrReadOnly
	case !isPool(pool):
		return fmt.Errorf("%w: pool %q", ErrKey, pool)
	case rows.n == 0:
		return nil
	}
	tx.pending.rows = append(tx.pending.rows, pooled{pool, rows})
	tx.size += len(rows.b)
	return nil
}

// write writes a frame for each pool that has rows, and waits until they are on
// disk. Readers see them after publish; takeBack undoes it all.
func (a *Archive) write(p *pending, now time.Time) error {
	for i, r := range p.rows {
		if slices.ContainsFunc(p.rows[:i], func(x pooled) bool { return x.pool == r.pool }) {
			continue
		}
		m, err := a.monthFor(r.pool, p, now)
		if err == nil {
			err = m.stage(r.pool, p)
		}
		if err != nil {
			return errors.Join(err, a.takeBack())
		}
	}
	return nil
}

// monthFor returns the month that new rows of pool go to: that of their time,
// which may be a little behind or, where time is made, far from that of the
// system; never one before the newest there is, so that time only goes forward.
func (a *Archive) monthFor(pool string, p *pending, now time.Time) (*month, error) {
	var last uint64
	for _, r := range p.rows {
		if r.pool == pool {
			last = max(last, r.rows.last)
		}
	}
	if last > 0 {
		now = TimeOf(last)
	}
	m := a.current(pool)
	if m != nil && m.name >= monthName(now, pool) {
		return m, nil
	}
	fresh, err := a.createMonth(now, pool)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.months = append(a.months, fresh)
	slices.SortFunc(a.months, func(x, y *month) int { return compareStrings(x.name, y.name) })
	a.mu.Unlock()
	if m != nil {
		a.tend(m)
	}
	return fresh, nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// stage writes pool's rows as one frame behind what has been committed.
func (m *month) stage(pool string, p *pending) error {
	size, n := 0, 0
	m.parts = append(m.parts, nil)
	for _, r := range p.rows {
		if r.pool == pool {
			m.parts = append(m.parts, r.rows.b)
			size, n = size+len(r.rows.b), n+r.rows.n
		}
	}
	m.parts[0] = appendFrameHeader(m.head[:0], size, n)
	m.staged = frameHeader + int64(size)
	if err := writeParts(m.f, m.parts, m.size); err != nil {
		return err
	}
	return fdatasync(m.f)
}

// maxParts is how many slices one system call takes (IOV_MAX).
const maxParts = 1024

// writeParts writes parts to f, one behind the other from at on.
func writeParts(f *os.File, parts [][]byte, at int64) error {
	for len(parts) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), parts[:min(len(parts), maxParts)], at)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
		at += int64(max(n, 0))
		if parts = written(parts, n); n == 0 && err == nil {
			return fmt.Errorf("write %s: %w", f.Name(), io.ErrShortWrite)
		}
	}
	return nil
}

// written returns what is left of parts when n bytes have been written. What is
// cut short is cut in a copy: the parts themselves are needed by publish.
func written(parts [][]byte, n int) [][]byte {
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if n > 0 {
		parts = slices.Clone(parts)
		parts[0] = parts[0][n:]
	}
	return parts
}

func fdatasync(f *os.File) error {
	var err error = unix.EINTR
	for err == unix.EINTR {
		err = unix.Fdatasync(int(f.Fd()))
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return nil
}

// takeBack cuts off what write has written.
func (a *Archive) takeBack() error {
	var errs []error
	for _, m := range a.months {
		if m.staged == 0 {
			continue
		}
		if err := m.f.Truncate(m.size); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", ErrUncertain, err))
		}
		m.unstage()
	}
	return errors.Join(errs...)
}

// unstage forgets what was staged.
func (m *month) unstage() {
	clear(m.parts)
	m.staged, m.parts = 0, m.parts[:0]
}

// publish shows readers what write has written, and has it indexed.
func (a *Archive) publish() {
	for _, m := range a.months {
		if m.staged > 0 {
			a.publishMonth(m)
			m.unstage()
		}
	}
}

func (a *Archive) publishMonth(m *month) {
	a.mu.Lock()
	t, before := m.tail, m.tail.rows
	off := m.size + frameHeader
	for _, part := range m.parts[1:] {
		for len(part) > 0 {
			r := readRow(part) // we have just made it
			t.add(r.owner, place{r.seq, off, r.tag})
			off, part = off+int64(r.size), part[r.size:]
		}
	}
	m.size += m.staged
	t.to = m.size
	a.mu.Unlock()
	a.sawSeq(t.last)
	a.stats.rows.Add(uint64(t.rows - before))
	a.stats.bytes.Add(uint64(m.staged))
	if t.rows >= maxTail {
		a.tend(m)
	}
}
