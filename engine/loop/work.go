package loop

import (
	"slices"
	"sync"
)

// workers runs functions off the loops: at most max at once, the rest wait in
// a bounded queue. Its goroutines come when there is work and go with it.
type workers struct {
	mu      sync.Mutex
	queue   []job
	head    int // of queue: those before it are taken
	running int
	max     int
	bound   int
	manual  bool // nothing runs by itself: Turn calls step
}

type job struct {
	l        *Loop
	fn, done func()
}

func (w *workers) init(max, bound int) { w.max, w.bound = max, bound }

// Work runs fn on a goroutine off the loops, then done, if it is not nil, on l.
// It may be called from any goroutine. It returns false, and runs neither, if
// too many wait already.
func (l *Loop) Work(fn, done func()) bool {
	w := &l.group.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue)-w.head >= w.bound {
		refused.Add(l.Index, 1)
		return false
	}
	w.queue = append(w.queue, job{l, fn, done})
	if w.running < w.max && !w.manual {
		w.running++
		go w.run()
	}
	return true
}

func (w *workers) run() {
	for j, ok := w.take(); ok; j, ok = w.take() {
		j.run()
	}
}

// take returns the next job. If there is none, a worker less is running.
func (w *workers) take() (j job, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.queue) {
		w.queue, w.head = nil, 0
		if !w.manual {
			w.running--
		}
		return j, false
	}
	j, w.queue[w.head] = w.queue[w.head], job{}
	w.head++
	if w.head >= 1024 && w.head*2 >= len(w.queue) {
		w.queue, w.head = slices.Delete(w.queue, 0, w.head), 0
	}
	return j, true
}

// run runs j. If fn panics, done is not run: it would take results that are
// not there for good ones.
func (j job) run() {
	defer j.l.guard()
	j.fn()
	if j.done != nil {
		j.l.Post(j.done)
	}
}

func (w *workers) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running > 0 || w.head < len(w.queue)
}
