package load

import (
	"fmt"
	"time"
)

// TLS says how a stream is encrypted.
type TLS string

const (
	Plain    TLS = "none"
	StartTLS TLS = "starttls"
	Direct   TLS = "direct" // XEP-0368
)

// Target is a server and how the clients of one Crowd behave towards it.
type Target struct {
	Addr     string // IPv4 host:port
	Domain   string
	TLS      TLS
	WS       string // path of a WebSocket, as "/ws"; "": TCP
	Mech     string // PLAIN, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-512
	Password string // of every account
	Resource string // asked for in bind

	Raw      bool // no XMPP: the floor's programs
	Register bool // make the account first (XEP-0077), if there is none
	Pipeline bool // log in with as few writes as the mechanism allows
	Roster   bool // ask for the roster
	Presence bool // send initial presence; online means available
	Full     bool // stream management with resumption, carbons, and all messages archived

	First, Users int           // accounts User(First) to User(First+Users-1)
	Layout       Layout        // who is in whose roster
	Threads      int           // event loops
	Timeout      time.Duration // for one login
}

// User is the local part of account n.
func User(n int) string { return fmt.Sprintf("u%07d", n) }

// Layout is who has whom in the roster: within a block of consecutive users,
// all sit in a ring, and know the nearest on both sides. So a roster's size is
// free, subscriptions are mutual, and whole blocks can be dealt out to threads
// and processes.
type Layout struct {
	Contacts int // of each user, if its block is large enough
	Block    int // users
	Users    int // in all; the last block may be smaller
}

// Of calls fn with each contact of user n.
func (l Layout) Of(n int, fn func(contact int)) {
	start := n / l.Block * l.Block
	size := min(l.Block, l.Users-start)
	for i := range min(l.Contacts, size-1) {
		step := i/2 + 1
		if i%2 == 1 {
			step = size - step
		}
		fn(start + (n-start+step)%size)
	}
}

// index is contact's place among those of n, in Of's order, or -1.
func (l Layout) index(n, contact int) int {
	start := n / l.Block * l.Block
	size := min(l.Block, l.Users-start)
	if contact < start || contact >= start+size || contact == n {
		return -1
	}
	step := (contact - n + size) % size
	if i := min(2*(step-1), 2*(size-step-1)+1); i < l.Contacts {
		return i
	}
	return -1
}

// Part is consecutive users: First counts from the first of the whole.
type Part struct{ First, Users int }

// Parts deals users to at most n threads or processes, in whole blocks.
func (l Layout) Parts(users, n int) []Part {
	blocks := (users + l.Block - 1) / l.Block
	n = max(1, min(n, blocks))
	var ps []Part
	for i := range n {
		from, to := i*blocks/n*l.Block, min((i+1)*blocks/n*l.Block, users)
		ps = append(ps, Part{from, to - from})
	}
	return ps
}
