package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"meerkat/engine/metric"
)

// ThrottleOptions bound guessing.
type ThrottleOptions struct {
	Failures  int           // before an address is shut out; 0: no limit
	Block     time.Duration // how long it is shut out, and how long failures count
	Addresses int           // remembered at most; 0: 65536, some 12 MB when all are used
}

// Throttle counts failed logins an address and shuts out those with too many:
// the one with policy-violation, never the account it guessed at. IPv6 counts by
// /64, which is what one household or server has. Success forgives nothing, or
// whoever has one account could guess at all others.
//
// Its methods may be called from any goroutine. They are for logins: no stanza
// comes here.
type Throttle struct {
	opt    atomic.Pointer[ThrottleOptions]
	seed   maphash.Seed // so that nobody can choose addresses of one shard
	shards [16]shard
}

// shard is a part of the addresses. It forgets the one that failed longest ago
// when it is full.
type shard struct {
	mu     sync.Mutex
	places map[netip.Addr]int32
	slots  []slot // slots[0] is the head of the ring: next is the oldest
}

// slot is an address that failed, in a ring by the time of its last failure.
type slot struct {
	addr       netip.Addr
	forget     time.Time // when its failures no longer count
	until      time.Time // it is shut out until then
	failures   int
	prev, next int32
}

var (
	blocks = metric.NewCounter("meerkat_auth_blocked_addresses_total",
		"Times an address was shut out for its failed logins.")
	forgotten = metric.NewCounter("meerkat_auth_throttle_forgotten_total",
		"Addresses whose failed logins were forgotten early to bound memory. If it grows, an attack comes from very many addresses.")
)

// NewThrottle returns a Throttle that knows no failures.
func NewThrottle(opt ThrottleOptions) *Throttle {
	t := &Throttle{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i] = shard{places: map[netip.Addr]int32{}, slots: make([]slot, 1)}
	}
	t.SetOptions(opt)
	return t
}

// SetOptions changes the limits from the next failure on. Who is shut out stays
// so; what is remembered beyond a smaller Addresses stays too.
func (t *Throttle) SetOptions(opt ThrottleOptions) {
	if opt.Addresses <= 0 {
		opt.Addresses = 1 << 16
	}
	t.opt.Store(&opt)
}

// Blocked reports that addr is shut out at the time now.
func (t *Throttle) Blocked(addr netip.Addr, now time.Time) bool {
	addr = network(addr)
	s := t.shard(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.places[addr]
	return ok && now.Before(s.slots[i].until)
}

// Failed counts a failed login from addr and reports whether addr is shut out now.
func (t *Throttle) Failed(addr netip.Addr, now time.Time) bool {
	opt := t.opt.Load()
	if opt.Failures <= 0 {
		return false
	}
	addr = network(addr)
	s := t.shard(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.touch(addr, now, max(opt.Addresses/len(t.shards), 1)).fail(now, opt)
}

// fail counts one failure.
func (e *slot) fail(now time.Time, opt *ThrottleOptions) bool {
	if now.Before(e.until) {
		return true
	}
	if !now.Before(e.forget) {
		e.forget, e.failures = now.Add(opt.Block), 0
	}
	if e.failures++; e.failures < opt.Failures {
		return false
	}
	e.until = now.Add(opt.Block)
	e.forget = e.until
	blocks.Add(metric.OffLoop, 1)
	return true
}

// network is what counts as one address: for IPv6 its /64.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		p, _ := addr.Prefix(64) // fails only for other bit counts
		return p.Addr()
	}
	return addr
}

func (t *Throttle) shard(addr netip.Addr) *shard {
	return &t.shards[maphash.Comparable(t.seed, addr)%uint64(len(t.shards))]
}

// touch returns the slot of addr, made the newest of the ring. Above limit slots
// the oldest is taken.
func (s *shard) touch(addr netip.Addr, now time.Time, limit int) *slot {
	i, ok := s.places[addr]
	switch {
	case ok:
		s.unlink(i)
	case len(s.slots) <= limit:
		i = int32(len(s.slots))
		s.slots = append(s.slots, slot{addr: addr})
	default:
		i = s.slots[0].next
		s.unlink(i)
		if now.Before(s.slots[i].forget) {
			forgotten.Add(metric.OffLoop, 1)
		}
		delete(s.places, s.slots[i].addr)
		s.slots[i] = slot{addr: addr}
	}
	s.places[addr] = i
	s.link(i)
	return &s.slots[i]
}

func (s *shard) unlink(i int32) {
	e := &s.slots[i]
	s.slots[e.prev].next, s.slots[e.next].prev = e.next, e.prev
}

// link puts slot i in front of the head: at the end of the ring.
func (s *shard) link(i int32) {
	last := s.slots[0].prev
	s.slots[i].prev, s.slots[i].next = last, 0
	s.slots[last].next, s.slots[0].prev = i, i
}
