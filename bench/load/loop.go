package load

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop is one thread with its users. Nothing in it is shared but the mail.
type loop struct {
	t     *Target
	first int // number of the first user
	conns []conn

	epoll, wake, timer int
	period             time.Duration // of the timer
	stopped            bool
	ended              chan struct{}

	buf, clear, sealed []byte // scratch of one event: read, decrypted, encrypted
	framed             []byte // for a WebSocket
	out                []byte // what is being said to the client at hand
	other              []byte // what is being said to another one
	ciphers            ciphers

	job     Job
	logins  logins
	talking pacer
	telling pacer
	pinging pacer
	friends []friends
	room    *room // the one at hand
	rooms   map[string]*room

	stats             Stats
	online, loggingIn int
	spreading         uint64 // presence stanzas that contacts are still to be told
	freed             bool   // a login has ended, so another may begin

	mu   sync.Mutex
	mail []func()
}

const (
	wakeIndex  = -1
	timerIndex = -2

	hotSessions = 1024 // whose ciphers a loop keeps, some 2 KB each

	idlePeriod = 100 * time.Millisecond
	busyPeriod = 250 * time.Microsecond // how late an open loop may be
)

func newLoop(t *Target, first, users int) (*loop, error) {
	l := &loop{
		t: t, first: first, conns: make([]conn, users),
		room: new(room), rooms: make(map[string]*room), buf: make([]byte, 64<<10), ended: make(chan struct{}),
	}
	if t.TLS != Plain && !t.Raw {
		l.ciphers = make(ciphers, min(users, hotSessions))
	}
	for i := range l.conns {
		l.conns[i].fd, l.conns[i].i = -1, int32(i)
	}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: eventfd: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: timerfd: %w", err)
	}
	for fd, index := range map[int]int32{l.wake: wakeIndex, l.timer: timerIndex} {
		ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: index}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return nil, fmt.Errorf("load: epoll: %w", err)
		}
	}
	go l.run()
	return l, nil
}

// run is the thread.
func (l *loop) run() {
	runtime.LockOSThread()
	defer close(l.ended)
	l.pace(idlePeriod)
	events := make([]unix.EpollEvent, 512)
	for !l.stopped {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			panic(err) // the descriptor is ours and valid
		}
		for _, ev := range events[:max(n, 0)] {
			l.dispatch(ev)
		}
		if l.freed {
			l.freed = false
			l.startLogins()
		}
	}
	for i := range l.conns {
		if l.conns[i].phase != offline {
			l.drop(&l.conns[i])
		}
	}
	for _, fd := range []int{l.epoll, l.wake, l.timer} {
		unix.Close(fd)
	}
}

func (l *loop) dispatch(ev unix.EpollEvent) {
	switch ev.Fd {
	case wakeIndex:
		l.readMail()
	case timerIndex:
		var expired [8]byte
		unix.Read(l.timer, expired[:]) // the kernel rearms it on this read
		l.tick()
	default:
		c := &l.conns[ev.Fd]
		if c.gen == ev.Pad && ev.Events&unix.EPOLLOUT != 0 {
			l.writable(c)
		}
		if c.gen == ev.Pad && c.phase != connecting && ev.Events&^unix.EPOLLOUT != 0 {
			l.readable(c)
		}
	}
}

// post runs fn on the loop.
func (l *loop) post(fn func()) {
	l.mu.Lock()
	l.mail = append(l.mail, fn)
	first := len(l.mail) == 1
	l.mu.Unlock()
	if first {
		unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only after the loop has ended
	}
}

// call runs fn on the loop and waits for it; after the loop has ended it does
// nothing.
func (l *loop) call(fn func()) {
	done := make(chan struct{})
	l.post(func() { fn(); close(done) })
	select {
	case <-done:
	case <-l.ended:
	}
}

func (l *loop) readMail() {
	l.mu.Lock()
	mail := l.mail
	l.mail = nil
	l.mu.Unlock()
	for _, fn := range mail {
		fn()
	}
}

// tick does what is due.
func (l *loop) tick() {
	l.expire()
	l.startLogins()
	l.talk()
	l.tell()
	l.ping()
}

// pace sets the timer's period.
func (l *loop) pace(d time.Duration) {
	if d == l.period {
		return
	}
	l.period = d
	ts := unix.NsecToTimespec(int64(d))
	if err := unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Interval: ts, Value: ts}, nil); err != nil {
		panic(err) // the descriptor is ours and the period valid
	}
}

// pacer deals out events of an open loop: a steady rate, whatever comes back.
type pacer struct {
	next  time.Duration // when the next event is due
	every time.Duration // between two; 0: not open
	turn  int           // whose event it is
}

func newPacer(rate float64) pacer {
	if rate <= 0 {
		return pacer{}
	}
	return pacer{next: now(), every: time.Duration(float64(time.Second) / rate)}
}

// due gives the time at which the next event should happen, if it has come.
// Late is late: what a slow generator or server delays keeps its time, so that
// latencies tell of it.
func (p *pacer) due(t time.Duration) (time.Duration, bool) {
	if p.every == 0 || p.next > t {
		return 0, false
	}
	at := p.next
	p.next += p.every
	return at, true
}

// late is how many events are due.
func (p *pacer) late(t time.Duration) int {
	if p.every == 0 || p.next > t {
		return 0
	}
	return int((t-p.next)/p.every) + 1
}
