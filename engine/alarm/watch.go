package alarm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"meerkat/tune"
)

const (
	// tick is how often a Watch looks for events.
	tick = time.Second
	// probeEvery is how often it looks at disk, files and certificates.
	probeEvery = 10 * time.Second
	// quiet is how long an event must not come again for its alarm to clear.
	quiet = time.Minute

	// A certificate's end is told this long before.
	certificateWarning  = 14 * 24 * time.Hour
	certificateCritical = 2 * 24 * time.Hour
)

// Cert is what a Watch knows of a certificate.
type Cert struct {
	Name string // the domain
	Ends time.Time
}

// Sources is what a Watch looks at, from a goroutine of its own.
type Sources struct {
	Data     string        // directory whose disk is watched; "" is none
	DiskFree func() uint64 // bytes below which the disk alarm rises; 0 is never
	Certs    func() []Cert
	Files    tune.Files
	Open     func(now time.Time) (int, error) // counts open files; nil: they are not watched
	// Commits is how many commits of the store have failed so far, and whether
	// it has stopped writing for good. nil is no store.
	Commits func() (failed uint64, stopped bool)
	// Memory is how full the memory is: from 1 on nobody may log in any more. nil
	// is never.
	Memory func() float64

	free func(path string) (uint64, error) // for tests; nil is tune.Free
}

// Watch raises and clears the alarms of a board by what happens and by what it
// looks up.
type Watch struct {
	board *Board
	src   Sources
	slow  event
	store event
	next  time.Time // of the next probe

	// Reported by atomics only, as it is a loop that reports its own slowness.
	slowTurns atomic.Uint64
	slowest   atomic.Int64 // ns, since the alarm rose

	noMemory, noFiles bool // see Full; for look alone
	full              atomic.Bool
}

// event is something that is counted when it happens.
type event struct {
	seen uint64    // of its count
	last time.Time // when the count was seen to grow
}

// NewWatch makes a watcher of src for board. Run starts it.
func NewWatch(board *Board, src Sources) *Watch {
	if src.free == nil {
		src.free = tune.Free
	}
	return &Watch{board: board, src: src}
}

// SlowTurn reports a turn of a loop that took d. It is called on that loop and
// neither locks nor allocates.
func (w *Watch) SlowTurn(_ int, d time.Duration) {
	for {
		slowest := w.slowest.Load()
		if int64(d) <= slowest || w.slowest.CompareAndSwap(slowest, int64(d)) {
			break
		}
	}
	w.slowTurns.Add(1)
}

// Full reports that there is no memory or no open file for another session. It
// falls a little later than it rises. Any goroutine may ask, at any rate.
func (w *Watch) Full() bool { return w.full.Load() }

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			w.look(now)
		}
	}
}

// look judges everything once.
func (w *Watch) look(now time.Time) {
	w.judgeSlowTurn(now)
	w.judgeStore(now)
	w.judgeMemory(now)
	defer func() { w.full.Store(w.noMemory || w.noFiles) }()
	if now.Before(w.next) {
		return
	}
	w.next = now.Add(probeEvery)
	w.judgeDisk(now)
	w.judgeFiles(now)
	w.judgeCertificates(now)
}

// recent says whether the event, which has happened n times by now, happened
// within the last quiet time.
func (e *event) recent(now time.Time, n uint64) bool {
	if n > e.seen {
		e.seen, e.last = n, now
	}
	return n > 0 && now.Sub(e.last) < quiet
}

func (w *Watch) judgeSlowTurn(now time.Time) {
	if !w.slow.recent(now, w.slowTurns.Load()) {
		w.slowest.Store(0)
		w.board.Set(now, SlowTurn, None, "", "")
		return
	}
	text := fmt.Sprintf("an event loop stood still for %v; every user on it waited", time.Duration(w.slowest.Load()).Round(time.Millisecond))
	w.board.Set(now, SlowTurn, Warning, text, "look for other programs that take the CPU (top), for swapping (vmstat 1) and for a slow disk (iostat -x 1)")
}

