package sm

import (
	"encoding/base64"

	"meerkat/engine/jid"
)

// maxEnded is how many sessions that have ended one loop remembers.
const maxEnded = 4096

// ended remembers how far the stanzas of sessions got that have ended, so that a
// client that comes too late hears what need not be sent again (XEP-0198 §5:
// <failed/> with h).
type ended struct {
	m    map[[16]byte]count
	ring [][16]byte // oldest at next, once it is full
	next int
}

type count struct {
	owner string
	h     uint32
}

func (d *ended) remember(token []byte, owner string, h uint32) {
	t := [16]byte(token)
	if d.m == nil {
		d.m = make(map[[16]byte]count)
	}
	if _, twice := d.m[t]; !twice {
		d.place(t)
	}
	d.m[t] = count{owner, h}
}

// place gives t the place of the oldest.
func (d *ended) place(t [16]byte) {
	if len(d.ring) < maxEnded {
		d.ring = append(d.ring, t)
		return
	}
	delete(d.m, d.ring[d.next])
	d.ring[d.next] = t
	d.next = (d.next + 1) % maxEnded
}

// find returns how many stanzas of the session's client were handled.
func (d *ended) find(owner jid.JID, id string) (h uint32, ok bool) {
	token, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(token) != 16 {
		return 0, false
	}
	c, ok := d.m[[16]byte(token)]
	return c.h, ok && c.owner == owner.String()
}
