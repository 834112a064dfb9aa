package enginetest

import (
	"fmt"
	"runtime"
	"testing"

	"meerkat/engine/metric"
)

// budget is how many bytes of heap a session may cost that has lost its
// connection and gets nothing: session, account, tables, timer.
const budget = 1536

// A detached session is cheap.
func TestHeapOfADetachedSession(t *testing.T) {
	const n = 300
	m := newEngine(t)
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	heap := func() int {
		m.settle()
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int(s.HeapAlloc)
	}
	had := metric.Snapshot()["meerkat_sm_detached"]
	p := &player{world: m, clients: map[string]*client{}, v: vars{}}
	detach := func(name string) {
		if err := p.client(name, name+"/phone"); err != nil {
			t.Fatal(err)
		}
		c := p.clients[name]
		c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence><priority>1</priority></presence>")
		m.settle()
		c.pipe.Read()
		c.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
		m.settle()
		c.pipe.Close()
		m.settle()
		delete(p.clients, name)
	}
	for i := range 50 { // what is made once
		detach(fmt.Sprintf("early%d", i))
	}
	before := heap()
	for i := range n {
		detach(fmt.Sprintf("user%d", i))
	}
	each := (heap() - before) / n
	t.Logf("%d bytes of heap", each)
	if each > budget {
		t.Errorf("a detached session has %d bytes of heap, want %d at most", each, budget)
	}
	if held := metric.Snapshot()["meerkat_sm_detached"] - had; held != n+50 {
		t.Errorf("%v sessions are there, want %d", held, n+50)
	}
}
