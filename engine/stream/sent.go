package stream

import "meerkat/engine/loop"

// marks are places in the output that somebody waits for to leave. They are
// looked at after each turn with output, and every Tick.
type marks struct {
	stream  *Stream
	timer   loop.Timer
	written int // bytes since these marks began
	list    []mark
}

// mark is a place in the output.
type mark struct {
	at   int // marks.written then
	done func(ok bool)
}

// Sent calls done once all that was written so far has left for the kernel, or
// the stream has ended before.
func (s *Stream) Sent(done func(ok bool)) {
	if s.phase == ended {
		done(false)
		return
	}
	m := s.marks
	if m == nil {
		m = &marks{stream: s}
		m.timer.Owner = m
		s.marks = m
		s.at.loop.Post(m.look)
	}
	m.list = append(m.list, mark{m.written, done})
}

// Timeout is for the loop.
func (m *marks) Timeout(*loop.Timer) { m.look() }

// look calls those whose place has been passed: what the kernel has not taken
// was all written later. Under TLS the backlog counts more bytes than were
// written, so that a mark may wait longer than it must, never less.
func (m *marks) look() {
	s := m.stream
	if s.marks != m {
		return
	}
	for len(m.list) > 0 && s.w.Backlog() <= m.written-m.list[0].at {
		done := m.list[0].done
		m.list = m.list[1:]
		done(true)
	}
	if len(m.list) > 0 {
		s.at.loop.Set(&m.timer, loop.Tick)
	} else if s.marks == m {
		s.marks = nil
	}
}

// end tells whoever still waits that the stream has ended.
func (m *marks) end(s *Stream) {
	if m == nil {
		return
	}
	s.marks = nil
	s.at.loop.Stop(&m.timer)
	for _, k := range m.list {
		k.done(false)
	}
}
