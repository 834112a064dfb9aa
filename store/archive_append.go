package store

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// archiveCounters are since Open.
type archiveCounters struct {
	rows, bytes, flushes, merges, indexErrors, erased, dropped atomic.Uint64
}

// pending is what the updates of a transaction have for the archive.
type pending struct {
	rows []pooled
	wipe []wipe
}

// cut takes back what came behind marks.
func (p *pending) cut(marks [2]int) {
	clear(p.rows[marks[0]:])
	clear(p.wipe[marks[1]:])
	p.rows, p.wipe = p.rows[:marks[0]], p.wipe[:marks[1]]
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
	tx.archive.rows = append(tx.archive.rows, pooled{pool, rows})
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
	for _, r := range p.rows {
		if r.pool == pool {
			size, n = size+len(r.rows.b), n+r.rows.n
		}
	}
	m.body = appendFrameHeader(m.body[:0], size, n)
	for _, r := range p.rows {
		if r.pool == pool {
			m.body = append(m.body, r.rows.b...)
		}
	}
	m.staged = int64(len(m.body))
	if _, err := m.f.WriteAt(m.body, m.size); err != nil {
		return err
	}
	return fdatasync(m)
}

func fdatasync(m *month) error {
	for {
		err := syscall.Fdatasync(int(m.f.Fd()))
		if err != syscall.EINTR {
			if err != nil {
				return fmt.Errorf("sync %s: %w", m.f.Name(), err)
			}
			return nil
		}
	}
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

// unstage forgets what was staged and a buffer that a burst made large.
func (m *month) unstage() {
	if m.staged = 0; cap(m.body) > 1<<20 {
		m.body = nil
	}
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
	// A frame that we have just made parses.
	_ = eachRow(m.body[frameHeader:], func(at int, r row) error {
		t.add(r.owner, place{r.seq, m.size + frameHeader + int64(at), r.tag})
		return nil
	})
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
