package enginetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

// However one client floods the server, without a limit of its rate and without
// reading what comes back, another's ping is answered soon.
func TestPingAmidAFlood(t *testing.T) {
	addr := serve(t, func(c *config.Config) { c.Limits.BytesPerSecond, c.Loops.Count = 0, 1 })
	w := &remote{t: t, addr: addr}
	for name, flood := range map[string]string{
		"messages to oneself": strings.Repeat("<message to='romeo@test/flood'><body>x</body></message>", 1000),
		"pings":               strings.Repeat("<iq type='get' id='x'><ping xmlns='urn:xmpp:ping'/></iq>", 1000),
		"errors":              strings.Repeat("<iq type='get' id='x' to='nobody@elsewhere'><x xmlns='y'/></iq>", 1000),
		"presence":            strings.Repeat("<presence/><presence type='unavailable'/>", 1000),
		"large stanzas":       "<message to='nobody@test'><body>" + strings.Repeat("&lt;", 60000) + "</body></message>",
		"keepalives":          strings.Repeat(" ", 64<<10),
	} {
		t.Run(name, func(t *testing.T) { pingAmid(t, w, flood) })
	}
}

func pingAmid(t *testing.T, w *remote, flood string) {
	flooder, other := loggedIn(t, w), loggedIn(t, w)
	for c, resource := range map[*client]string{flooder: "flood", other: "ping"} {
		if _, err := c.bind(resource); err != nil {
			t.Fatal(err)
		}
	}
	flooder.pipe.(pauser).StopReading()
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			flooder.send(flood)
		}
	}()
	worst, n := time.Duration(0), 0
	for begin := time.Now(); time.Since(begin) < time.Second; n++ {
		sent := time.Now()
		other.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
		if got, err := other.take(); err != nil || got.attrs["id"] != "p" {
			t.Fatalf("ping: got %s, %v", got, err)
		}
		worst = max(worst, time.Since(sent))
	}
	over.Store(true)
	flooder.pipe.Close()
	<-done
	t.Logf("%d pings, the slowest took %v", n, worst)
	if worst > 2*time.Second {
		t.Errorf("a ping took %v, want less than 2s", worst)
	}
}

// Who comes and goes over and over while the disk is slow does not fill the queue
// that others' updates wait in as well.
func TestPresenceOnASlowDisk(t *testing.T) {
	m := newEngine(t)
	m.cfg.Limits.BytesPerSecond = 0
	romeo := benchSession(t, m, "romeo", false)
	m.settle()
	held := make(chan struct{})
	m.store.Update(func(*store.Tx) error { <-held; return nil }, func(error) {})
	for range 100 {
		romeo.Send([]byte(strings.Repeat("<presence/><presence type='unavailable'/>", 10)))
		m.group.Turn()
	}
	if n := m.store.Stats().Queue; n > 10 {
		t.Errorf("after 1,000 changes of presence %d updates wait, want 10 at most", n)
	}
	close(held)
	m.settle()
}
