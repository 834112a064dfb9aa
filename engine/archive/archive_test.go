package archive

import (
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

// Each domain keeps its messages as long as its options say.
func TestRetentionOfDomains(t *testing.T) {
	day := 24 * time.Hour
	cfg := &config.Archive{
		Retention: config.Duration(30 * day),
		Domains:   []config.DomainArchive{{Domain: "Short.test", Retention: config.Duration(10 * day)}, {Domain: "ever.test"}},
	}
	now := time.Date(2026, 7, 15, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		domain, pool string
		oldest       time.Time
		end          time.Time // of a month in the pool
		over         bool
	}{
		{"test", "", now.Add(-30 * day), now.Add(-31 * day), true},
		{"test", "", now.Add(-30 * day), now.Add(-29 * day), false},
		{"short.test", "short.test", now.Add(-10 * day), now.Add(-11 * day), true},
		{"short.test", "short.test", now.Add(-10 * day), now.Add(-9 * day), false},
		{"ever.test", "ever.test", time.UnixMicro(0), now.Add(-9999 * day), false},
		{"gone.test", "", now.Add(-30 * day), now.Add(-29 * day), false},
	} {
		if got := PoolOf(cfg, test.domain); got != test.pool {
			t.Errorf("%s has the pool %q, want %q", test.domain, got, test.pool)
		}
		if got := Oldest(cfg, test.domain, now); got != uint64(test.oldest.UnixMicro()) {
			t.Errorf("%s: the oldest is of %v, want %v", test.domain, store.TimeOf(got), test.oldest)
		}
		if got := Over(cfg, test.pool, test.end, now); got != test.over {
			t.Errorf("%s: a month that ended %v is over: %v, want %v", test.domain, test.end, got, test.over)
		}
	}
}
