package archive

import (
	"strings"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

// PoolOf returns the pool of a domain's rows: its own where it has a retention of
// its own.
func PoolOf(cfg *config.Archive, domain string) string {
	for i := range cfg.Domains {
		if strings.EqualFold(cfg.Domains[i].Domain, domain) {
			return store.PoolName(domain)
		}
	}
	return ""
}

// retention returns how long messages of a domain are kept, 0 for ever.
func retention(cfg *config.Archive, domain string) time.Duration {
	for _, d := range cfg.Domains {
		if strings.EqualFold(d.Domain, domain) {
			return time.Duration(d.Retention)
		}
	}
	return time.Duration(cfg.Retention)
}

// Oldest returns the least sequence number that is still shown.
func Oldest(cfg *config.Archive, domain string, now time.Time) uint64 {
	keep := retention(cfg, domain)
	if keep == 0 {
		return 0
	}
	return uint64(max(0, now.Add(-keep).UnixMicro()))
}

// Over reports whether a month may go, by the retention of its pool.
func Over(cfg *config.Archive, pool string, end, now time.Time) bool {
	keep := time.Duration(cfg.Retention)
	for _, d := range cfg.Domains {
		if store.PoolName(strings.ToLower(d.Domain)) == pool {
			keep = time.Duration(d.Retention)
		}
	}
	return keep > 0 && end.Add(keep).Before(now)
}
