package wire

import (
	ctls "crypto/tls"
	"testing"
)

func TestBytesInAndOutDoNotAllocate(t *testing.T) {
	if raceEnabled { // its pools forget on purpose
		return
	}
	g, s := memory(t, 1, Options{})
	up := &owner{}
	p := s.Pipe(g.At(0), up, true)
	c := secureClient(t, g, p, ctls.VersionTLS13)
	g.TurnUntil(func() bool { return up.w != nil })
	w := up.w
	var record []byte
	c.NetConn().(*peerConn).tap = func(b []byte) { record = append(record[:0], b...) }
	in := make([][]byte, 0, 1200)
	for range cap(in) {
		_, _ = c.Write([]byte("<message><body>hello</body></message>"))
		in = append(in, append([]byte(nil), record...))
	}
	turn := func() {
		w.Data(w.c, in[0])
		in = in[1:]
		w.Write([]byte("<message><body>hello</body></message>"))
		w.seal(w.out.B)
		w.out.Release()
		w.out = nil
	}
	p.StopReading() // what is written piles up in one buffer
	for range 100 {
		turn()
	}
	n := testing.AllocsPerRun(1000, turn)
	if n > 0.1 { // the pile grows now and then
		t.Errorf("%v allocations to open and seal a record, want 0", n)
	}
}

func BenchmarkStanzaInAndOut(b *testing.B) {
	g, s := memory(b, 1, Options{})
	up := &echoer{}
	p := s.Pipe(g.At(0), up, false)
	msg := make([]byte, 100)
	b.ReportAllocs()
	for range b.N {
		_, _ = p.Write(msg)
		g.Turn()
		p.Read()
	}
}
