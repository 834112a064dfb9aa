package wire

import (
	"math"
	"time"

	"meerkat/engine/loop"
)

// bucket holds the bytes a client may send at once, and fills with time.
type bucket struct {
	at     int64 // of the last filling, Unix ns
	rate   int32 // bytes a second; 0: no limit
	burst  int32 // size
	tokens int32 // level; below 0 the client is ahead of its rate
}

// fill adds what the time since the last filling gives.
func (b *bucket) fill(now time.Time) {
	t := now.UnixNano()
	more := float64(t-b.at) / 1e9 * float64(b.rate)
	b.tokens = int32(min(float64(b.burst), float64(b.tokens)+more))
	b.at = t
}

// wait returns how long it takes to be level with the rate again.
func (b *bucket) wait() time.Duration {
	return time.Duration(-int64(b.tokens)) * time.Second / time.Duration(b.rate)
}

// SetRate bounds what is read from the client, in bytes as they are on the
// socket: beyond bytesPerSec, after a burst, reading pauses. Nothing is ever
// dropped. 0 is no bound, and 2 GiB are as good as more.
func (w *Conn) SetRate(bytesPerSec, burst int) {
	rate, size := int32(min(bytesPerSec, math.MaxInt32)), int32(min(burst, math.MaxInt32))
	w.rate = bucket{at: w.Loop().Now().UnixNano(), rate: rate, burst: size, tokens: size}
	if bytesPerSec == 0 {
		w.Loop().Stop(&w.timer)
		w.proceed(overRate)
	}
}

// spend takes n bytes from the bucket.
func (w *Conn) spend(n int) {
	if w.rate.rate == 0 || n == 0 {
		return
	}
	w.rate.fill(w.Loop().Now())
	w.rate.tokens -= int32(n)
	if w.rate.tokens < 0 && w.stop&overRate == 0 {
		rateStops.Add(w.index(), 1)
		w.halt(overRate)
		w.Loop().Set(&w.timer, w.rate.wait())
	}
}

// refill lets the client send again if the bucket is level, or waits for it.
func (w *Conn) refill() {
	w.rate.fill(w.Loop().Now())
	if w.rate.tokens < 0 {
		w.Loop().Set(&w.timer, w.rate.wait())
		return
	}
	w.proceed(overRate)
}

// Timeout is for the loop.
func (w *Conn) Timeout(*loop.Timer) {
	if w.mode != shaking && w.flags&fronting == 0 {
		w.refill()
		return
	}
	handshakeTimeouts.Add(w.index(), 1)
	w.err = ErrHandshake
	w.Abort()
}
