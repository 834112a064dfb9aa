package loop

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// recorder writes down what it is told.
type recorder struct {
	log  []string
	data func(c *Conn, in []byte)
}

func (r *recorder) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Open(c *Conn) { r.note("open") }
func (r *recorder) Data(c *Conn, in []byte) {
	r.note("data %s", in)
	if r.data != nil {
		r.data(c, in)
	}
}
func (r *recorder) Flush(c *Conn)             { r.note("flush") }
func (r *recorder) Closed(c *Conn, err error) { r.note("closed %v", err) }

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Join(r.log, "|"); got != strings.Join(want, "|") {
		t.Errorf("handler heard\n got %q\nwant %q", r.log, want)
	}
	r.log = nil
}

func TestFlushComesOnceATurn(t *testing.T) {
	g := NewManual(1, epoch)
	h := &recorder{data: func(c *Conn, _ []byte) { c.Dirty(); c.Dirty() }}
	p := g.Pipe(g.At(0), h)
	p.WriteString("a")
	g.Turn()
	h.want(t, "open", "data a", "flush")
	p.Close()
	g.Turn()
	h.want(t, "closed EOF")
}

func TestAgainComesInTheNextTurn(t *testing.T) {
	g := NewManual(1, epoch)
	n := 0
	h := &recorder{}
	h.data = func(c *Conn, in []byte) {
		if n++; n < 3 {
			c.Again()
			c.Dirty()
		}
	}
	p := g.Pipe(g.At(0), h)
	p.WriteString("a")
	g.Turn()
	h.want(t, "open", "data a", "flush", "data ", "flush", "data ")
}

func TestSendToSelfIsHandledInTheSameTurnAfterTheHandler(t *testing.T) {
	g := NewManual(2, epoch)
	l := g.At(0)
	h := &recorder{}
	l.Receive = func(p *Packet) { h.note("got %s", p.B); p.Release() }
	h.data = func(c *Conn, in []byte) {
		p := NewPacket()
		p.B = append(p.B, in...)
		l.Send(l, p)
		h.note("handled")
		c.Dirty()
	}
	p := g.Pipe(l, h)
	p.WriteString("x")
	g.Turn()
	h.want(t, "open", "data x", "handled", "got x", "flush")
}

func TestSendKeepsOrderBetweenLoopsWithCalls(t *testing.T) {
	g := NewManual(2, epoch)
	a, b := g.At(0), g.At(1)
	var got []byte
	b.Receive = func(p *Packet) { got = append(got, p.B...); p.Release() }
	a.Post(func() {
		for i := range 10 {
			p := NewPacket()
			p.B = append(p.B, byte('0'+i))
			a.Send(b, p)
			a.Call(b, func() { got = append(got, '.') })
		}
	})
	g.Turn()
	if string(got) != "0.1.2.3.4.5.6.7.8.9." {
		t.Errorf("got %q", got)
	}
}

func TestLettersToSelfDoNotKeepOthersOut(t *testing.T) {
	g := NewManual(1, epoch)
	l := g.At(0)
	n, other := 0, -1
	var again func()
	again = func() {
		if n++; n < 3*maxLocal {
			l.Call(l, again)
		}
	}
	l.Post(func() { again(); l.Post(func() { other = n }) })
	g.Turn()
	if n != 3*maxLocal || other < 0 || other > 2*maxLocal+1 {
		t.Errorf("%d letters to self, another's mail was handled after %d of them", n, other)
	}
}

func TestPausedBytesComeAfterResumeInOrder(t *testing.T) {
	g := NewManual(1, epoch)
	h := &recorder{}
	h.data = func(c *Conn, in []byte) { c.Pause() }
	p := g.Pipe(g.At(0), h)
	p.WriteString("a")
	g.Turn()
	p.WriteString("b")
	p.WriteString("c")
	g.Turn()
	h.want(t, "open", "data a")
	h.data = nil
	g.At(0).Post(func() { p.c.Resume() })
	g.Turn()
	h.want(t, "data bc")
}

