package wire

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"

	"meerkat/engine/loop"
)

// gate counts the connections that have not authenticated, in all and by
// address. It is asked when a connection comes, logs in or goes.
type gate struct {
	perAddress, max int
	proxies         []netip.Prefix // set before the first connection

	mu    sync.Mutex
	count map[netip.Addr]int
	total int
	seats map[*Conn]*list.Element
	queue list.List // of *seat: those who may be turned out, oldest first
}

// seat is that of a connection that has not authenticated.
type seat struct {
	w     *Conn
	l     *loop.Loop // where w lives until it has
	since time.Time
}

// grace is how long a connection has to authenticate before it may have to make
// room for another one.
const grace = 2 * time.Second

// exempt reports whether a is a proxy, which comes for many.
func (g *gate) exempt(a netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Overlaps(netip.PrefixFrom(a, networkBits(a))) })
}

func networkBits(a netip.Addr) int {
	if a.Is6() {
		return 64
	}
	return a.BitLen()
}

func newGate(perAddress, max int) *gate {
	return &gate{perAddress: perAddress, max: max, count: map[netip.Addr]int{}, seats: map[*Conn]*list.Element{}}
}

// verdict is what enter says: let in, or which limit is against it.
type verdict int

const (
	tooManyOfAddress verdict = iota // positions in the metric
	tooMany
	letIn
)

// enter asks for a seat for somebody at a. If there is none, who has been
// dallying longest has to go, so that a crowd that only holds seats does not keep
// others out.
func (g *gate) enter(a netip.Addr) verdict {
	a = network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.count[a] >= g.perAddress && !g.exempt(a):
		return tooManyOfAddress
	case g.total >= g.max && !g.turnOut():
		return tooMany
	}
	g.count[a]++
	g.total++
	return letIn
}

// turnOut ends the oldest seat, if it is old enough.
func (g *gate) turnOut() bool {
	e := g.queue.Front()
	if e == nil || time.Since(e.Value.(*seat).since) < grace {
		return false
	}
	s := g.queue.Remove(e).(*seat)
	delete(g.seats, s.w)
	turnedOut.Add(0, 1)
	s.l.Post(func() {
		if s.w.flags&counted != 0 {
			s.w.Abort()
		}
	})
	return true
}

// sit notes that w, on l, is who has been let in.
func (g *gate) sit(w *Conn, l *loop.Loop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seats[w] = g.queue.PushBack(&seat{w, l, time.Now()})
}

// leave gives back the seat that w has, who came from a.
func (g *gate) leave(a netip.Addr, w *Conn) {
	a = network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok := g.seats[w]; ok {
		g.queue.Remove(e)
		delete(g.seats, w)
	}
	g.total--
	if g.count[a]--; g.count[a] <= 0 {
		delete(g.count, a)
	}
}

func (g *gate) inAll() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}

// network is what counts as one address: for IPv6 the /64, which is what one
// customer has.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
