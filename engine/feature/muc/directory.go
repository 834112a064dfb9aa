package muc

import (
	"slices"
	"strings"
	"sync"
)

// directory knows the rooms that are not in the store, of all loops. It is
// asked when rooms are made, configured and listed, not when somebody speaks.
type directory struct {
	mu   sync.Mutex
	m    map[string]listing // guarded by mu
	made map[string]int     // by creator, guarded by mu
}

// listing is what is to be known of a room that does not last.
type listing struct {
	name, creator string
	public        bool
}

func (d *directory) put(room string, l listing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m == nil {
		d.m, d.made = make(map[string]listing), make(map[string]int)
	}
	d.drop(room)
	d.m[room] = l
	d.made[l.creator]++
}

func (d *directory) remove(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(room)
}

// drop is remove with mu held.
func (d *directory) drop(room string) {
	l, ok := d.m[room]
	if !ok {
		return
	}
	delete(d.m, room)
	if d.made[l.creator]--; d.made[l.creator] == 0 {
		delete(d.made, l.creator)
	}
}

// update changes the name of a room and whether it is listed, if it is known.
func (d *directory) update(room, name string, public bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l, ok := d.m[room]; ok {
		l.name, l.public = name, public
		d.m[room] = l
	}
}

// madeBy counts the rooms that somebody has made.
func (d *directory) madeBy(bare string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made[bare]
}

// add appends the rooms of a host that may be listed, and sorts the list.
func (d *directory) add(list []entry, host string) []entry {
	d.mu.Lock()
	for room, l := range d.m {
		if l.public && strings.HasSuffix(room, "@"+host) {
			list = append(list, entry{room, l.name})
		}
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.jid, b.jid) })
	return slices.CompactFunc(list, func(a, b entry) bool { return a.jid == b.jid }) // one may be on its way to the store
}
