package caps

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"meerkat/engine/caps"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/store"
)

// Verified capabilities, for all who advertise them. sets has them by hash and
// verification string, with a blank between, as if those were owners: the day of
// the last use (4 bytes, days since 1970), and the features that say what events
// are wanted, with line feeds between. count has their number (4 bytes), under the name of nobody.
var (
	sets  = store.NewDoc("caps")
	count = store.NewDoc("caps-count")
)

const nobody = "."

var (
	stored  = metric.NewCounter("meerkat_caps_stored_total", "Sets of capabilities added to the store.")
	evicted = metric.NewCounter("meerkat_caps_evicted_total",
		"Sets of capabilities removed from the store because of limits.capabilities.")
)

// stale is for how many days a set is used before that is written down.
const stale = 7

// cache is what one loop knows.
type cache struct {
	known map[string]entry
	key   []byte // scratch: the key looked for
	asked uint32 // questions
}

// entry is a known set with its key, which all Clients share.
type entry struct {
	key string
	set *caps.Set
}

func newCache() *cache { return &cache{known: make(map[string]entry)} }

// find returns the set of h.key and the key, or nil.
func (h *cache) find(e *feature.Env) (key string, set *caps.Set) {
	if k, ok := h.known[string(h.key)]; ok {
		return k.key, k.set
	}
	var features []string
	var old bool
	key = string(h.key)
	today := day(e.Now())
	e.View(func(tx *store.Tx) {
		v := sets.Get(tx, key)
		if len(v) >= 4 {
			features = strings.Split(string(v[4:]), "\n")
			old = today-binary.BigEndian.Uint32(v) >= stale
		}
	})
	if features == nil {
		return key, nil
	}
	if old {
		touch(e, key, today)
	}
	set = caps.NewSet(features)
	h.remember(e, key, set)
	return key, set
}

func day(t time.Time) uint32 { return uint32(t.Unix() / (24 * 3600)) }

// remember keeps a set in memory; all are forgotten when they are too many.
func (h *cache) remember(e *feature.Env, key string, set *caps.Set) {
	if limit := e.Config.Limits.Capabilities; len(h.known) >= limit {
		clear(h.known)
	}
	h.known[key] = entry{key, set}
}

// touch notes that a set is in use.
func touch(e *feature.Env, key string, today uint32) {
	e.Update(func(tx *store.Tx) error {
		v := slices.Clone(sets.Get(tx, key))
		if len(v) < 4 {
			return nil
		}
		binary.BigEndian.PutUint32(v, today)
		return sets.Put(tx, key, v)
	}, func(error) {}) // it is as good as new without
}

// learn keeps a verified set for all.
func (h *cache) learn(e *feature.Env, cl *caps.Client) {
	h.remember(e, cl.Key, cl.Set)
	key, limit := cl.Key, e.Config.Limits.Capabilities
	v := binary.BigEndian.AppendUint32(nil, day(e.Now()))
	v = append(v, strings.Join(cl.Set.Features(), "\n")...)
	gone := 0
	e.Update(func(tx *store.Tx) (err error) {
		gone, err = put(tx, key, v, limit)
		return err
	}, func(err error) {
		if err != nil {
			e.Log.Debug("capabilities could not be stored", "err", err)
			return
		}
		stored.Add(e.Shard(), 1)
		evicted.Add(e.Shard(), uint64(gone))
	})
}

// put stores a set, and removes those that have not been used for longest if
// there are more than limit. It returns how many it removed.
func put(tx *store.Tx, key string, v []byte, limit int) (gone int, err error) {
	n := 0
	if c := count.Get(tx, nobody); len(c) == 4 {
		n = int(binary.BigEndian.Uint32(c))
	}
	if sets.Get(tx, key) == nil {
		n++
	}
	if n > limit {
		if gone, err = evict(tx, n-limit+limit/8); err != nil {
			return 0, err
		}
		n -= gone
	}
	if err := sets.Put(tx, key, v); err != nil {
		return 0, err
	}
	return gone, count.Put(tx, nobody, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// evict removes about n sets.
func evict(tx *store.Tx, n int) (gone int, err error) {
	type used struct {
		day uint32
		key string
	}
	var all []used
	err = sets.Each(tx, func(key string, v []byte) error {
		u := used{key: key}
		if len(v) >= 4 {
			u.day = binary.BigEndian.Uint32(v)
		}
		all = append(all, u)
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(all, func(a, b used) int { return int(a.day) - int(b.day) })
	for _, u := range all[:min(n, len(all))] {
		if err := sets.Delete(tx, u.key); err != nil {
			return gone, err
		}
		gone++
	}
	return gone, nil
}
