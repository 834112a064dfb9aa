package clients

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/enginetest"
)

// Two clients talk while the server is killed over and over, and each message is
// in both archives once.
func TestArchivesSurviveKills(t *testing.T) {
	const messages, deaths = 200, 4
	s := newServer(t, "c2s.require_tls = false\nlimits.bytes_per_second = 0\nlimits.scram_iterations = 4096\narchive.default = \"always\"")
	s.add("romeo")
	s.add("juliet")
	var addr atomic.Value
	addr.Store(s.starttls)
	where := func() string { return addr.Load().(string) }
	a := &enginetest.Managed{Addr: where, User: "romeo", Resource: "a", To: "juliet@" + domain + "/b", Domain: domain, Password: password}
	b := &enginetest.Managed{Addr: where, User: "juliet", Resource: "b", To: "romeo@" + domain + "/a", Domain: domain, Password: password}
	all := []*enginetest.Managed{a, b}
	end := time.Now().Add(3 * time.Minute)
	for _, m := range all {
		go m.Run()
		defer m.Stop()
		for !m.Online() {
			waitingOf(t, m, end)
			time.Sleep(time.Millisecond)
		}
	}
	settle := func(most int) {
		for _, m := range all {
			for waitingOf(t, m, end) > most {
				m.Ask()
				time.Sleep(2 * time.Millisecond)
			}
		}
	}
	for i := range messages {
		for _, m := range all {
			m.Send(m.User + "-" + strconv.Itoa(i))
		}
		settle(20)
		if i > 0 && i%(messages/(deaths+1)) == 0 {
			s.kill()
			s.start()
			addr.Store(s.starttls)
		}
	}
	settle(0)
	for _, m := range all {
		got, ids := archivedAs(t, s, m.User, m.User+"@"+domain)
		if err := ascending(got); err != nil || len(got) != 2*messages {
			t.Errorf("the archive of %s has %d messages, want %d: %v", m.User, len(got), 2*messages, err)
		}
		told := m.Told()
		if len(told) != messages {
			t.Errorf("%s was told the ids of %d messages, want %d", m.User, len(told), messages)
		}
		for body, id := range told {
			if ids[body] != id {
				t.Errorf("%s was told that %s is %q in the archive, where it is %q", m.User, body, id, ids[body])
			}
		}
	}
}
