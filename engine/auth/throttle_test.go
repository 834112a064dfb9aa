package auth

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"
)

var (
	noon    = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	usual   = ThrottleOptions{Failures: 20, Block: 10 * time.Minute}
	someone = netip.MustParseAddr("192.0.2.1")
)

func (t *Throttle) failTimes(n int, addr netip.Addr, now time.Time) (blocked bool) {
	for range n {
		blocked = t.Failed(addr, now)
	}
	return blocked
}

func TestTwentyFailuresShutAnAddressOut(t *testing.T) {
	th := NewThrottle(usual)
	before := blocks.Value()
	if th.failTimes(19, someone, noon) || th.Blocked(someone, noon) {
		t.Error("shut out after 19 failures")
	}
	if !th.Failed(someone, noon) || !th.Blocked(someone, noon) {
		t.Error("not shut out after 20 failures")
	}
	if !th.Failed(someone, noon.Add(9*time.Minute)) {
		t.Error("failures while shut out open the door")
	}
	if !th.Blocked(someone, noon.Add(10*time.Minute-1)) {
		t.Error("let in before 10 minutes are over")
	}
	if th.Blocked(someone, noon.Add(10*time.Minute)) {
		t.Error("still shut out after 10 minutes")
	}
	if th.failTimes(19, someone, noon.Add(10*time.Minute)) || !th.Failed(someone, noon.Add(11*time.Minute)) {
		t.Error("the count does not begin anew")
	}
	if n := blocks.Value() - before; n != 2 {
		t.Errorf("%d blocks counted, want 2", n)
	}
}

func TestFailuresAreForgottenAfterBlockTime(t *testing.T) {
	th := NewThrottle(usual)
	th.failTimes(19, someone, noon)
	if th.failTimes(19, someone, noon.Add(10*time.Minute)) {
		t.Error("failures of ten minutes ago count")
	}
}

func TestAddressesAreCountedApart(t *testing.T) {
	th := NewThrottle(usual)
	th.failTimes(20, someone, noon)
	f := func(addr string, want bool) {
		t.Helper()
		if got := th.Blocked(netip.MustParseAddr(addr), noon); got != want {
			t.Errorf("%s blocked: %v, want %v", addr, got, want)
		}
	}
	f("192.0.2.1", true)
	f("::ffff:192.0.2.1", true)
	f("192.0.2.2", false)
	f("2001:db8::1", false)
	th.failTimes(20, netip.MustParseAddr("2001:db8:1:2:3::4"), noon)
	f("2001:db8:1:2::", true)
	f("2001:db8:1:2:ffff:ffff:ffff:ffff%eth0", true)
	f("2001:db8:1:3::", false)
}

func TestNoLimitBlocksNobody(t *testing.T) {
	th := NewThrottle(ThrottleOptions{Block: time.Minute})
	if th.failTimes(10000, someone, noon) || th.Blocked(someone, noon) {
		t.Error("shut out without a limit")
	}
}

func TestOptionsChangeLive(t *testing.T) {
	th := NewThrottle(usual)
	th.failTimes(3, someone, noon)
	th.SetOptions(ThrottleOptions{Failures: 4, Block: time.Minute})
	if !th.Failed(someone, noon) || th.Blocked(someone, noon.Add(time.Minute)) {
		t.Error("the new limits are not in force")
	}
}

func numbered(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return netip.AddrFrom4(b)
}

func TestThrottleForgetsTheOldestToBoundMemory(t *testing.T) {
	th := NewThrottle(ThrottleOptions{Failures: 2, Block: time.Hour, Addresses: 1024})
	before := forgotten.Value()
	const n = 20000
	for i := range n {
		th.Failed(numbered(i), noon)
		th.Failed(someone, noon) // fails all the time, so it is never the oldest
	}
	total := 0
	for i := range th.shards {
		s := &th.shards[i]
		if len(s.places) != len(s.slots)-1 {
			t.Errorf("shard %d: %d places, %d slots", i, len(s.places), len(s.slots))
		}
		total += len(s.places)
	}
	if total > 1024 || total < 900 {
		t.Errorf("%d addresses remembered, want about 1024 at most", total)
	}
	if got := forgotten.Value() - before; got != uint64(n+1-total) {
		t.Errorf("%d counted as forgotten, want %d", got, n+1-total)
	}
	if !th.Blocked(someone, noon) {
		t.Error("the busiest address was forgotten")
	}
	if th.Failed(numbered(0), noon) {
		t.Error("the first address was not forgotten")
	}
	if !th.Failed(numbered(n-1), noon) {
		t.Error("the last address was forgotten")
	}
}

func TestStaleAddressesMakeRoomUncounted(t *testing.T) {
	th := NewThrottle(ThrottleOptions{Failures: 2, Block: time.Minute, Addresses: 16})
	before := forgotten.Value()
	for i := range 200 {
		th.Failed(numbered(i), noon.Add(time.Duration(i)*time.Hour))
	}
	if n := forgotten.Value() - before; n != 0 {
		t.Errorf("%d counted as forgotten early, want 0", n)
	}
}

func TestThrottleFromManyGoroutines(t *testing.T) {
	th := NewThrottle(ThrottleOptions{Failures: 1000, Block: time.Hour, Addresses: 64})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 250 {
				th.Failed(numbered(1000*g+i), noon)
				th.Blocked(someone, noon)
				th.Failed(someone, noon)
			}
		})
	}
	wg.Wait()
	if !th.Blocked(someone, noon) {
		t.Error("failures were lost: 1000 from four goroutines do not block")
	}
}

func BenchmarkThrottleFailed(b *testing.B) {
	th := NewThrottle(usual)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		th.Failed(numbered(i&0xffff), noon)
		i++
	}
}