func (w *Watch) judgeStore(now time.Time) {
	if w.src.Commits == nil {
		return
	}
	failed, stopped := w.src.Commits()
	switch recent := w.store.recent(now, failed); {
	case stopped:
		w.board.Set(now, Store, Critical, "the store has stopped writing: it cannot be told what the disk has kept",
			"look at the disk (dmesg | tail), then: systemctl restart meerkat")
	case recent:
		w.board.Set(now, Store, Critical, "the store cannot write, messages are being refused",
			"look at the disk of the data directory: df -h, dmesg | tail; it goes on by itself")
	default:
		w.board.Set(now, Store, None, "", "")
	}
}

// judgeDisk rises below the limit, gets critical below a quarter of it, and
// clears at 1.25 times.
func (w *Watch) judgeDisk(now time.Time) {
	limit := w.src.DiskFree()
	if w.src.Data == "" || limit == 0 {
		w.board.Set(now, Disk, None, "", "")
		return
	}
	free, err := w.src.free(w.src.Data)
	if err != nil {
		w.board.Set(now, Disk, Critical, err.Error(), "look at the data directory: ls -ld "+w.src.Data)
		return
	}
	to := rise(w.board.Level(Disk), -float64(free), -float64(limit), -float64(limit/4), -1.25*float64(limit))
	w.board.Set(now, Disk, to, fmt.Sprintf("the disk of %s has %d MiB free, wanted are %d MiB", w.src.Data, free>>20, limit>>20),
		"make room on it, or move the data directory to a larger disk; writes are refused when it is full")
}

// judgeFiles rises at 90 % of the limit, gets critical at 98 % and clears at
// 80 %.
func (w *Watch) judgeFiles(now time.Time) {
	limit := float64(w.src.Files.Limit)
	if w.src.Open == nil || limit == 0 {
		return
	}
	open, err := w.src.Open(now)
	if err != nil {
		return // nothing is known, so nothing is claimed
	}
	w.noFiles = over(w.noFiles, float64(open), 0.98*limit, 0.96*limit)
	to := rise(w.board.Level(Files), float64(open), 0.9*limit, 0.98*limit, 0.8*limit)
	w.board.Set(now, Files, to, fmt.Sprintf("%d of %d open files are in use; new connections wait when none is left", open, w.src.Files.Limit),
		fmt.Sprintf("systemctl edit meerkat, add under [Service]: LimitNOFILE=%d, then restart", 2*w.src.Files.Limit))
}

// judgeMemory rises at 90 % of where logins are refused, gets critical there and
// clears at 85 %.
func (w *Watch) judgeMemory(now time.Time) {
	if w.src.Memory == nil {
		return
	}
	full := w.src.Memory()
	w.noMemory = over(w.noMemory, full, 1, 0.97)
	text := fmt.Sprintf("memory is at %.0f %% of what sessions may take; at 100 %% new logins are refused", 100*full)
	if w.noMemory {
		text = "there is no memory for more sessions; new logins are refused, those who are online stay"
	}
	w.board.Set(now, Memory, rise(w.board.Level(Memory), full, 0.9, 1, 0.85), text,
		"see what this box can hold: meerkat plan; give it more memory, or take other programs off it; limits.memory says how far it may fill")
}

// judgeCertificates tells of the certificate that ends first.
func (w *Watch) judgeCertificates(now time.Time) {
	var first Cert
	for _, c := range w.src.Certs() {
		if first.Ends.IsZero() || c.Ends.Before(first.Ends) {
			first = c
		}
	}
	to, left := None, first.Ends.Sub(now)
	switch {
	case first.Ends.IsZero() || left >= certificateWarning:
	case left >= certificateCritical:
		to = Warning
	default:
		to = Critical
	}
	text := fmt.Sprintf("the certificate of %s ends in %d days (%s)", first.Name, left/(24*time.Hour), first.Ends.Format(time.DateOnly))
	if left < 0 {
		text = fmt.Sprintf("the certificate of %s ended on %s; clients refuse it", first.Name, first.Ends.Format(time.DateOnly))
	}
	w.board.Set(now, Certificate, to, text, "renew it, then: systemctl reload meerkat")
}

// rise is the level of a value that is bad when high. From a level it falls
// only below clear.
func rise(is Level, value, warning, critical, clear float64) Level {
	switch {
	case value > critical:
		return Critical
	case value > warning:
		return max(is, Warning)
	case value > clear:
		return is
	default:
		return None
	}
}

// over reports whether value has reached high, or, if it has been there, is
// still not below low.
func over(was bool, value, high, low float64) bool {
	return value >= high || was && value >= low
}
