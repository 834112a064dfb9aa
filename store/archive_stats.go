package store

// ArchiveStats is the archive in numbers. Counts are since Open.
type ArchiveStats struct {
	Rows        uint64 // appended
	Bytes       uint64 // written to logs
	Months      int    // logs there are
	Runs        int    // index files of them
	Unindexed   int    // rows whose index is in memory
	LogBytes    int64  // of all logs
	IndexBytes  int64  // of all index files
	Flushes     uint64 // index files written from memory
	Merges      uint64 // index files made of others
	IndexErrors uint64 // of the two, those that failed
	Erased      uint64 // owners whose rows have been overwritten
	Dropped     uint64 // months removed because they are over
}

// Stats returns the numbers of now: for scrapes.
func (a *Archive) Stats() ArchiveStats {
	c := &a.stats
	st := ArchiveStats{
		Rows: c.rows.Load(), Bytes: c.bytes.Load(),
		Flushes: c.flushes.Load(), Merges: c.merges.Load(), IndexErrors: c.indexErrors.Load(),
		Erased: c.erased.Load(), Dropped: c.dropped.Load(),
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, m := range a.months {
		st.Months++
		st.Runs += len(m.runs)
		st.LogBytes += m.tail.to
		st.Unindexed += m.tail.rows
		if m.frozen != nil {
			st.Unindexed += m.frozen.rows
		}
		for _, r := range m.runs {
			st.IndexBytes += int64(len(r.b))
		}
	}
	return st
}
