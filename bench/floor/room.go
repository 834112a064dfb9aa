package floor

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
)

// room is a list of clients. What one of them writes, a stanza in one piece, goes
// to all. With presence a client comes in: it gets as many stanzas as there are
// clients then, in one write, and each other one gets one; with unavailable
// presence it goes.
type room struct {
	mu      sync.Mutex
	members atomic.Pointer[[]hall] // replaced, never changed
}

// hall is those in the room whose loop is the same.
type hall struct {
	loop    gnet.EventLoop
	clients []*client
}

func (r *room) take(from *client, b []byte) {
	switch {
	case bytes.HasPrefix(b, []byte("<presence type='unavailable'")):
		r.spread(from, b)
		r.change(from, false)
	case bytes.HasPrefix(b, []byte("<presence type='available'")): // in silence
		r.change(from, true)
		from.conn.Write(b)
	case bytes.HasPrefix(b, []byte("<presence")):
		n := r.spread(from, b)
		r.change(from, true)
		from.conn.Write(bytes.Repeat(b, n+1)) // a client that is gone hears nothing
	default:
		r.spread(from, b)
	}
}

// spread writes b to all, those of this loop at once, and says how many they are.
func (r *room) spread(from *client, b []byte) (n int) {
	halls := r.members.Load()
	if halls == nil {
		return 0
	}
	var copied []byte
	for _, h := range *halls {
		n += len(h.clients)
		if h.loop == from.loop {
			h.write(b)
			continue
		}
		if copied == nil {
			copied = bytes.Clone(b)
		}
		h.loop.Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
			h.write(copied)
			return nil
		})) // fails only when the engine is stopping
	}
	return n
}

func (h hall) write(b []byte) {
	for _, c := range h.clients {
		c.conn.Write(b)
	}
}

// change puts c in or takes it out.
func (r *room) change(c *client, in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var halls []hall
	if old := r.members.Load(); old != nil {
		halls = slices.Clone(*old)
	}
	i := slices.IndexFunc(halls, func(h hall) bool { return h.loop == c.loop })
	if i < 0 {
		i, halls = len(halls), append(halls, hall{loop: c.loop})
	}
	h := &halls[i]
	h.clients = slices.DeleteFunc(slices.Clone(h.clients), func(o *client) bool { return o == c })
	if in {
		h.clients = append(h.clients, c)
	}
	r.members.Store(&halls)
}
