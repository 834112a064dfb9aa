package admin

import (
	"sync"
	"time"

	"meerkat/engine/metric"
	"meerkat/store"
)

// ShowStore makes the numbers of s metrics. The store itself knows of none.
func ShowStore(s *store.Store) {
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
		{"meerkat_store_commits_total", "Transactions, each with one fsync, failed ones too.", func(s store.Stats) uint64 { return s.Commits }},
		{"meerkat_store_commits_failed_total", "Transactions that failed, as when the disk is full.", func(s store.Stats) uint64 { return s.CommitErrors }},
		{"meerkat_store_written_bytes_total", "Bytes of keys and values written.", func(s store.Stats) uint64 { return s.Bytes }},
	} {
		metric.NewCounterFunc(c.name, c.help, func() float64 { return float64(c.of(stats())) })
	}
	metric.NewGaugeFunc("meerkat_store_queue_updates", "Updates waiting for the writer.", func() float64 { return float64(stats().Queue) })
	metric.NewGaugeFunc("meerkat_store_file_bytes", "Size of main.db.", func() float64 { return float64(stats().FileBytes) })
	metric.NewGaugeFunc("meerkat_store_free_pages", "Pages of main.db to be used again.", func() float64 { return float64(stats().FreePages) })
	metric.NewGaugeFunc("meerkat_store_disk_free_bytes", "Free space on the store's disk; -1 is unknown.", func() float64 { return float64(stats().DiskFree) })
	showHistogram("meerkat_store_commit_seconds", "Time of a commit, from its first update to the end of its fsync.",
		func() store.Histogram { return stats().CommitSeconds })
	showHistogram("meerkat_store_commit_updates", "Updates in one commit.",
		func() store.Histogram { return stats().CommitUpdates })
}

func showHistogram(name, help string, of func() store.Histogram) {
	metric.NewHistogramFunc(name, help, of().Bounds, func() ([]uint64, float64) {
		h := of()
		return h.Counts, h.Sum
	})
}

// once spares the store: the metrics of one scrape come from one look at it.
func once(look func() store.Stats) func() store.Stats {
	var mu sync.Mutex
	var last store.Stats
	var at time.Time
	return func() store.Stats {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(at) > 100*time.Millisecond {
			last, at = look(), now
		}
		return last
	}
}
