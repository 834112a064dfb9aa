package alarm

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/metric"
	"meerkat/tune"
)

// scene is a watcher over a world that the test sets, with a clock it moves.
type scene struct {
	*Watch
	t       *testing.T
	log     bytes.Buffer
	changes []string // what the hook heard
	now     time.Time
	free    uint64
	freeErr error
	open    int
	certs   []Cert
	full    float64
	failed  uint64 // commits
	stopped bool
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), free: 10 << 30, open: 10}
	board := New(slog.New(slog.NewTextHandler(&s.log, nil)), func(a Alarm) {
		s.changes = append(s.changes, fmt.Sprintf("%v %v", a.Kind, a.Level))
	})
	s.Watch = NewWatch(board, Sources{
		Data: "/data", DiskFree: func() uint64 { return 1 << 30 }, Files: tune.Files{Limit: 1000},
		Certs:   func() []Cert { return s.certs },
		Commits: func() (uint64, bool) { return s.failed, s.stopped },
		Memory:  func() float64 { return s.full },
		free:    func(string) (uint64, error) { return s.free, s.freeErr },
		Open:    func(time.Time) (int, error) { return s.open, nil },
	})
	return s
}

// after moves the clock by d, looks, and wants these changes.
func (s *scene) after(d time.Duration, want ...string) {
	s.t.Helper()
	s.changes = nil
	s.now = s.now.Add(d)
	s.look(s.now)
	if got := strings.Join(s.changes, ", "); got != strings.Join(want, ", ") {
		s.t.Errorf("at %s: got %q, want %q", s.now.Format(time.TimeOnly), got, want)
	}
}

func (s *scene) logged(want string) {
	s.t.Helper()
	if !strings.Contains(s.log.String(), want) {
		s.t.Errorf("log lacks %q:\n%s", want, s.log.String())
	}
}

func TestSlowTurnRisesAndClearsAfterQuiet(t *testing.T) {
	s := newScene(t)
	s.after(0)
	s.SlowTurn(1, 150*time.Millisecond)
	s.SlowTurn(0, 250*time.Millisecond)
	s.after(time.Second, "slow_turn warning")
	s.logged("stood still for 250ms")
	s.SlowTurn(1, 120*time.Millisecond)
	s.after(59 * time.Second)
	s.after(59 * time.Second)
	s.after(time.Second, "slow_turn none")
}

