package wire

import (
	"bytes"
	ctls "crypto/tls"
	"math/rand/v2"
	"testing"
	"time"

	"meerkat/engine/loop"
)

// fickle is an Upper that takes as much as it likes, and yields, pauses, moves
// or talks when it does not like to take more.
type fickle struct {
	g    *loop.Group
	rnd  *rand.Rand
	got  []byte
	said []byte
	open bool
	away bool // paused or moving
	bad  string
}

func (f *fickle) Opened(w *Conn) { f.open = true; w.SetRate(1_000_000, 50_000) }

func (f *fickle) Bytes(w *Conn, in []byte) int {
	if f.away {
		f.bad = "got bytes while paused or moving"
	}
	n := f.rnd.IntN(len(in) + 1)
	f.got = append(f.got, in[:n]...)
	f.talk(w)
	if n < len(in) {
		f.leave(w)
	}
	return n
}

func (f *fickle) leave(w *Conn) {
	switch f.rnd.IntN(3) {
	case 0:
		w.Yield()
	case 1:
		f.away = true
		w.Pause()
		w.Loop().Set(&loop.Timer{Owner: loop.Func(func() { f.away = false; w.Resume() })}, time.Second)
	case 2:
		f.away = true
		w.Move(f.g.At(f.rnd.IntN(f.g.Len())), func() { f.away = false; f.talk(w) })
		f.talk(w)
	}
}

func (f *fickle) talk(w *Conn) {
	b := make([]byte, f.rnd.IntN(3000))
	for i := range b {
		b[i] = byte(f.rnd.Uint32())
	}
	f.said = append(f.said, b...)
	w.Write(b)
}

func (f *fickle) Flush(w *Conn) {
	if f.rnd.IntN(10) == 0 {
		f.talk(w)
	}
}
func (f *fickle) Secured(*Conn)       {}
func (f *fickle) Closed(*Conn, error) {}

// TestEveryByteOnceAndInOrder sends random bytes in random pieces to fickle
// Uppers, and reads what they say in random pieces.
func TestEveryByteOnceAndInOrder(t *testing.T) {
	for seed := range uint64(8) {
		for _, version := range []uint16{0, ctls.VersionTLS12, ctls.VersionTLS13} {
			rnd := rand.New(rand.NewPCG(seed, uint64(version)))
			g, s := memory(t, 3, Options{OutputSoft: 20_000})
			f := &fickle{g: g, rnd: rnd}
			sent, heard := converse(t, g, s.Pipe(g.At(0), f, version != 0), rnd, version, f)
			if f.bad != "" {
				t.Fatalf("seed %d, version %x: %s", seed, version, f.bad)
			}
			if !bytes.Equal(f.got, sent) {
				t.Fatalf("seed %d, version %x: upper got %d bytes, not the %d sent", seed, version, len(f.got), len(sent))
			}
			if !bytes.Equal(heard, f.said) {
				t.Fatalf("seed %d, version %x: client heard %d bytes, not the %d said", seed, version, len(heard), len(f.said))
			}
		}
	}
}

// converse returns what the client sent and what it heard.
func converse(t *testing.T, g *loop.Group, p *loop.Peer, rnd *rand.Rand, version uint16, f *fickle) (sent, heard []byte) {
	var raw []byte // on its way to the server
	var write func(b []byte)
	var read func() []byte
	if version == 0 {
		write, read = func(b []byte) { raw = append(raw, b...) }, p.Read
	} else {
		c := secureClient(t, g, p, version)
		g.TurnUntil(func() bool { return f.open }) // before time goes on
		tap := c.NetConn().(*peerConn)
		tap.tap = func(b []byte) { raw = append(raw, b...) }
		tap.once = true
		write = func(b []byte) { _, _ = c.Write(b) }
		read = func() []byte { return readRecords(c, tap) }
	}
	for range 15 {
		b := make([]byte, rnd.IntN(20_000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		sent = append(sent, b...)
		write(b)
		for len(raw) > 0 {
			n := 1 + rnd.IntN(len(raw))
			_, _ = p.Write(raw[:n])
			raw = raw[n:]
			if rnd.IntN(2) == 0 {
				g.Turn()
			}
		}
		if rnd.IntN(5) == 0 {
			p.StopReading()
		}
		g.Advance(time.Duration(rnd.IntN(500)) * time.Millisecond)
		p.StartReading()
	}
	for range 1000 {
		g.Advance(time.Second)
		if len(f.got) == len(sent) {
			break
		}
	}
	return sent, append(heard, read()...)
}

// readRecords reads what there is and does not wait for more.
func readRecords(c *ctls.Conn, tap *peerConn) (all []byte) {
	tap.in = append(tap.in, tap.p.Read()...)
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil || n == 0 {
			return all
		}
	}
}
