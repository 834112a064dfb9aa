package enginetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
)

// Two clients talk while their connections are cut after every number of bytes
// that a short conversation has, in both directions, and after random ones of a
// longer. Nothing is lost, nothing doubled, and the order is kept.
func TestCutAtEveryByte(t *testing.T) {
	const every, messages = 260, 1000
	addr := serve(t, func(c *config.Config) { c.C2S.RequireTLS, c.Limits.BytesPerSecond = false, 0 })
	cut := func(salt uint64) func(n int) (int, int) {
		r := rand.New(rand.NewPCG(1, salt))
		return func(n int) (write, read int) {
			switch {
			case n == 0: // the session itself, and more
				return 1000, -1
			case n < 2*every && n%2 == 0:
				return n / 2, -1
			case n < 2*every:
				return -1, n / 2
			default:
				return 500 + r.IntN(10000), 500 + r.IntN(10000)
			}
		}
	}
	where := func() string { return addr }
	a := &Managed{Addr: where, User: "romeo", Resource: "a", To: "juliet@test/b", Cut: cut(1)}
	b := &Managed{Addr: where, User: "juliet", Resource: "b", To: "romeo@test/a", Cut: cut(2)}
	talk(t, a, b, messages, 2*every+50, 100*time.Second)
}

// talk has both send so many messages, and more until they have resumed so
// often. It fails unless all come, once, in order.
func talk(t *testing.T, a, b *Managed, messages, resumes int, patience time.Duration) {
	t.Helper()
	for _, m := range []*Managed{a, b} {
		go m.Run()
		defer m.Stop()
	}
	end := time.Now().Add(patience)
	for !a.Online() || !b.Online() { // a session has its messages in order once it is available
		if stuck(t, a, b, end) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	sent := 0
	for ; sent < messages || resumed(a) < resumes || resumed(b) < resumes; sent++ {
		a.Send("a" + strconv.Itoa(sent))
		b.Send("b" + strconv.Itoa(sent))
		for window := window(a, b, resumes); waiting(a) > window || waiting(b) > window; {
			a.Ask()
			b.Ask()
			time.Sleep(2 * time.Millisecond)
			if stuck(t, a, b, end) {
				return
			}
		}
	}
	for !arrived(a, sent) || !arrived(b, sent) || waiting(a) > 0 || waiting(b) > 0 {
		a.Ask()
		b.Ask()
		time.Sleep(20 * time.Millisecond)
		if stuck(t, a, b, end) {
			return
		}
	}
	time.Sleep(100 * time.Millisecond) // for what should not come
	inOrder(t, a, "b", sent)
	inOrder(t, b, "a", sent)
	for _, m := range []*Managed{a, b} {
		resumed, lost := m.Resumes()
		t.Logf("%s: %d messages, resumed %d times", m.User, sent, resumed)
		if lost > 0 {
			t.Errorf("%s could not resume %d times", m.User, lost)
		}
	}
}

// window is how many messages may wait: few while each connection sees only some
// bytes.
func window(a, b *Managed, resumes int) int {
	if resumed(a) < resumes || resumed(b) < resumes {
		return 2
	}
	return 20
}

func resumed(m *Managed) int { n, _ := m.Resumes(); return n }

func waiting(m *Managed) int { _, n, _ := m.Result(); return n }

func arrived(m *Managed, n int) bool { got, _, _ := m.Result(); return len(got) >= n }

func stuck(t *testing.T, a, b *Managed, end time.Time) bool {
	t.Helper()
	for _, m := range []*Managed{a, b} {
		got, n, err := m.Result()
		if err != nil || time.Now().After(end) {
			resumed, lost := m.Resumes()
			t.Errorf("%s: %d messages came, %s; %d wait for acknowledgement; resumed %d times, lost %d: %v",
				m.User, len(got), gaps(got), n, resumed, lost, err)
		}
	}
	return t.Failed()
}

// gaps tells where a message is not the next one.
func gaps(got []string) string {
	next, b := 0, strings.Builder{}
	for _, s := range got {
		if n, _ := strconv.Atoi(s[1:]); n != next {
			fmt.Fprintf(&b, "%s where %d should be, ", s, next)
			next = n
		}
		next++
	}
	fmt.Fprintf(&b, "the last is %d", next-1)
	return b.String()
}

func inOrder(t *testing.T, m *Managed, prefix string, n int) {
	t.Helper()
	got, _, _ := m.Result()
	for i, s := range got {
		if want := prefix + strconv.Itoa(i); s != want {
			t.Fatalf("%s: message %d is %q, want %q; %d came", m.User, i, s, want, len(got))
		}
	}
	if len(got) != n {
		t.Errorf("%s: %d messages came, want %d", m.User, len(got), n)
	}
}