func TestSlowTurnDoesNotAllocate(t *testing.T) {
	s := newScene(t)
	if n := testing.AllocsPerRun(100, func() { s.SlowTurn(0, time.Second) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestStoreFailureIsCriticalUntilQuiet(t *testing.T) {
	s := newScene(t)
	s.after(0)
	s.failed = 1
	s.after(time.Second, "store critical")
	s.logged("level=ERROR msg=\"the store cannot write, messages are being refused\" alarm=store")
	s.after(30 * time.Second)
	s.failed = 2
	s.after(29 * time.Second)
	s.after(59 * time.Second)
	s.after(time.Second, "store none")
	s.logged("msg=\"alarm cleared\" alarm=store after=1m59s")
}

func TestStoreThatStoppedStaysCritical(t *testing.T) {
	s := newScene(t)
	s.failed, s.stopped = 1, true
	s.after(0, "store critical")
	s.logged("systemctl restart meerkat")
	s.after(time.Hour)
}

// Logins are refused from 1 on and let in again below 0.97; the alarm comes
// before that and stays longer.
func TestMemoryIsToldBeforeItIsFull(t *testing.T) {
	s := newScene(t)
	for _, step := range []struct {
		full   float64
		closed bool
		want   []string
	}{
		{0.5, false, nil},
		{0.91, false, []string{"memory warning"}},
		{0.99, false, nil},
		{1.01, true, []string{"memory critical"}},
		{0.98, true, nil},
		{0.96, false, nil},
		{0.98, false, nil},
		{1.01, true, nil},
		{0.84, false, []string{"memory none"}},
	} {
		s.full = step.full
		s.after(time.Second, step.want...)
		if s.Full() != step.closed {
			t.Errorf("at %v: full is %v", step.full, s.Full())
		}
	}
	s.logged("memory is at 91 % of what sessions may take")
	s.logged("there is no memory for more sessions")
}

func TestFilesThatRunOutCloseTheDoor(t *testing.T) {
	s := newScene(t)
	for open, closed := range map[int]bool{970: false, 985: true, 965: true, 955: false} {
		s.noFiles = open == 965
		s.open = open
		s.next = time.Time{}
		s.look(s.now)
		if s.Full() != closed {
			t.Errorf("%d of 1000 files: full is %v", open, s.Full())
		}
	}
}

func TestDiskRisesBelowTheLimitAndClearsWellAboveIt(t *testing.T) {
	s := newScene(t)
	s.after(0)
	s.free = 1<<30 - 1
	s.after(probeEvery, "disk warning")
	s.free = 1<<30 + 1<<20
	s.after(probeEvery)
	s.free = 1 << 27
	s.after(probeEvery, "disk critical")
	s.free = 1 << 29
	s.after(probeEvery)
	s.free = 2 << 30
	s.after(probeEvery, "disk none")
	s.freeErr = errors.New("tune: free space of /data: input/output error")
	s.after(probeEvery, "disk critical")
	s.logged("input/output error")
}

func TestDiskAlarmCanBeTurnedOff(t *testing.T) {
	s := newScene(t)
	s.free = 0
	s.after(0, "disk critical")
	s.src.DiskFree = func() uint64 { return 0 }
	s.after(probeEvery, "disk none")
}

func TestFilesRiseAt90Percent(t *testing.T) {
	s := newScene(t)
	s.open = 900
	s.after(0)
	s.open = 901
	s.after(probeEvery, "files warning")
	s.logged("901 of 1000 open files are in use")
	s.logged("LimitNOFILE=2000")
	s.open = 981
	s.after(probeEvery, "files critical")
	s.open = 850
	s.after(probeEvery)
	s.open = 800
	s.after(probeEvery, "files none")
}

func TestCertificateThatEndsFirstIsTold(t *testing.T) {
	s := newScene(t)
	day := 24 * time.Hour
	s.certs = []Cert{{"a.example", s.now.Add(90 * day)}, {"b.example", s.now.Add(15 * day)}}
	s.after(0)
	s.after(2*day, "certificate warning")
	s.logged("the certificate of b.example ends in 13 days (2026-01-16)")
	s.after(12*day, "certificate critical")
	s.after(2 * day)
	if got := s.board.Active()[0].Text; got != "the certificate of b.example ended on 2026-01-16; clients refuse it" {
		t.Errorf("got %q", got)
	}
	s.certs[1].Ends = s.now.Add(90 * day)
	s.after(probeEvery, "certificate none")
}

func TestProbesAreSparedBetweenTicks(t *testing.T) {
	s := newScene(t)
	s.after(0)
	s.free = 0
	s.after(probeEvery - time.Second)
	s.after(time.Second, "disk critical")
}

func TestLevelsAreMetrics(t *testing.T) {
	const gauge, counter = `meerkat_alarm_level_number{alarm="files"}`, `meerkat_alarm_raised_total{alarm="files"}`
	before := metric.Snapshot()
	s := newScene(t)
	s.open = 1000
	s.after(0, "files critical")
	after := metric.Snapshot()
	if after[gauge]-before[gauge] != 2 || after[counter]-before[counter] != 1 {
		t.Errorf("level %v, raised %v, want 2 and 1 more", after[gauge]-before[gauge], after[counter]-before[counter])
	}
	s.open = 0
	s.after(probeEvery, "files none")
	if got := metric.Snapshot()[gauge]; got != before[gauge] {
		t.Errorf("cleared: level %v, want %v", got, before[gauge])
	}
}

// The watcher as it runs, on the real clock and this process.
func TestRunLooksAndEnds(t *testing.T) {
	heard := make(chan Alarm, 1)
	w := NewWatch(New(slog.New(slog.DiscardHandler), func(a Alarm) { heard <- a }), Sources{
		Data: t.TempDir(), DiskFree: func() uint64 { return 1 << 62 }, Certs: func() []Cert { return nil },
	})
	done := make(chan struct{})
	go func() { w.Run(t.Context()); close(done) }()
	t.Cleanup(func() { <-done }) // the context has ended by then
	select {
	case a := <-heard:
		if a.Kind != Disk || a.Level != Critical {
			t.Errorf("got %+v, want a critical disk", a)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no alarm within 10 s for a disk that can never have enough room")
	}
}
