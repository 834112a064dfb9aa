package clients

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/enginetest"
)

// Two clients talk while the server is killed with kill -9 over and over, and
// their connections are cut now and then. They resume their sessions, nothing is
// lost, nothing doubled, and the order is kept.
func TestSessionsSurviveKills(t *testing.T) {
	const messages, deaths = 1000, 4
	s := newServer(t, "c2s.require_tls = false\nlimits.bytes_per_second = 0\nlimits.scram_iterations = 4096")
	s.add("romeo")
	s.add("juliet")
	var addr atomic.Value
	addr.Store(s.starttls)
	where := func() string { return addr.Load().(string) }
	cut := func(n int) (int, int) { return 3000 + 100*n, 5000 + 77*n }
	a := &enginetest.Managed{Addr: where, User: "romeo", Resource: "a", To: "juliet@" + domain + "/b", Domain: domain, Password: password, Cut: cut}
	b := &enginetest.Managed{Addr: where, User: "juliet", Resource: "b", To: "romeo@" + domain + "/a", Domain: domain, Password: password, Cut: cut}
	for _, m := range []*enginetest.Managed{a, b} {
		go m.Run()
		defer m.Stop()
	}
	end := time.Now().Add(3 * time.Minute)
	for !a.Online() || !b.Online() { // a session has its messages in order once it is available
		waitingOf(t, a, end)
		time.Sleep(time.Millisecond)
	}
	for i := range messages {
		a.Send("a" + strconv.Itoa(i))
		b.Send("b" + strconv.Itoa(i))
		for waitingOf(t, a, end) > 20 || waitingOf(t, b, end) > 20 {
			a.Ask()
			b.Ask()
			time.Sleep(2 * time.Millisecond)
		}
		if i > 0 && i%(messages/(deaths+1)) == 0 {
			s.kill()
			s.start()
			addr.Store(s.starttls)
		}
	}
	for waitingOf(t, a, end) > 0 || waitingOf(t, b, end) > 0 || countOf(a) < messages || countOf(b) < messages {
		a.Ask()
		b.Ask()
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // for what should not come
	for m, prefix := range map[*enginetest.Managed]string{a: "b", b: "a"} {
		if err := inOrder(m, prefix, messages); err != nil {
			t.Errorf("%s: %v", m.User, err)
		}
		resumed, lost := m.Resumes()
		t.Logf("%s resumed %d times", m.User, resumed)
		if lost > 0 {
			t.Errorf("%s could not resume %d times", m.User, lost)
		}
	}
}

func waitingOf(t *testing.T, m *enginetest.Managed, end time.Time) int {
	t.Helper()
	got, n, err := m.Result()
	if err != nil || time.Now().After(end) {
		resumed, lost := m.Resumes()
		t.Fatalf("%s: %d messages came, %d wait, resumed %d times, lost %d: %v", m.User, len(got), n, resumed, lost, err)
	}
	return n
}

func countOf(m *enginetest.Managed) int { got, _, _ := m.Result(); return len(got) }

func inOrder(m *enginetest.Managed, prefix string, n int) error {
	got, _, _ := m.Result()
	for i, s := range got {
		if want := prefix + strconv.Itoa(i); s != want {
			return fmt.Errorf("message %d is %q, want %q; %d came", i, s, want, len(got))
		}
	}
	if len(got) != n {
		return fmt.Errorf("%d messages came, want %d", len(got), n)
	}
	return nil
}
