package loop

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"
)

// Options of New. The zero value of each field is its default.
type Options struct {
	Loops      int // event loops; 0: GOMAXPROCS
	Workers    int // functions of Work that run at once; 0: GOMAXPROCS
	MaxWork    int // functions that wait for that before Work refuses; 0: 65536
	ReadBuffer int // bytes a loop reads at once; 0: 64 KiB
	Logger     *slog.Logger

	// OnSlowTurn is told of a turn longer than 100 ms, on its loop.
	OnSlowTurn func(loop int, d time.Duration)
}

func (o *Options) fill() {
	o.Loops = orElse(o.Loops, runtime.GOMAXPROCS(0))
	o.Workers = orElse(o.Workers, runtime.GOMAXPROCS(0))
	o.MaxWork = orElse(o.MaxWork, 64<<10)
	o.ReadBuffer = orElse(o.ReadBuffer, 64<<10)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.OnSlowTurn == nil {
		o.OnSlowTurn = func(int, time.Duration) {}
	}
}

func orElse(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Group is the loops of a process.
type Group struct {
	opt   Options
	loops []*Loop
	start time.Time
	clock func() time.Time
	work  workers

	manual  *manual // nil over gnet
	stopped chan struct{}

	mu       sync.Mutex
	stopping bool           // guarded by mu
	enrolled sync.WaitGroup // sockets on their way to a loop
}

// ErrStopped is why nothing moves after Stop.
var ErrStopped = errors.New("loop: stopped")

func newGroup(opt Options, clock func() time.Time) *Group {
	g := &Group{opt: opt, clock: clock, start: clock(), stopped: make(chan struct{})}
	g.work.init(opt.Workers, opt.MaxWork)
	for i := range opt.Loops {
		l := &Loop{Index: i, group: g, log: opt.Logger, box: new(mailbox), out: make([][]letter, opt.Loops), moving: map[*Conn]*move{}}
		l.Receive = func(p *Packet) { p.Release() }
		l.now = g.start
		l.wheel.init(0)
		l.due.Store(never)
		g.loops = append(g.loops, l)
	}
	return g
}

// tick returns the number of the tick that t is in.
func (g *Group) tick(t time.Time) int64 { return int64(t.Sub(g.start) / Tick) }

// Len returns the number of loops.
func (g *Group) Len() int { return len(g.loops) }

// At returns loop i.
func (g *Group) At(i int) *Loop { return g.loops[i] }

// For returns the loop that owner lives on. The hash is FNV-1a of 64 bits with
// its halves folded, the same in every process and version.
func (g *Group) For(owner string) *Loop { return g.loops[hash(owner)%uint32(len(g.loops))] }

// ForBytes is For.
func (g *Group) ForBytes(owner []byte) *Loop { return g.loops[hash(owner)%uint32(len(g.loops))] }

func hash[T string | []byte](s T) uint32 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return uint32(h ^ h>>32)
}

// Adopt makes nc, an accepted or dialled TCP or Unix connection, a Conn of l
// that h hears of. It may be called from any goroutine and does not wait. nc
// must not be used afterwards. After Stop it is closed, and h hears nothing.
func (g *Group) Adopt(nc net.Conn, l *Loop, h Handler) {
	if !g.enter() {
		_ = nc.Close()
		return
	}
	c := &Conn{loop: l, h: h, remote: addrPort(nc.RemoteAddr())}
	g.enroll(nc, c, nil)
}

// Beat asks every loop for a turn and returns for how long each has owed the
// one that was asked for earlier. A loop that turns owes nothing.
func (g *Group) Beat() []time.Duration {
	owed := make([]time.Duration, len(g.loops))
	now := time.Now()
	for i, l := range g.loops {
		if asked := l.probe.Load(); asked != 0 {
			owed[i] = now.Sub(time.Unix(0, asked))
			continue
		}
		l.probe.Store(now.UnixNano())
		l.Post(func() { l.probe.Store(0) })
	}
	return owed
}

// Stop handles the mail there is, closes what is still connected and ends the
// loops. After ctx the mail is not waited for. Nothing may be adopted any more.
func (g *Group) Stop(ctx context.Context) error {
	if !g.refuse() {
		<-g.stopped
		return nil
	}
	defer close(g.stopped)
	g.enrolled.Wait()
	err := g.drain(ctx)
	for _, l := range g.loops {
		l.end()
	}
	return err
}

// refuse has no socket taken in from now on. It reports false if that was so
// already.
func (g *Group) refuse() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.stopping
	g.stopping = true
	return !was
}

// drain waits until no loop has mail and no worker works.
func (g *Group) drain(ctx context.Context) error {
	for quiet := 0; quiet < 2; quiet++ { // once more: one's mail may be another's work
		before := g.sent()
		for _, l := range g.loops {
			if err := g.turned(ctx, l); err != nil {
				return err
			}
		}
		if g.work.busy() || g.sent() != before {
			quiet = -1
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// turned waits for two turns of l: the second begins after all that the first
// sent to itself.
func (g *Group) turned(ctx context.Context, l *Loop) error {
	if g.manual != nil {
		g.Turn()
		return ctx.Err()
	}
	done := make(chan struct{})
	l.Post(func() { l.Post(func() { close(done) }) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Group) sent() (n uint64) {
	for _, l := range g.loops {
		n += l.stats.sent.Load()
	}
	return n
}

// end closes the mailbox, then the loop.
func (l *Loop) end() {
	l.box.mu.Lock()
	l.box.closed = true
	rest := l.box.in
	l.box.in = nil
	l.box.mu.Unlock()
	releaseMail(rest)
	l.drv.stop()
}
