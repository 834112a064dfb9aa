package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"meerkat/engine/loop"
)

func TestClearBytesGoBothWays(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write([]byte("a")); w.Write([]byte("b")); return len(in) }
	up.flush = func(w *Conn) { w.Write([]byte("c")) }
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("hello")
	g.Turn()
	up.want(t, "opened|hello|")
	if got := p.ReadString(); got != "abc" {
		t.Errorf("client got %q, want abc", got)
	}
	p.Close()
	g.Turn()
	if !up.ended || up.err != io.EOF {
		t.Errorf("closed %v with %v, want EOF", up.ended, up.err)
	}
}

func TestYieldGivesTheRestInLaterTurnsInOrder(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	turns := 0
	up.bytes = func(w *Conn, in []byte) int {
		turns++
		w.Yield()
		return min(2, len(in))
	}
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abcdefg")
	g.Turn()
	p.WriteString("hi")
	g.Turn()
	up.want(t, "opened|ab|cd|ef|g|hi|")
	if turns != 5 || up.w.rest != nil {
		t.Errorf("%d calls, rest %v; want 5 and none", turns, up.w.rest)
	}
}

func TestPauseKeepsTheRestUntilResume(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Pause(); return 1 }
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abc")
	g.Turn()
	p.WriteString("d")
	g.Advance(time.Minute)
	up.want(t, "opened|a|")
	up.bytes = nil
	g.At(0).Post(up.w.Resume)
	g.Turn()
	up.want(t, "bc|d|")
}

