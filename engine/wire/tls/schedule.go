package tls

import "sync"

// schedule shares out the right to compute. A handshake in its second flight
// goes first: it is nearly done, and somebody who answered. New ones are taken
// alternately from the oldest and the newest, so that in a flood somebody who
// has just come is not behind ten thousand others, and the oldest still move.
type schedule struct {
	mu    sync.Mutex
	free  int   // workers that nobody has
	again queue // parked handshakes with new input
	fresh queue // handshakes that have no goroutine yet
	turn  bool  // the next fresh one is the newest
}

// start computes h, at once or when a worker is free.
func (s *schedule) start(h *Handshake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		s.fresh.push(h)
		return
	}
	s.free--
	go h.s.work(h)
}

// resume wakes h, which is parked, at once or when a worker is free.
func (s *schedule) resume(h *Handshake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		s.again.push(h)
		return
	}
	s.free--
	h.work.wake <- true
}

// drop takes h out of the queue it waits in. A parked one then wakes without a
// worker, to end.
func (s *schedule) drop(h *Handshake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.queue == nil {
		return
	}
	if h.queue == &s.again {
		h.work.wake <- false
	}
	h.queue.remove(h)
}

// park gives the worker on, to whoever is next.
func (s *schedule) park() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.again.first; h != nil {
		s.again.remove(h)
		h.work.wake <- true
	} else if h := s.pickFresh(); h != nil {
		go h.s.work(h)
	} else {
		s.free++
	}
}

// next is park for a goroutine that has ended its handshake: if the next one
// is fresh, it stays to compute that, on a stack that has grown already.
func (s *schedule) next() *Handshake {
	s.mu.Lock()
	if s.again.first == nil {
		if h := s.pickFresh(); h != nil {
			s.mu.Unlock()
			return h
		}
	}
	s.mu.Unlock()
	s.park()
	return nil
}

func (s *schedule) pickFresh() *Handshake {
	h := s.fresh.first
	if s.turn {
		h = s.fresh.last
	}
	s.turn = !s.turn
	if h != nil {
		s.fresh.remove(h)
	}
	return h
}

// waiting returns how many are in the queues.
func (s *schedule) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again.n + s.fresh.n
}

// queue is a list through the handshakes themselves, which are in one at most.
type queue struct {
	first, last *Handshake
	n           int
}

func (q *queue) push(h *Handshake) {
	h.queue, h.prev, h.next = q, q.last, nil
	if q.last != nil {
		q.last.next = h
	} else {
		q.first = h
	}
	q.last = h
	q.n++
}

func (q *queue) remove(h *Handshake) {
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		q.first = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		q.last = h.prev
	}
	h.queue, h.prev, h.next = nil, nil, nil
	q.n--
}
