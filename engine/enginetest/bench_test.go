package enginetest

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkMessage is a message's way from the bytes that come to the bytes that
// go, by all features, without sockets: 100 pairs talk, each sends so many
// messages of 100 bytes in a turn. Users live where their names put them, so that
// most pairs are on two loops.
func BenchmarkMessage(b *testing.B) {
	for _, window := range []int{1, 8} {
		b.Run(fmt.Sprint(window), func(b *testing.B) { benchMessage(b, window) })
	}
}

func benchMessage(b *testing.B, window int) {
	const pairs = 100
	m := newEngine(b)
	if err := m.configure("limits.bytes_per_second = 0"); err != nil {
		b.Fatal(err)
	}
	var pipes [2 * pairs]*memoryPipe
	var bursts [2 * pairs][]byte
	for i := range pipes {
		name, peer := fmt.Sprintf("user%d", i), fmt.Sprintf("user%d", i^1)
		pipes[i] = benchSession(b, m, name)
		one := fmt.Sprintf("<message to='%s@%s/r' type='chat' id='%08d'><body>%s</body></message>", peer, Domain, i, bytes.Repeat([]byte("x"), 100))
		bursts[i] = bytes.Repeat([]byte(one), window)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() { // an operation is a message
		if n--; n <= 0 {
			n = 2 * pairs * window
			for i, p := range pipes {
				p.Write(bursts[i])
			}
			for m.group.Turn() {
			}
			for i, p := range pipes {
				if got := p.Read(); len(got) < len(bursts[i]) {
					b.Fatalf("%d bytes came, want %d and more: %s", len(got), len(bursts[i]), got)
				}
			}
		}
	}
}

func benchSession(b *testing.B, m *memory, name string) *memoryPipe {
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
	m.settle()
	p.Read()
	return p.(*memoryPipe)
}
