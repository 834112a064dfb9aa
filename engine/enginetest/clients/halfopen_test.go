//go:build interop

package clients

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"
)

// Ten thousand connections that begin TLS and never go on, as many as there are
// seats for who has not logged in, do not keep others from logging in: who came
// first makes room.
func TestHalfOpenHandshakes(t *testing.T) {
	s := newServer(t, "")
	s.add("romeo")
	const half = 10_000
	for i := range half {
		// no address may have more than a hundred
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i%200), 1)}, Timeout: 10 * time.Second}
		c, err := d.DialContext(context.Background(), "tcp", s.direct)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
		head := []byte{22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3} // of a ClientHello
		if _, err := c.Write(head[:1+i%len(head)]); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	time.Sleep(2 * time.Second) // all are older than what may still be a login
	var took []time.Duration
	for range 50 {
		began := time.Now()
		c, err := dial(s, "romeo")
		if err != nil {
			t.Fatalf("login %d: %v", len(took), err)
		}
		took = append(took, time.Since(began))
		c.conn.Close()
	}
	slices.Sort(took)
	t.Logf("beside %d half-open handshakes a login took %v, at most %v", half, took[len(took)/2], took[len(took)-1])
	if took[len(took)-1] > time.Second {
		t.Errorf("a login took %v, at most 1 s is allowed", took[len(took)-1])
	}
}
