package tls

import "crypto/cipher"

// A Cache belongs to one event loop: it holds the ciphers of the sessions that
// moved bytes last, and scratch. A full entry is about 2.5 kB. Not for
// concurrent use.
//
// It needs no map: a session remembers which slot was its last, and the slot
// knows its owner. A session may change loops at any time.
type Cache struct {
	slots []slot
	hand  int // the clock's hand: where the next victim is looked for
	nonce [ivLen]byte
	aad   [13]byte
	reply []byte

	misses uint64
}

type slot struct {
	owner *conn
	used  bool // again, since it came or the hand last passed
	ciphers
}

// ciphers are of one session, built when needed, each for one epoch of its
// direction's key.
type ciphers struct {
	in, out           cipher.AEAD
	inEpoch, outEpoch uint32
}

// NewCache returns a Cache that keeps the ciphers of n sessions, at least one.
func NewCache(n int) *Cache { return &Cache{slots: make([]slot, max(n, 1))} }

// Misses counts the ciphers built so far. It is for the loop to export.
func (c *Cache) Misses() uint64 { return c.misses }

// Forget drops the ciphers kept for k: call it before [Conn.Wipe], and when a
// session leaves for another loop. Not needed for correctness, it frees them
// and the session's memory early.
func (c *Cache) Forget(k Conn) {
	s, ok := k.(*conn)
	if ok && int(s.slot) < len(c.slots) && c.slots[s.slot].owner == s {
		c.slots[s.slot] = slot{}
	}
}

// of returns the ciphers of k, none of which need be built yet. Valid until the
// next call.
func (c *Cache) of(k *conn) *ciphers {
	if i := int(k.slot); i < len(c.slots) && c.slots[i].owner == k {
		c.slots[i].used = true
		return &c.slots[i].ciphers
	}
	k.slot = c.evict()
	c.slots[k.slot] = slot{owner: k}
	return &c.slots[k.slot].ciphers
}

// evict chooses the slot to give away: the first that was not used again since
// the hand was there (second chance).
func (c *Cache) evict() uint32 {
	for {
		i := c.hand
		if c.hand++; c.hand == len(c.slots) {
			c.hand = 0
		}
		if !c.slots[i].used {
			return uint32(i)
		}
		c.slots[i].used = false
	}
}

// opener returns the cipher of k's incoming records.
func (c *Cache) opener(k *conn) (cipher.AEAD, error) {
	e := c.of(k)
	if e.in != nil && e.inEpoch == k.in.epoch {
		return e.in, nil
	}
	c.misses++
	a, err := k.suite().aead(k.in.key[:])
	e.in, e.inEpoch = a, k.in.epoch
	return a, err
}

// sealer returns the cipher of k's outgoing records.
func (c *Cache) sealer(k *conn) (cipher.AEAD, error) {
	e := c.of(k)
	if e.out != nil && e.outEpoch == k.out.epoch {
		return e.out, nil
	}
	c.misses++
	a, err := k.suite().aead(k.out.key[:])
	e.out, e.outEpoch = a, k.out.epoch
	return a, err
}
