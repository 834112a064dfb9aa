package admin

import (
	"sync"
	"time"

	"meerkat/engine/metric"
	"meerkat/store"
)

// ShowStore makes the numbers of s metrics. The store itself knows of none.
func ShowStore(s *store.Store) {
	showArchive(s.Archive())
	stats := once(s.Stats)
	for _, c := range []struct {
		name, help string
		of         func(store.Stats) uint64
	}{
		{"meerkat_store_views_total", "Read transactions.", func(s store.Stats) uint64 { return s.Views }},
		{"meerkat_store_updates_total", "Updates that were committed.", func(s store.Stats) uint64 { return s.Updates }},
		{"meerkat_store_updates_failed_total", "Updates whose own function refused.", func(s store.Stats) uint64 { return s.Failed }},
		{"meerkat_store_updates_refused_total", "Updates refused as too many waited.", func(s store.Stats) uint64 { return s.Refused }},
		{"meerkat_store_panics_total", "Updates whose function panicked: bugs.", func(s store.Stats) uint64 { return s.Panics }},
		{"meerkat_store_damaged_reads_total", "Reads that met a broken page.", func(s store.Stats) uint64 { return s.Damaged }},
		{"meerkat_store_commits_total", "Transactions, failed ones too.", func(s store.Stats) uint64 { return s.Commits }},
		{"meerkat_store_commits_failed_total", "Transactions that failed, as when the disk is full.", func(s store.Stats) uint64 { return s.CommitErrors }},
		{"meerkat_store_written_bytes_total", "Bytes of keys, values, rows and records that were to be written.", func(s store.Stats) uint64 { return s.Bytes }},
		{"meerkat_store_journal_written_bytes_total", "Bytes written to the journal: what sessions wait for, and forget soon.", func(s store.Stats) uint64 { return s.JournalBytes }},
		{"meerkat_store_journal_moved_total", "Records of the journal that lasted long enough to be moved to main.db.", func(s store.Stats) uint64 { return s.JournalMoved }},
	} {
		metric.NewCounterFunc(c.name, c.help, func() float64 { return float64(c.of(stats())) })
	}
	metric.NewGaugeFunc("meerkat_store_journal_segments", "Full files of the journal that are still to be moved; one is normal.", func() float64 { return float64(stats().JournalFull) })
	metric.NewGaugeFunc("meerkat_store_queue_updates", "Updates waiting for the writer.", func() float64 { return float64(stats().Queue) })
	metric.NewGaugeFunc("meerkat_store_file_bytes", "Size of main.db.", func() float64 { return float64(stats().FileBytes) })
	metric.NewGaugeFunc("meerkat_store_free_pages", "Pages of main.db to be used again.", func() float64 { return float64(stats().FreePages) })
	metric.NewGaugeFunc("meerkat_store_disk_free_bytes", "Free space on the store's disk; -1 is unknown.", func() float64 { return float64(stats().DiskFree) })
	showHistogram("meerkat_store_commit_seconds", "Time of a commit, from its first update to the end of its fsync.",
		func() store.Histogram { return stats().CommitSeconds })
	showHistogram("meerkat_store_commit_updates", "Updates in one commit.",
		func() store.Histogram { return stats().CommitUpdates })
}

// showArchive makes the numbers of the archive metrics.
func showArchive(a *store.Archive) {
	stats := once(a.Stats)
	for _, c := range []struct {
		name, help string
		of         func(store.ArchiveStats) uint64
	}{
		{"meerkat_archive_rows_total", "Rows written to the archive.", func(s store.ArchiveStats) uint64 { return s.Rows }},
		{"meerkat_archive_written_bytes_total", "Bytes written to the archive's logs.", func(s store.ArchiveStats) uint64 { return s.Bytes }},
		{"meerkat_archive_index_flushes_total", "Index files written.", func(s store.ArchiveStats) uint64 { return s.Flushes }},
		{"meerkat_archive_index_merges_total", "Index files made of several.", func(s store.ArchiveStats) uint64 { return s.Merges }},
		{"meerkat_archive_index_errors_total", "Index files that could not be written; they are tried again.", func(s store.ArchiveStats) uint64 { return s.IndexErrors }},
		{"meerkat_archive_erased_total", "Owners whose rows have been overwritten.", func(s store.ArchiveStats) uint64 { return s.Erased }},
		{"meerkat_archive_months_removed_total", "Months removed because they were over.", func(s store.ArchiveStats) uint64 { return s.Dropped }},
	} {
		metric.NewCounterFunc(c.name, c.help, func() float64 { return float64(c.of(stats())) })
	}
	for _, g := range []struct {
		name, help string
		of         func(store.ArchiveStats) int64
	}{
		{"meerkat_archive_months", "Logs of the archive, one a month and retention.", func(s store.ArchiveStats) int64 { return int64(s.Months) }},
		{"meerkat_archive_index_files", "Index files.", func(s store.ArchiveStats) int64 { return int64(s.Runs) }},
		{"meerkat_archive_unindexed_rows", "Rows whose index is in memory only; Open reads them again.", func(s store.ArchiveStats) int64 { return int64(s.Unindexed) }},
		{"meerkat_archive_log_bytes", "Size of the archive's logs.", func(s store.ArchiveStats) int64 { return s.LogBytes }},
		{"meerkat_archive_index_bytes", "Size of its index files.", func(s store.ArchiveStats) int64 { return s.IndexBytes }},
	} {
		metric.NewGaugeFunc(g.name, g.help, func() float64 { return float64(g.of(stats())) })
	}
}

func showHistogram(name, help string, of func() store.Histogram) {
	metric.NewHistogramFunc(name, help, of().Bounds, func() ([]uint64, float64) {
		h := of()
		return h.Counts, h.Sum
	})
}

// once spares the store: the metrics of one scrape come from one look at it.
func once[T any](look func() T) func() T {
	var mu sync.Mutex
	var last T
	var at time.Time
	return func() T {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(at) > 100*time.Millisecond {
			last, at = look(), now
		}
		return last
	}
}
