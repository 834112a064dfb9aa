package tls

import (
	"net"
	"time"
)

// transport is the net.Conn that crypto/tls sees in a handshake.
type transport struct{ h *Handshake }

// Read gives bytes of one record at most, and only of one that is there in
// whole. Until then it parks, without a worker.
func (t transport) Read(p []byte) (int, error) {
	h := t.h
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.stop {
			return 0, errAborted
		}
		if h.work.left == 0 {
			if h.work.left = recordReady(h.in); h.work.left > 0 && h.work.left <= maxFinished {
				h.work.record = append(h.work.record[:0], h.in[:h.work.left]...)
			}
		}
		if h.work.left > 0 {
			return h.read(p)
		}
		h.park()
	}
}

// read gives bytes of the record that Read is in.
func (h *Handshake) read(p []byte) (int, error) {
	w := h.work
	n := copy(p[:min(len(p), w.left)], h.in)
	w.left -= n
	w.used += n
	if h.in = h.in[n:]; len(h.in) == 0 {
		h.in = nil
	}
	if w.used > maxInput {
		return 0, ErrTooLarge
	}
	return n, nil
}

// park waits until there is a record, or a reason to end. h.mu is locked before
// and after.
func (h *Handshake) park() {
	h.parked = true
	answer := len(h.send) > 0
	h.mu.Unlock()
	if answer {
		h.out(h)
	}
	h.s.schedule.park()
	h.work.holds = <-h.work.wake
	h.mu.Lock()
}

// Write keeps bytes for Take.
func (t transport) Write(p []byte) (int, error) {
	h := t.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop {
		return 0, errAborted
	}
	if !h.work.wrote {
		h.work.wrote = true
		copy(h.work.flight[:], p)
	}
	h.send = append(h.send, p...)
	return len(p), nil
}

func (transport) Close() error                     { return nil }
func (transport) LocalAddr() net.Addr              { return noAddr{} }
func (transport) RemoteAddr() net.Addr             { return noAddr{} }
func (transport) SetDeadline(time.Time) error      { return nil }
func (transport) SetReadDeadline(time.Time) error  { return nil }
func (transport) SetWriteDeadline(time.Time) error { return nil }

// noAddr is given to a config's callbacks: addresses are known to the caller.
type noAddr struct{}

func (noAddr) Network() string { return "memory" }
func (noAddr) String() string  { return "memory" }
