package web

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"meerkat/engine/loop"
	"meerkat/engine/wire"
)

// conn reads the requests of one connection, on its loop.
type conn struct {
	srv   *Server
	w     *wire.Conn
	timer loop.Timer // of head, body or idleness
	press loop.Timer // while there is a backlog
	buf   []byte     // a head of which the end is missing, or requests behind the present one
	seen  int        // bytes of buf that hold no end of a head
	pipe  *pipe      // to net/http, once there was a request for it
	body  int64      // bytes of the request's body to come
	moved int64      // of those, how many came since the timer was set
	state connState
}

type connState uint8

const (
	reading  connState = iota // a head, or nothing yet
	serving                   // net/http has a request
	upgraded                  // the connection is a stream's
)

// idleTimeout is how long a connection may stay between two requests.
const idleTimeout = 60 * time.Second

// progress is how many bytes of a body have to come in Options.BodyTimeout.
const progress = 64 << 10

func (c *conn) Opened(w *wire.Conn) {
	c.w = w
	c.timer.Owner, c.press.Owner = c, loop.Func(c.drain)
	c.limit(time.Duration(c.srv.opt.HTTP.HeadTimeout))
}

func (c *conn) limit(d time.Duration) { c.w.Loop().Set(&c.timer, d) }

// Bytes takes what the client sent.
func (c *conn) Bytes(w *wire.Conn, in []byte) int {
	if c.state == serving {
		n := c.passBody(in)
		if n < len(in) {
			n += c.keep(in[n:])
		}
		return n
	}
	return c.readHead(in)
}

// passBody gives net/http the bytes of in that belong to the request's body.
func (c *conn) passBody(in []byte) int {
	n := int(min(c.body, int64(len(in))))
	if n == 0 {
		return 0
	}
	c.body -= int64(n)
	c.moved += int64(n)
	switch {
	case c.body == 0:
		c.w.Loop().Stop(&c.timer)
	case c.moved >= progress:
		c.moved = 0
		c.limit(time.Duration(c.srv.opt.HTTP.BodyTimeout))
	}
	if !c.pipe.feed(in[:n]) {
		c.w.Pause()
	}
	return n
}

// keep holds requests that came before the present one was answered.
func (c *conn) keep(in []byte) int {
	c.buf = append(c.buf, in...)
	if len(c.buf) > int(c.srv.opt.HTTP.Head) {
		c.w.Pause()
	}
	return len(in)
}

// readHead takes a head, if it is whole. Bytes behind it are left to come
// again.
func (c *conn) readHead(in []byte) int {
	had := len(c.buf)
	if had == 0 {
		if blank := emptyLines(in); blank > 0 {
			return blank
		}
	}
	b := in
	if had > 0 {
		c.buf = append(c.buf, in...)
		b = c.buf
	}
	end := headEnd(b, c.seen)
	most := int(c.srv.opt.HTTP.Head)
	if end > most || end == 0 && len(b) > most {
		headsTooLarge.Add(c.w.Loop().Index, 1)
		c.refuse(refuse(http.StatusRequestHeaderFieldsTooLarge, "the head of a request may have %d bytes", most))
		return len(in)
	}
	if end == 0 {
		if had == 0 {
			c.buf = append(c.buf, in...)
			if c.pipe != nil { // the first is timed from accept on
				c.limit(time.Duration(c.srv.opt.HTTP.HeadTimeout))
			}
		}
		c.seen = len(b)
		return len(in)
	}
	c.seen, c.buf = 0, nil
	c.request(b[:end])
	if had > 0 { // the rest of buf was in as well
		return end - had
	}
	return end
}

// emptyLines returns how many bytes of line ends stand before a request
// (RFC 9112 §2.2).
func emptyLines(in []byte) int { return len(in) - len(bytes.TrimLeft(in, "\r\n")) }

// request judges a head and hands it on.
func (c *conn) request(b []byte) {
	c.w.Loop().Stop(&c.timer)
	h := &c.srv.heads[c.w.Loop().Index]
	if r := h.parse(b); r != nil {
		c.refuse(r)
		return
	}
	if c.srv.opt.HTTP.WebSocket && string(h.path()) == "/ws" {
		c.upgrade(h)
		return
	}
	c.serve(b, h)
}

// serve gives a request to net/http.
func (c *conn) serve(b []byte, h *head) {
	c.state, c.body, c.moved = serving, h.body, 0
	if c.body > 0 {
		c.limit(time.Duration(c.srv.opt.HTTP.BodyTimeout))
	}
	if c.pipe == nil {
		c.pipe = newPipe(c)
		c.srv.queue.put(c.pipe)
	}
	c.pipe.feed(b)
}

// answered has the next head read, as net/http has dealt with the last request.
func (c *conn) answered() {
	if c.state != serving || c.body > 0 { // a body that nobody wanted ends the connection: finish
		return
	}
	c.state = reading
	c.pipe.rest()
	c.limit(idleTimeout)
	rest := c.buf
	c.buf, c.seen = nil, 0
	if len(rest) > 0 {
		n := emptyLines(rest)
		if n < len(rest) {
			n += c.readHead(rest[n:])
		}
		if c.state == serving {
			n += c.passBody(rest[n:])
		}
		switch {
		case n == len(rest):
		case c.state == upgraded: // frames before we agreed to any
			c.w.Abort()
			return
		default:
			c.keep(rest[n:])
		}
	}
	if c.state != upgraded {
		c.w.Resume()
	}
}

// resume goes on reading the body.
func (c *conn) resume() {
	if c.state == serving {
		c.w.Resume()
	}
}

// send writes what net/http answers, and tells it when there is room for more.
func (c *conn) send(b []byte) {
	if c.state == upgraded {
		return
	}
	c.w.Write(b)
	c.w.Loop().Post(c.drain)
}

func (c *conn) drain() {
	if c.state == upgraded {
		return
	}
	left := c.w.Backlog()
	c.pipe.drained(left)
	if left > 0 {
		c.w.Loop().Set(&c.press, loop.Tick)
	}
}

// finish closes the connection because net/http does.
func (c *conn) finish() {
	if c.state != upgraded {
		c.w.Close()
	}
}

// refuse answers a request here, and closes the connection.
func (c *conn) refuse(r *refusal) {
	refused.Add(c.w.Loop().Index, 1)
	c.w.Write(fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n%s\r\n%s\n",
		r.status, http.StatusText(r.status), len(r.text)+1, r.extra, r.text))
	c.w.Close()
}

// Timeout is for the loop: a head or body took too long, or there is no next
// request.
func (c *conn) Timeout(*loop.Timer) {
	switch {
	case c.state == serving:
		slowBodies.Add(c.w.Loop().Index, 1)
		c.w.Abort()
	case len(c.buf) > 0:
		slowHeads.Add(c.w.Loop().Index, 1)
		c.refuse(refuse(http.StatusRequestTimeout, "the head of a request may take %v", c.srv.opt.HTTP.HeadTimeout))
	default:
		c.w.Close()
	}
}

func (c *conn) Flush(*wire.Conn)   {}
func (c *conn) Secured(*wire.Conn) {}

// Closed is for wire.
func (c *conn) Closed(w *wire.Conn, _ error) {
	w.Loop().Stop(&c.timer)
	w.Loop().Stop(&c.press)
	if c.pipe != nil {
		c.pipe.end()
	}
}
