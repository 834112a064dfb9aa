package tune

import (
	"runtime/metrics"
	"time"
)

const (
	// calm is how long no collection must have begun, and not much been allocated,
	// before memory counts as left over from a burst: the collector gives pages back
	// only slowly, and without new garbage not before two minutes.
	calm = 4 * time.Second
	// much is how many bytes allocated from one look to the next belong to a burst;
	// more where the process is larger, by one of so many.
	much   = 2 << 20
	muchOf = 256
	// rest is the least time between two times of giving back; a second for
	// every so many bytes, as a collection takes longer the more there is.
	rest      = 30 * time.Second
	perSecond = 16 << 20
	// worth is how many bytes the process must have grown by, besides a quarter.
	worth = 8 << 20
)

// Keeper finds out when a burst, such as many logins, may have left the process
// with much more memory than lives in it. Its zero value is ready.
type Keeper struct {
	cycles uint64    // collections so far
	bytes  uint64    // allocated so far
	since  time.Time // when one was seen to begin last, or much to be allocated
	gave   time.Time // when it last said yes
	floor  uint64    // bytes that giving back has left, or less; at first what there was
	asked  bool      // floor is not known yet

	read func() (cycles, bytes uint64) // for tests; nil is the runtime
}

// Waste reports that now is the time to give memory back to the system
// (debug.FreeOSMemory), which costs a whole collection. Call it every second.
// What the last time could not give back is not asked for again.
func (k *Keeper) Waste(now time.Time, is Resident) bool {
	read := k.read
	if read == nil {
		read = collected
	}
	own := is.Own()
	cycles, bytes := read()
	if cycles != k.cycles || bytes-k.bytes > much+own/muchOf {
		k.since = now
	}
	k.cycles, k.bytes = cycles, bytes
	if k.asked || own < k.floor || k.floor == 0 {
		k.floor, k.asked = own, false
	}
	pause := max(rest, time.Duration(own/perSecond)*time.Second)
	if own <= k.floor+k.floor/4+worth || now.Sub(k.since) < calm || now.Sub(k.gave) < pause {
		return false
	}
	k.gave, k.asked = now, true
	return true
}

// collected is how many collections there were, and the bytes allocated so far.
func collected() (cycles, bytes uint64) {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