func TestCloseGivesTheBacklogTimeAndThenEnds(t *testing.T) {
	g := NewManual(1, epoch)
	h := &recorder{data: func(c *Conn, in []byte) { c.Write([]byte("bye")); c.Close(); c.Write([]byte("!")) }}
	p := g.Pipe(g.At(0), h)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	g.Advance(time.Second)
	if p.Ended() || p.Closed() {
		t.Fatal("closed with a backlog")
	}
	p.StartReading()
	g.Advance(time.Second)
	if got := p.ReadString(); got != "bye!" || !p.Ended() || p.Closed() {
		t.Errorf("read %q, ended %v, closed %v; want bye!, ended, not closed", got, p.Ended(), p.Closed())
	}
	p.Close()
	g.Turn()
	h.want(t, "open", "data a", "flush", "closed <nil>")
}

func TestCloseEndsAfterLingerWithAStuckPeer(t *testing.T) {
	g := NewManual(1, epoch)
	h := &recorder{data: func(c *Conn, in []byte) { c.Write([]byte("bye")); c.Close() }}
	p := g.Pipe(g.At(0), h)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	g.Advance(linger + 2*Tick)
	h.want(t, "open", "data a", "flush", "closed <nil>")
	if !p.Closed() || len(g.At(0).slow) != 0 {
		t.Errorf("closed %v, %d still watched", p.Closed(), len(g.At(0).slow))
	}
}

// presser counts Pressed and remembers the stall.
type presser struct {
	recorder
	stalled time.Duration
	empty   int
}

func (p *presser) Pressed(c *Conn) {
	p.stalled = c.StalledFor()
	if c.Backlog() == 0 {
		p.empty++
	}
}

func TestStallIsTimeWithoutProgress(t *testing.T) {
	g := NewManual(1, epoch)
	h := &presser{}
	h.data = func(c *Conn, in []byte) { c.Write([]byte("0123456789")) }
	p := g.Pipe(g.At(0), h)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	g.Advance(10 * time.Second)
	if h.stalled < 9*time.Second {
		t.Errorf("stalled for %v, want about 10s", h.stalled)
	}
	p.WriteString("more output is no progress")
	g.Advance(10 * time.Second)
	if h.stalled < 19*time.Second {
		t.Errorf("stalled for %v, want about 20s", h.stalled)
	}
	p.ReadSome(1)
	g.Advance(time.Second)
	if h.stalled > 2*time.Second || h.empty != 0 {
		t.Errorf("after progress stalled for %v, told empty %d times", h.stalled, h.empty)
	}
	p.StartReading()
	g.Advance(time.Minute)
	if h.empty != 1 {
		t.Errorf("told empty %d times, want 1", h.empty)
	}
}

func TestPanicClosesThatConnectionOnly(t *testing.T) {
	quiet(t)
	g := NewManual(1, epoch)
	bad := &recorder{data: func(*Conn, []byte) { panic("boom") }}
	good := &recorder{}
	pb, pg := g.Pipe(g.At(0), bad), g.Pipe(g.At(0), good)
	before := panics.Value()
	pb.WriteString("a")
	pg.WriteString("b")
	g.At(0).Post(func() { panic("in a function") })
	g.Turn()
	bad.want(t, "open", "data a", "closed "+ErrPanic.Error())
	good.want(t, "open", "data b")
	if n := panics.Value() - before; n != 2 {
		t.Errorf("%d panics counted, want 2", n)
	}
}

