package tls

import (
	ctls "crypto/tls"
	"encoding/binary"
	"errors"
	"sync"
)

// maxInput bounds the bytes of one handshake: what the client may send for it
// in all, and what is kept unread before Feed asks for a pause.
const maxInput = 64 << 10

var (
	// ErrTooLarge ends a handshake whose client sends more than 64 KiB for it,
	// or goes on sending when Feed has said that there is no room.
	ErrTooLarge = errors.New("tls: handshake is too large")

	errAborted = errors.New("tls: handshake aborted")
)

// Handshake is one session's beginning. Feed, Take and Abort are called by the
// connection's loop, one at a time.
type Handshake struct {
	s     *Server
	out   func(*Handshake)
	hello hello

	mu     sync.Mutex
	in     []byte // from the client, not yet read by crypto/tls
	send   []byte // for the client, not yet taken
	begun  bool   // the ClientHello is there
	parked bool   // the goroutine waits for a record
	done   bool   // conn or err is set
	stop   bool   // nobody wants the result
	conn   Conn
	err    error

	work *work // of the goroutine; nil before it has one

	queue      *queue // of the schedule, which guards these
	prev, next *Handshake
}

// work is what only a handshake in progress needs.
type work struct {
	keys   keys
	cert   *ctls.Certificate
	flight [headerLen + 4 + 2 + 32]byte // start of what we sent first: ServerHello
	record []byte                       // the last that came, if it is small
	wrote  bool
	left   int       // bytes that Read may still give of the record it is in
	used   int       // bytes that Read has given
	wake   chan bool // true: with a worker
	holds  bool
}

// Feed takes bytes from the client, which it copies, and returns how many more
// it has room for. At 0 or less the caller stops reading until out is called.
func (h *Handshake) Feed(in []byte) (room int) {
	h.mu.Lock()
	if h.stop || h.done && h.err != nil {
		h.mu.Unlock()
		return 0
	}
	if len(h.in) >= maxInput {
		h.mu.Unlock()
		h.refuse(ErrTooLarge)
		return 0
	}
	h.in = append(h.in, in...)
	room = maxInput - len(h.in)
	h.proceed() // unlocks
	return room
}

// proceed starts or wakes the worker if what it waits for is there. It unlocks
// h.mu, because the schedule is not to be called with it.
func (h *Handshake) proceed() {
	switch {
	case h.done:
		h.mu.Unlock()
	case !h.begun:
		whole, err := h.hello.scan(h.in)
		h.begun = whole
		h.mu.Unlock()
		if err != nil {
			h.refuse(err)
		} else if whole {
			h.s.count.begun.Add(1)
			h.s.schedule.start(h)
		}
	case h.parked && recordReady(h.in) > 0:
		h.parked = false
		h.mu.Unlock()
		h.s.schedule.resume(h)
	default:
		h.mu.Unlock()
	}
}

// recordReady returns how many bytes of in crypto/tls may have: one record, if
// it is there in whole, or the header it will refuse.
func recordReady(in []byte) int {
	if len(in) < headerLen {
		return 0
	}
	size := int(binary.BigEndian.Uint16(in[3:]))
	if size > maxCipher2 {
		return headerLen
	}
	if len(in) < headerLen+size {
		return 0
	}
	return headerLen + size
}

// Take appends to dst what must be sent to the client now, even with an error.
// done says that the handshake has ended: with err, or with conn and rest, which
// is input that belongs to conn (whole and partial records, in order) and is the
// caller's. Take then is not called again.
func (h *Handshake) Take(dst []byte) (toSend []byte, done bool, conn Conn, rest []byte, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	dst = append(dst, h.send...)
	h.send = nil
	if !h.done {
		return dst, false, nil, nil, nil
	}
	conn, rest, err = h.conn, h.in, h.err
	h.conn, h.in = nil, nil
	return dst, true, conn, rest, err
}

// Abort ends a handshake whose connection is gone or out of time, and frees
// what it holds. It does nothing once Take has returned done.
func (h *Handshake) Abort() {
	h.mu.Lock()
	if h.conn != nil {
		h.conn.Wipe()
		h.conn = nil
	}
	if !h.done && !h.stop {
		h.s.count.aborted.Add(1)
	}
	h.in, h.send = nil, nil
	h.halt() // unlocks
}

// refuse ends a handshake for an error seen outside of crypto/tls. An alert
// goes out if the client can still read one in clear.
func (h *Handshake) refuse(err error) {
	h.s.count.failed.Add(1)
	h.mu.Lock()
	if h.conn != nil {
		h.conn.Wipe()
		h.conn = nil
	}
	if e, ok := err.(*Error); ok && !e.Remote {
		h.send = append(h.send, typeAlert, 3, 1, 0, 2, e.Alert.level(), byte(e.Alert))
	}
	h.done, h.err, h.in = true, err, nil
	h.halt() // unlocks
	h.out(h)
}

// halt makes the goroutine end, wherever it is. It unlocks h.mu.
func (h *Handshake) halt() {
	h.stop = true
	parked := h.parked
	h.parked = false
	h.mu.Unlock()
	if parked {
		h.work.wake <- false
	} else {
		h.s.schedule.drop(h)
	}
}

// begin prepares for compute, unless nobody wants it any more.
func (h *Handshake) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop {
		return false
	}
	h.work = &work{wake: make(chan bool, 1), holds: true}
	return true
}

// end hands over the result.
func (h *Handshake) end(conn Conn, err error) {
	h.mu.Lock()
	if h.stop {
		h.mu.Unlock()
		if conn != nil {
			conn.Wipe()
		}
		return
	}
	h.done, h.conn, h.err = true, conn, err
	if err != nil {
		h.in = nil
		h.s.count.failed.Add(1)
	} else {
		h.s.count.done.Add(1)
	}
	h.mu.Unlock()
	h.out(h)
}
