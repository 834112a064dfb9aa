package tls

import (
	"bytes"
	ctls "crypto/tls"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Sessions share two caches that are too small, and change between them and
// between keys as they like.
func TestSessionsChangeCaches(t *testing.T) {
	caches := []*Cache{NewCache(3), NewCache(2)}
	own := NewCache(20)
	rnd := rand.New(rand.NewPCG(1, 2))
	var servers, clients []*conn
	for i := range 20 {
		s, c := twins(i % len(suites))
		servers, clients = append(servers, s), append(clients, c)
	}
	for n := range 5000 {
		i := rnd.IntN(len(servers))
		c := caches[rnd.IntN(2)]
		s, k := servers[i], clients[i]
		k.credit, s.credit = maxCredit, maxCredit
		if s.suite().tls13() && rnd.IntN(4) == 0 {
			wire := keyUpdate(k, own, 1)
			_, _, reply, err := s.Open(c, nil, wire)
			if err != nil {
				t.Fatalf("step %d: %v", n, err)
			}
			if _, _, _, err := k.Open(own, nil, bytes.Clone(reply)); err != nil {
				t.Fatalf("step %d: client: %v", n, err)
			}
		}
		s.idle, k.idle = 0, 0
		wire, _ := k.Seal(own, nil, []byte("there"))
		if plain, _, _, err := s.Open(c, nil, wire); string(plain) != "there" || err != nil {
			t.Fatalf("step %d: %q, %v", n, plain, err)
		}
		wire, _ = s.Seal(c, nil, []byte("back"))
		if plain, _, _, err := k.Open(own, nil, wire); string(plain) != "back" || err != nil {
			t.Fatalf("step %d: client: %q, %v", n, plain, err)
		}
		if rnd.IntN(10) == 0 {
			c.Forget(s)
		}
	}
}

func TestHotSessionsStayInTheCache(t *testing.T) {
	c := NewCache(8)
	hot, _ := twins(0)
	c.sealer(hot)
	for range 100 {
		cold, _ := twins(0)
		c.sealer(cold)
		c.sealer(hot)
	}
	if got := c.Misses(); got != 101 {
		t.Errorf("%d ciphers were built, want 101: the hot one once", got)
	}
}

// A message on a hot session costs no garbage, either way.
func TestWarmCacheDoesNotAllocate(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		message := bytes.Repeat([]byte("m"), 200)
		plain, wire := make([]byte, 0, 4096), make([]byte, 0, 4096)
		round := func() {
			wire, _ = client.Seal(cc, wire[:0], message)
			plain, _, _, _ = server.Open(sc, plain[:0], wire)
		}
		round()
		if n := testing.AllocsPerRun(500, round); n != 0 {
			t.Errorf("%v allocations a message, want 0", n)
		}
		if len(plain) != len(message) {
			t.Error("no message came out")
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, suite := range []int{0, 1, 2, 3} {
		for _, n := range []int{200, maxPlain} {
			benchmarkRecord(b, suite, n)
		}
	}
}

// benchmarkRecord seals and opens n bytes, with ciphers at hand and without.
func benchmarkRecord(b *testing.B, suite, n int) {
	for _, temperature := range []string{"hot", "cold"} {
		b.Run(fmt.Sprintf("%s/%d/%s", ctls.CipherSuiteName(suites[suite].id), n, temperature), func(b *testing.B) {
			server, client := twins(suite)
			sc, cc := NewCache(1), NewCache(1)
			message := make([]byte, n)
			var wire, plain []byte
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				wire, _ = client.Seal(cc, wire[:0], message)
				plain, _, _, _ = server.Open(sc, plain[:0], wire)
				if temperature == "cold" {
					sc.Forget(server)
					cc.Forget(client)
				}
			}
			if !bytes.Equal(plain, message) {
				b.Fatal("no message came out")
			}
		})
	}
}
