package wire

import (
	"net/netip"
	"slices"
	"sync"
)

// gate counts the connections that have not authenticated, in all and by
// address. It is asked when a connection comes, logs in or goes.
type gate struct {
	perAddress, max int
	proxies         []netip.Prefix // set before the first connection

	mu    sync.Mutex
	count map[netip.Addr]int
	total int
}

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
	return &gate{perAddress: perAddress, max: max, count: map[netip.Addr]int{}}
}

// verdict is what enter says: let in, or which limit is against it.
type verdict int

const (
	tooManyOfAddress verdict = iota // positions in the metric
	tooMany
	letIn
)

func (g *gate) enter(a netip.Addr) verdict {
	a = network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.total >= g.max:
		return tooMany
	case g.count[a] >= g.perAddress && !g.exempt(a):
		return tooManyOfAddress
	}
	g.count[a]++
	g.total++
	return letIn
}

func (g *gate) leave(a netip.Addr) {
	a = network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
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