func TestMoveTakesTheRestAlong(t *testing.T) {
	g, s := memory(t, 2, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int {
		w.Write([]byte("before "))
		w.Move(g.At(1), func() {
			up.heard.WriteString("moved|")
			up.bytes = nil
			w.Write([]byte("after"))
		})
		w.Write([]byte("still "))
		return 1
	}
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abc")
	g.Turn()
	p.WriteString("d")
	g.Turn()
	up.want(t, "opened|a|moved|bc|d|")
	if got := p.ReadString(); got != "before still after" || up.w.Loop() != g.At(1) {
		t.Errorf("client got %q, on loop %d", got, up.w.Loop().Index)
	}
}

func TestSoftBacklogStopsTheClientsOwnInput(t *testing.T) {
	g, s := memory(t, 1, Options{OutputSoft: 100, OutputHard: 1000})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write(make([]byte, 120)); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	p.WriteString("b")
	g.Advance(10 * time.Second)
	up.want(t, "opened|a|")
	if n := up.w.Backlog(); n != 120 {
		t.Errorf("backlog %d, want 120", n)
	}
	p.ReadSome(80)
	g.Advance(time.Second)
	up.want(t, "b|")
}

func TestHardBacklogClosesTheClient(t *testing.T) {
	g, s := memory(t, 1, Options{OutputSoft: 100, OutputHard: 1000})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write(make([]byte, 1001)); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	p.StopReading()
	p.WriteString("a")
	before := slow.Value(0)
	g.Turn()
	if up.err != ErrSlow || slow.Value(0) != before+1 {
		t.Errorf("closed with %v, counted %d; want ErrSlow and 1", up.err, slow.Value(0)-before)
	}
}

func TestStallClosesTheClientAndProgressDoesNot(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write(make([]byte, 1000)); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	p.StopReading()
	p.WriteString("a")
	g.Turn()
	for range 5 {
		g.Advance(50 * time.Second)
		p.ReadSome(1)
	}
	if up.ended {
		t.Fatal("closed although it reads, slowly")
	}
	g.Advance(61 * time.Second)
	if up.err != ErrSlow {
		t.Errorf("closed %v with %v, want ErrSlow", up.ended, up.err)
	}
}

func TestRatePausesAndNeverDrops(t *testing.T) {
	g, s := memory(t, 1, Options{})
	got := 0
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { got += len(in); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	g.Turn()
	g.At(0).Post(func() { up.w.SetRate(10_000, 100_000) })
	g.Turn()
	const total = 400_000
	p.WriteString(strings.Repeat("x", total))
	g.Turn()
	if got < 100_000 || got > 100_000+64<<10 {
		t.Fatalf("took %d bytes at once, want the burst of 100000 and at most a read more", got)
	}
	g.Advance(15 * time.Second)
	if got > 100_000+150_000+64<<10 {
		t.Fatalf("took %d bytes in 15 s", got)
	}
	g.Advance(16 * time.Second)
	if got != total {
		t.Errorf("took %d bytes in 31 s, want all %d", got, total)
	}
}

func TestRateIsLiftedByZero(t *testing.T) {
	g, s := memory(t, 1, Options{})
	got := 0
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { got += len(in); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	g.Turn()
	g.At(0).Post(func() { up.w.SetRate(1000, 1000) })
	g.Turn()
	p.WriteString(strings.Repeat("x", 200_000))
	g.Turn()
	if got >= 200_000 {
		t.Fatal("no limit")
	}
	g.At(0).Post(func() { up.w.SetRate(0, 0) })
	g.Turn()
	if got != 200_000 {
		t.Errorf("took %d bytes, want all", got)
	}
}

// Rates that a configuration may have, and that no int32 holds.
func TestRateOfAnySize(t *testing.T) {
	for _, rate := range []int{3e9, 5e9, 10e9} {
		g, s := memory(t, 1, Options{})
		got := 0
		up := &scribe{}
		up.bytes = func(w *Conn, in []byte) int { got += len(in); return len(in) }
		p := s.Pipe(g.At(0), up, false)
		g.Turn()
		g.At(0).Post(func() { up.w.SetRate(rate, rate) })
		for range 3 {
			p.WriteString(strings.Repeat("x", 200_000))
			g.Advance(time.Second)
		}
		if got != 600_000 {
			t.Errorf("took %d bytes at %d a second, want all", got, rate)
		}
	}
}

func TestRateGoesAlongInAMove(t *testing.T) {
	g, s := memory(t, 2, Options{})
	got := 0
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { got += len(in); return len(in) }
	p := s.Pipe(g.At(0), up, false)
	g.Turn()
	g.At(0).Post(func() { up.w.SetRate(1000, 10) })
	g.Turn()
	p.WriteString(strings.Repeat("x", 1000))
	g.Turn()
	p.WriteString("y")
	g.At(0).Post(func() { up.w.Move(g.At(1), func() {}) })
	g.Advance(500 * time.Millisecond)
	if got != 1000 {
		t.Fatalf("took %d bytes, want 1000 and then a rest", got)
	}
	g.Advance(time.Second)
	if got != 1001 || up.w.Loop() != g.At(1) {
		t.Errorf("took %d bytes on loop %d, want 1001 on 1", got, up.w.Loop().Index)
	}
}

func TestStartTLSOutsideOfBytesDropsWhatWaits(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Pause(); return 1 }
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abc")
	g.Turn()
	before := dropped.Value()
	g.At(0).Post(func() { up.w.StartTLS(); up.w.Resume() })
	g.Turn()
	up.want(t, "opened|a|")
	if n := dropped.Value() - before; n != 2 {
		t.Errorf("%d bytes dropped, want 2", n)
	}
}

func TestTLSWithoutAConfigClosesTheClient(t *testing.T) {
	g := loop.NewManual(1, epoch)
	up := &scribe{}
	p := New(g, Options{}).Pipe(g.At(0), up, true)
	p.WriteString("x")
	g.Turn()
	p.Close()
	g.Turn()
	if up.err != errNoTLS {
		t.Errorf("closed with %v, want errNoTLS", up.err)
	}
}

func TestCloseSaysAllAndTellsUpper(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int {
		w.Write([]byte("bye"))
		w.Close()
		w.Write([]byte("lost"))
		return 1
	}
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abc")
	g.Turn()
	p.WriteString("thrown away")
	g.Turn()
	if got := p.ReadString(); got != "bye" || !p.Ended() {
		t.Errorf("client got %q, ended %v", got, p.Ended())
	}
	g.Advance(6 * time.Second)
	if !up.ended || up.err != nil {
		t.Errorf("closed %v with %v, want nil", up.ended, up.err)
	}
	up.want(t, "opened|a|")
}

func TestAbortInsideBytesIsSafe(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write([]byte("x")); w.Abort(); return 0 }
	p := s.Pipe(g.At(0), up, false)
	p.WriteString("abc")
	g.Turn()
	if !up.ended || up.err != nil || up.w.rest != nil || up.w.out != nil {
		t.Errorf("ended %v, err %v, rest %v, out %v", up.ended, up.err, up.w.rest, up.w.out)
	}
}

func TestAgeCountsFromAccept(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	s.Pipe(g.At(0), up, false)
	g.Turn()
	g.Advance(7 * time.Second)
	g.At(0).Post(func() {
		if a := up.w.Age(); a != 7*time.Second {
			t.Errorf("age %v, want 7s", a)
		}
	})
	g.Turn()
	if errors.Is(up.err, io.EOF) {
		t.Error("closed")
	}
}
