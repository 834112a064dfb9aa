package enginetest

import (
	"testing"
	"time"

	"meerkat/engine/metric"
)

// Clients that are cut at any place of a login, on real loops, leave neither
// streams nor sessions behind.
func TestCutAnywhereLeavesNothing(t *testing.T) {
	addr := serve(t)
	w := &remote{t: t, addr: addr}
	before := metric.Snapshot()
	const tail = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/><message to='juliet@test'>"
	for cut := 0; cut <= len(tail); cut += 3 {
		c := loggedIn(t, w)
		c.send(tail[:cut])
		if cut%2 == 0 {
			time.Sleep(time.Millisecond)
		}
		c.pipe.Close()
	}
	for _, name := range []string{"meerkat_stream_open", "meerkat_route_sessions"} {
		if !w.until(func() bool { return metric.Snapshot()[name] == before[name] }) {
			t.Errorf("%s is %v, want %v as before", name, metric.Snapshot()[name], before[name])
		}
	}
}

// loggedIn is a client of romeo's, under TLS, that has not bound a resource.
func loggedIn(t *testing.T, w *remote) *client {
	conn, err := w.dial(false)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{host: Domain, pipe: conn, v: vars{}, quiet: w.settle, wait: w.until}
	features, err := (&player{world: w}).secured(c)
	if err == nil {
		err = c.login("romeo", password, features)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}
