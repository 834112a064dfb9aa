package enginetest

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkMessage is a message's way from the bytes that come to the bytes that
// go, by all features, without sockets: 100 pairs talk, each sends so many
// messages of 100 bytes in a turn. Users live where their names put them, so that
// most pairs are on two loops. "all" has every session managed and resumable
// (XEP-0198), with carbons (XEP-0280), and every message in both archives
// (XEP-0313), on disk before it goes on.
func BenchmarkMessage(b *testing.B) {
	for _, window := range []int{1, 8} {
		b.Run(fmt.Sprint(window), func(b *testing.B) { benchMessage(b, window, false) })
		b.Run(fmt.Sprint(window, " all"), func(b *testing.B) { benchMessage(b, window, true) })
	}
}

func benchMessage(b *testing.B, window int, all bool) {
	const pairs = 100
	m := newEngine(b)
	options := "limits.bytes_per_second = 0"
	if all {
		options += "\narchive.default = 'always'"
	}
	if err := m.configure(options); err != nil {
		b.Fatal(err)
	}
	var talkers [2 * pairs]*talker
	for i := range talkers {
		talkers[i] = newTalker(b, m, i, window, all)
	}
	b.ReportAllocs()
	n, sent := 0, 0
	cpu := cpuTime()
	for b.Loop() { // an operation is a message
		if n--; n <= 0 {
			n = 2 * pairs * window
			sent += n
			for _, t := range talkers {
				t.send()
			}
			for _, t := range talkers {
				for !t.heard() {
					if !m.group.Turn() {
						time.Sleep(20 * time.Microsecond) // the store is at it
					}
				}
			}
		}
	}
	b.ReportMetric(float64(cpuTime()-cpu)/float64(sent), "cpu-ns/message")
}

// talker is a session that is sent as many messages as it sends.
type talker struct {
	*memoryPipe
	burst    []byte
	window   int
	all      bool
	received int // messages in all
	missing  int
	tail     []byte
}

func newTalker(b *testing.B, m *memory, i, window int, all bool) *talker {
	name, peer := fmt.Sprintf("user%d", i), fmt.Sprintf("user%d", i^1)
	one := fmt.Sprintf("<message to='%s@%s/r' type='chat' id='%08d'><body>%s</body></message>", peer, Domain, i, bytes.Repeat([]byte("x"), 100))
	t := &talker{memoryPipe: benchSession(b, m, name, all), window: window, all: all}
	t.burst = bytes.Repeat([]byte(one), window)
	return t
}

func (t *talker) send() {
	t.Write(t.burst)
	t.missing += t.window
}

// heard reads, acknowledges, and reports that nothing is missing.
func (t *talker) heard() bool {
	in := append(t.tail, t.Read()...)
	n := bytes.Count(in, []byte("</message>"))
	t.tail = append([]byte(nil), in[bytes.LastIndexByte(in, '>')+1:]...)
	t.missing -= n
	t.received += n
	if t.all && n > 0 {
		t.Write(fmt.Appendf(nil, "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='%d'/>", t.received))
	}
	return t.missing == 0
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchSession(b testing.TB, m *memory, name string, all bool) *memoryPipe {
	b.Helper()
	if err := m.account(name+"@"+Domain, password); err != nil {
		b.Fatal(err)
	}
	p, err := m.dial(false)
	if err != nil {
		b.Fatal(err)
	}
	c := &client{host: Domain, pipe: p, v: vars{}, wait: m.until, quiet: m.settle}
	features, err := c.open()
	if err == nil {
		err = c.login(name, password, features)
	}
	if err == nil {
		_, err = c.bind("r")
	}
	if err != nil {
		b.Fatal(err)
	}
	c.send("<presence/>")
	if all {
		c.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
		m.settle()
		c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	}
	m.settle()
	if got := string(p.(*memoryPipe).Read()); all && !strings.Contains(got, "<enabled") {
		b.Fatalf("no stream management: %s", got)
	}
	return p.(*memoryPipe)
}