func TestMoveKeepsBytesAndRequests(t *testing.T) {
	g := NewManual(2, epoch)
	h := &recorder{}
	h.data = func(c *Conn, in []byte) {
		if c.Loop() == g.At(0) {
			c.Write([]byte("out "))
			c.Again()
			c.Move(g.At(1), func(c *Conn) { h.note("arrived at %d", c.Loop().Index) })
		}
	}
	p := g.Pipe(g.At(0), h)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	p.WriteString("b")
	g.Turn()
	h.want(t, "open", "data a")
	p.StartReading()
	g.Advance(Tick)
	h.want(t, "arrived at 1", "data b", "data ")
	if g.At(0).Stats().Conns != 0 || g.At(1).Stats().Conns != 1 {
		t.Errorf("connections %d and %d, want 0 and 1", g.At(0).Stats().Conns, g.At(1).Stats().Conns)
	}
}

func TestCloseWhileMovingWaitsForTheBacklogStaysAndTellsClosed(t *testing.T) {
	g := NewManual(2, epoch)
	h := &recorder{}
	var conn *Conn
	h.data = func(c *Conn, in []byte) {
		conn = c
		c.Write([]byte("out"))
		c.Move(g.At(1), func(*Conn) { t.Error("arrived") })
	}
	p := g.Pipe(g.At(0), h)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	g.At(0).Post(conn.Close)
	g.Turn()
	p.StartReading()
	g.Advance(linger + 2*Tick)
	h.want(t, "open", "data a", "flush", "closed <nil>")
	if n := len(g.At(0).moving); n != 0 {
		t.Errorf("%d moves are still noted", n)
	}
}

func TestDirtyAfterFlushIsNotForgottenByAMove(t *testing.T) {
	g := NewManual(2, epoch)
	h := &funcs{}
	flushes, first := 0, true
	h.data = func(c *Conn, _ []byte) {
		c.Dirty()
		c.Move(g.At(1), func(c *Conn) { c.SetHandler(h) })
	}
	h.flush = func(c *Conn) {
		flushes++
		if first {
			first = false
			c.Dirty() // for the next turn, which is on the other loop
		}
	}
	g.Pipe(g.For("romeo"), h).WriteString("x")
	g.Turn()
	if flushes != 2 {
		t.Errorf("%d flushes, want 2", flushes)
	}
}

func TestMailAfterStopIsReleased(t *testing.T) {
	g := NewManual(2, epoch)
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := NewPacket()
	p.Retain()
	g.At(0).Send(g.At(1), p)
	g.At(0).sendMail()
	if n := p.refs.Load(); n != 1 {
		t.Errorf("%d references, want the one kept here", n)
	}
}

func TestWorkIsRefusedAboveTheBound(t *testing.T) {
	g := NewManual(1, epoch)
	l := g.At(0)
	ran := 0
	for i := range g.opt.MaxWork {
		if !l.Work(func() { ran++ }, nil) {
			t.Fatalf("function %d of %d refused", i, g.opt.MaxWork)
		}
	}
	if l.Work(func() {}, nil) {
		t.Fatal("one too many was taken")
	}
	g.Turn()
	if ran != g.opt.MaxWork {
		t.Errorf("%d functions ran, want %d", ran, g.opt.MaxWork)
	}
}

func TestForIsStable(t *testing.T) {
	if got := hash("romeo@montague.example"); got != hash([]byte("romeo@montague.example")) {
		t.Error("string and bytes differ")
	}
	if got, want := hash(""), uint32(0x4fd0bfc1); got != want {
		t.Errorf("hash of nothing is %#x, want %#x", got, want)
	}
	n := make([]int, 7)
	for i := range 70_000 {
		n[hash(fmt.Sprintf("user%d@example.org", i))%7]++
	}
	for i, got := range n {
		if got < 9_000 || got > 11_000 {
			t.Errorf("loop %d of 7 got %d of 70000 owners", i, got)
		}
	}
}

func TestStopTellsClosed(t *testing.T) {
	g := NewManual(1, epoch)
	h := &recorder{}
	g.Pipe(g.At(0), h)
	g.Turn()
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, "open", "closed <nil>")
}

var _ io.Writer = (*Peer)(nil)
