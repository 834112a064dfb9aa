// Package floor is what a server cannot be cheaper than: raw gnet programs that
// move the same bytes between the same sockets and know nothing of XMPP. The
// work of a server is stated as a multiple of it.
package floor

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"

	"meerkat/bench/load"
)

// Options of a floor.
type Options struct {
	Loops  int         // gnet's event loops
	Fanout bool        // to all contacts of the layout; else to the neighbour: a relay
	Room   bool        // or to all that are in the one room there is, see room.go
	Layout load.Layout // how many clients there are, and who hears whom
}

// client is one connection, known by number since its hello.
type client struct {
	number int
	conn   gnet.Conn
	loop   gnet.EventLoop
	hears  []*atomic.Pointer[client] // who gets its bytes
}

// server is the gnet handler of all three programs.
type server struct {
	gnet.BuiltinEventEngine
	opt     Options
	clients []atomic.Pointer[client]
	ready   chan gnet.Engine
	room    room
}

// Floor is a running program.
type Floor struct {
	engine gnet.Engine
	ended  chan error
}

// Start serves on addr, an IPv4 host:port, until Stop.
func Start(addr string, opt Options) (*Floor, error) {
	s := &server{opt: opt, clients: make([]atomic.Pointer[client], opt.Layout.Users), ready: make(chan gnet.Engine, 1)}
	f := &Floor{ended: make(chan error, 1)}
	go func() {
		// Clients are spread by their address, so that neighbours meet on one
		// loop as often as the users of a server do.
		f.ended <- gnet.Run(s, "tcp4://"+addr, gnet.WithNumEventLoop(opt.Loops),
			gnet.WithLoadBalancing(gnet.SourceAddrHash), gnet.WithTCPNoDelay(gnet.TCPNoDelay))
	}()
	select {
	case f.engine = <-s.ready:
		return f, nil
	case err := <-f.ended:
		return nil, fmt.Errorf("floor: %w", err)
	}
}

// Stop ends the program and waits for it.
func (f *Floor) Stop() error {
	if err := f.engine.Stop(context.Background()); err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	return <-f.ended
}

func (s *server) OnBoot(e gnet.Engine) gnet.Action {
	s.ready <- e
	return gnet.None
}

// OnTraffic moves all there is. A client's first line is its number.
func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	b, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	me, ok := c.Context().(*client)
	if !ok {
		if me, b = s.hello(c, b); me == nil {
			return gnet.Close
		}
	}
	switch {
	case len(b) == 0:
	case s.opt.Room:
		s.room.take(me, b)
	default:
		s.move(me, b)
	}
	return gnet.None
}

// hello notes who c is, welcomes it, and gives what stands behind its hello. The line is
// short and a write of its own, so it comes in one piece.
func (s *server) hello(c gnet.Conn, b []byte) (*client, []byte) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	number, err := strconv.Atoi(string(bytes.TrimPrefix(line, []byte("hello "))))
	if !ok || err != nil || number < 0 || number >= len(s.clients) {
		return nil, nil
	}
	me := &client{number: number, conn: c, loop: c.EventLoop()}
	if s.opt.Room {
		// who enters hears
	} else if s.opt.Fanout {
		s.opt.Layout.Of(number, func(n int) { me.hears = append(me.hears, &s.clients[n]) })
	} else if number^1 < len(s.clients) {
		me.hears = []*atomic.Pointer[client]{&s.clients[number^1]}
	}
	c.SetContext(me)
	s.clients[number].Store(me)
	if _, err := c.Write([]byte(load.Welcome)); err != nil {
		return nil, nil
	}
	return me, rest
}

// move writes b to everyone who is to hear it: on this loop at once, and with
// one task for each other loop.
func (s *server) move(from *client, b []byte) {
	var far []*client
	for _, p := range from.hears {
		switch to := p.Load(); {
		case to == nil:
		case to.loop == from.loop:
			to.conn.Write(b) // a client that is gone hears nothing
		default:
			far = append(far, to)
		}
	}
	if len(far) > 0 {
		post(far, bytes.Clone(b))
	}
}

func post(to []*client, b []byte) {
	loop := to[0].loop
	var here, rest []*client
	for _, t := range to {
		if t.loop == loop {
			here = append(here, t)
		} else {
			rest = append(rest, t)
		}
	}
	loop.Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
		for _, t := range here {
			t.conn.Write(b)
		}
		return nil
	})) // fails only when the engine is stopping
	if len(rest) > 0 {
		post(rest, b)
	}
}
