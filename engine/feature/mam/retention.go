package mam

import (
	"time"

	"meerkat/engine/archive"
	"meerkat/engine/loop"
)

// Timeout looks for months that are over, every hour, on one loop for all.
func (w *work) Timeout(*loop.Timer) {
	if w.env.Shard() != 0 {
		return
	}
	cfg, now := &w.env.Config.Archive, w.env.Now()
	w.f.archive.Expire(func(pool string, end time.Time) bool { return archive.Over(cfg, pool, end, now) })
	w.env.Loop.Set(&w.expiry, time.Hour)
}
