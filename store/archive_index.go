package store

import (
	"errors"
	"maps"
	"os"
	"slices"
	"time"
)

// maxTail is from how many rows on the tail of a log is made a run: more take
// memory and time to open, less make more files to merge. Tests make it smaller.
var maxTail = 1 << 16

const (
	// fanIn is how many runs of about one size are merged into one.
	fanIn = 8

	// indexRetry is how long work on an index waits after an error.
	indexRetry = 10 * time.Second
)

// tend has done in the background what m's index needs: a long tail made a run,
// and that of a month that is over; many runs made one.
func (a *Archive) tend(m *month) {
	a.mu.Lock()
	defer a.mu.Unlock()
	closed := a.current(m.pool) != m
	full := m.tail.rows >= maxTail || closed && m.tail.rows > 0
	if m.frozen == nil && full {
		m.frozen, m.tail = m.tail, newTail(m.tail.to)
	}
	if m.busy || m.gone || time.Now().Before(m.retryAt) || m.frozen == nil && !(closed && len(m.runs) > 1) {
		return
	}
	m.busy = true
	a.jobs.add(func() { a.index(m, closed) })
}

// index is the job of tend.
func (a *Archive) index(m *month, closed bool) {
	err := a.flush(m)
	for err == nil && !a.jobs.stop.Load() {
		a.mu.RLock()
		runs := toMerge(m.runs, closed)
		a.mu.RUnlock()
		if len(runs) < 2 {
			break
		}
		err = a.merge(m, runs)
	}
	a.mu.Lock()
	m.busy = false
	if err != nil {
		m.retryAt = time.Now().Add(indexRetry)
	}
	a.mu.Unlock()
	if err != nil {
		a.stats.indexErrors.Add(1)
		a.store.opt.Logger.Warn("store: an index of the archive could not be written, it stays in memory", "file", m.base(), "error", err)
		return
	}
	a.tend(m) // what came meanwhile
}

// flush makes the frozen tail a run.
func (a *Archive) flush(m *month) error {
	a.mu.RLock()
	t, gone := m.frozen, m.gone
	a.mu.RUnlock()
	if t == nil || gone {
		return nil
	}
	path := a.path(runName(m, t.from, t.to))
	w, err := newRun(path)
	if err != nil {
		return err
	}
	for _, owner := range slices.Sorted(maps.Keys(t.owners)) {
		w.add([]byte(owner), t.owners[owner].b)
	}
	r, err := w.finish(path, t.from, t.to, t.last)
	if err != nil {
		return err
	}
	a.mu.Lock()
	m.runs, m.frozen = append(slices.Clip(m.runs), r), nil
	a.mu.Unlock()
	a.stats.flushes.Add(1)
	return nil
}

// toMerge returns which neighbours among runs are to be merged: the last ones
// when there are fanIn of one level, all if no more will come.
func toMerge(runs []*run, closed bool) []*run {
	if closed {
		return runs
	}
	n := 0
	for i := len(runs) - 1; i >= 0 && level(runs[i]) == level(runs[len(runs)-1]); i-- {
		n++
	}
	if n < fanIn {
		return nil
	}
	return runs[len(runs)-n:]
}

// level is how often a run of that size has been merged.
func level(r *run) (n int) {
	for size := (r.rows + maxTail/2) / maxTail; size >= fanIn; size /= fanIn {
		n++
	}
	return n
}

// merge replaces runs, neighbours in m, by one.
func (a *Archive) merge(m *month, runs []*run) error {
	path := a.path(runName(m, runs[0].from, runs[len(runs)-1].to))
	one, err := mergeRuns(path, runs, a.jobs.stop.Load)
	if one == nil {
		return err
	}
	a.mu.Lock()
	at := slices.Index(m.runs, runs[0])
	m.runs = slices.Concat(m.runs[:at], []*run{one}, m.runs[at+len(runs):])
	a.mu.Unlock()
	a.stats.merges.Add(1)
	var errs []error
	for _, r := range runs {
		errs = append(errs, os.Remove(r.path))
	}
	return errors.Join(errs...)
}

// Expire removes the months that over says may go: pool is theirs, end the first
// moment after them. Their rows are gone at once. It is an update of its own.
func (a *Archive) Expire(over func(pool string, end time.Time) bool) {
	a.mu.RLock()
	due := slices.ContainsFunc(a.months, func(m *month) bool { return m.over(over) })
	a.mu.RUnlock()
	if !due {
		return
	}
	a.store.Update(func(tx *Tx) error { // on the writer, which is the one to add months
		a.mu.Lock()
		defer a.mu.Unlock()
		a.months = slices.DeleteFunc(slices.Clone(a.months), func(m *month) bool {
			if !m.over(over) || m.staged > 0 {
				return false
			}
			m.gone = true
			a.jobs.add(func() { a.remove(m) })
			return true
		})
		return nil
	}, func(error) {}) // closed, or busy: it will be asked again
}

func (m *month) over(over func(pool string, end time.Time) bool) bool {
	_, end, _ := parseMonth(m.name)
	return over(m.pool, end)
}

// remove removes the files of a month that nobody finds any more. Readers that
// are at it go on: what is unlinked goes with the last of them.
func (a *Archive) remove(m *month) {
	a.mu.RLock()
	runs := m.runs
	a.mu.RUnlock()
	err := os.Remove(m.f.Name()) // first: without it, the rest is removed at Open
	for _, r := range runs {
		err = errors.Join(err, os.Remove(r.path))
	}
	if err != nil {
		a.store.opt.Logger.Warn("store: a month of the archive is over but cannot be removed", "file", m.f.Name(), "error", err)
		return
	}
	a.stats.dropped.Add(1)
	a.store.opt.Logger.Info("store: a month of the archive is over and has been removed", "file", m.f.Name(), "bytes", m.size)
}
