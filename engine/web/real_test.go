package web

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
)

// TestChurnLeavesNothing lets clients of all manners come and go over real
// sockets: neither connections nor goroutines stay behind.
func TestChurnLeavesNothing(t *testing.T) {
	g, err := loop.New(loop.Options{Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default().HTTP
	s, err := New(Options{HTTP: &cfg, Domains: []string{"test"}, Group: g, FirstMessage: 64, Stream: func() wire.Framed { return &echo{} }})
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("/wait", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then net/http looks whether the client is there
		<-r.Context().Done()
	}))
	ln, err := wire.Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := wire.New(g, wire.Options{PerAddress: 1000}).Listen(ln, wire.ListenOptions{New: s.NewUpper})
	before := runtime.NumGoroutine()
	for _, say := range []string{
		"", "GET /", "nonsense\r\n\r\n", handshake, handshake + frame,
		"GET /.well-known/host-meta HTTP/1.1\r\nHost: test\r\n\r\n", "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n",
		"PUT /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\nhalf",
	} {
		for range 25 {
			nc, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(nc, say)
			if len(say) > 100 { // these are answered
				_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil && say[:3] == "GET" {
					t.Errorf("%.20q: %v", say, err)
				}
			}
			_ = nc.Close()
		}
	}
	conns := func() (n int64) {
		for i := range g.Len() {
			n += int64(g.At(i).Stats().Conns)
		}
		return n
	}
	end := time.Now().Add(20 * time.Second)
	for conns() > 0 || runtime.NumGoroutine() > before {
		if time.Now().After(end) {
			t.Fatalf("%d connections and %d goroutines are left, of the latter there were %d", conns(), runtime.NumGoroutine(), before)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.Shutdown(ctx)
	if err := g.Stop(ctx); err != nil {
		t.Error(err)
	}
}
