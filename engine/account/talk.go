package account

// Talk is what features have found out about whom a session writes to. It holds
// for as long as the session writes to nobody else, and nothing changes that
// decides: it spares them to look again for each message of a conversation.
type Talk struct {
	peer    uint64 // hash of the bare address
	changes uint32
	found   Flag
}

// With has t be about peer, given as a hash. What was found before is forgotten
// unless it was about peer and changes, a count, is the same.
func (t *Talk) With(peer, changes uint64) {
	if t.peer != peer || t.changes != uint32(changes) {
		*t = Talk{peer: peer, changes: uint32(changes)}
	}
}

// Has reports whether f was found.
func (t *Talk) Has(f Flag) bool { return t.found&f != 0 }

// Set notes that f was found.
func (t *Talk) Set(f Flag) { t.found |= f }
