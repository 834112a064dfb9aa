package tls

import (
	"bytes"
	ctls "crypto/tls"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// waiting is a Handshake and the calls of its out.
type waiting struct {
	*Handshake
	out chan struct{}
}

func begin(s *Server) waiting {
	out := make(chan struct{}, 64)
	return waiting{s.Handshake(func(*Handshake) { out <- struct{}{} }), out}
}

// refused feeds in and wants the handshake to end at once, by err, with reply.
func refused(t *testing.T, in []byte) (reply []byte, err error) {
	t.Helper()
	s := newServer()
	h := begin(s)
	h.Feed(in)
	select {
	case <-h.out:
	case <-time.After(10 * time.Second):
		t.Fatal("not refused")
	}
	reply, done, conn, rest, err := h.Take(nil)
	if !done || conn != nil || rest != nil || err == nil {
		t.Fatalf("done %v, conn %v, rest %x, %v", done, conn, rest, err)
	}
	if h.Feed([]byte("more")) != 0 {
		t.Error("still has room for more")
	}
	h.Abort()
	if st := s.Stats(); st.Failed != 1 || st.Aborted != 0 {
		t.Errorf("counted as %+v", st)
	}
	return reply, err
}

// What cannot be a ClientHello is refused by the loop, and no worker hears of it.
func TestGarbageIsRefusedAtOnce(t *testing.T) {
	record := func(typ byte, body ...byte) []byte { return append(appendHeader(nil, typ, len(body)), body...) }
	for _, r := range []struct {
		name string
		in   []byte
		want Alert
	}{
		{"XML", []byte("<?xml version='1.0'?>"), UnexpectedMessage},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), UnexpectedMessage},
		{"one wrong byte", []byte{0}, UnexpectedMessage},
		{"SSL 2", []byte{0x80, 0x2e, 1, 0, 2}, UnexpectedMessage},
		{"application data", record(typeData, 1, 2, 3), UnexpectedMessage},
		{"change_cipher_spec", record(typeCCS, 1), UnexpectedMessage},
		{"version 2", []byte{typeHandshake, 2}, ProtocolVersion},
		{"empty record", record(typeHandshake), UnexpectedMessage},
		{"record too long", []byte{typeHandshake, 3, 1, 0x40, 1}, RecordOverflow},
		{"ServerHello", record(typeHandshake, 2), UnexpectedMessage},
		{"Finished", record(typeHandshake, 20, 0, 0, 12), UnexpectedMessage},
		{"ClientHello of 16 MB", record(typeHandshake, 1, 255, 255, 255), DecodeError},
		{"ClientHello of 64 KiB", record(typeHandshake, 1, 1, 0, 0), DecodeError},
	} {
		t.Run(r.name, func(t *testing.T) {
			reply, err := refused(t, r.in)
			var e *Error
			if !errors.As(err, &e) || e.Alert != r.want {
				t.Errorf("got %v, want %v", err, r.want)
			}
			if want := []byte{typeAlert, 3, 1, 0, 2, 2, byte(r.want)}; !bytes.Equal(reply, want) {
				t.Errorf("reply %x, want %x", reply, want)
			}
		})
	}
}

func TestAlertInPlaceOfClientHello(t *testing.T) {
	reply, err := refused(t, []byte{typeAlert, 3, 1, 0, 2, 2, 40})
	var e *Error
	if !errors.As(err, &e) || !e.Remote || e.Alert != 40 || len(reply) != 0 {
		t.Errorf("reply %x, %v", reply, err)
	}
}

// Bytes that look like a ClientHello are crypto/tls's to refuse.
func TestNonsenseInsideAClientHello(t *testing.T) {
	body := append([]byte{1, 0, 0, 50}, bytes.Repeat([]byte{0xff}, 50)...)
	reply, err := refused(t, append(appendHeader(nil, typeHandshake, len(body)), body...))
	if !bytes.HasSuffix(reply, []byte{2, byte(DecodeError)}) {
		t.Errorf("reply %x, %v, want decode_error", reply, err)
	}
}

// fragmented cuts a client's first record into records of n bytes of content.
func fragmented(rec []byte, n int) (wire []byte) {
	for body := rec[headerLen:]; len(body) > 0; {
		piece := body[:min(n, len(body))]
		wire = append(appendHeader(wire, typeHandshake, len(piece)), piece...)
		body = body[len(piece):]
	}
	return wire
}

// However the client cuts its records, and the network its bytes, the handshake
// comes out, and no goroutine works for it before the ClientHello is whole.
func TestClientHelloInPieces(t *testing.T) {
	for _, cut := range []int{1, 3, 100, maxPlain} {
		s := newServer()
		client, raw := stepClient(clientConfig(func(c *ctls.Config) { c.CurvePreferences = []ctls.CurveID{ctls.X25519} }))
		wire := fragmented(raw.step(nil), cut)
		h := begin(s)
		before := runtime.NumGoroutine()
		for i := range wire[:len(wire)-1] {
			h.Feed(wire[i : i+1])
		}
		if n := runtime.NumGoroutine(); n > before || s.Stats().Begun != 0 {
			t.Errorf("cut %d: %d goroutines more, for less than a ClientHello", cut, n-before)
		}
		h.Feed(wire[len(wire)-1:])
		conn, _ := h.finish(t, raw, nil)
		if client.Handshake() != nil || conn.State().Version != ctls.VersionTLS13 {
			t.Errorf("cut %d: no session", cut)
		}
	}
}

// finish plays a handshake to its end. Behind the client's last flight it feeds
// extra.
func (h waiting) finish(t *testing.T, raw *stepConn, extra []byte) (Conn, []byte) {
	t.Helper()
	for {
		<-h.out
		out, done, conn, rest, err := h.Take(nil)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			if len(out) > 0 {
				raw.step(out)
			}
			return conn, rest
		}
		for _, b := range append(raw.step(out), extra...) {
			h.Feed([]byte{b})
		}
	}
}

// Application data right behind the client's Finished stays ours, in order.
func TestDataBehindTheHandshakeIsKept(t *testing.T) {
	s := newServer()
	client, raw := stepClient(clientConfig())
	h := begin(s)
	h.Feed(raw.step(nil))
	<-h.out
	out, _, _, _, _ := h.Take(nil)
	flight := raw.step(out) // the client is done now
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i := range 300 {
		b := bytes.Repeat([]byte{byte(i)}, 100)
		want = append(want, b...)
		client.Write(b)
	}
	raw.mu.Lock()
	flight = append(flight, raw.out...)
	raw.mu.Unlock()
	cut := len(flight) - 50
	h.Feed(flight[:cut])
	for {
		<-h.out
		_, done, conn, rest, err := h.Take(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !done {
			continue
		}
		rest = append(rest, flight[cut:]...)
		plain, n, _, err := conn.Open(NewCache(1), nil, rest)
		if err != nil || n != len(rest) || !bytes.Equal(plain, want) {
			t.Errorf("%d of %d bytes, %v", len(plain), len(want), err)
		}
		return
	}
}

// change_cipher_spec is ignored in the handshake (RFC 8446 §D.4) and an error
// after it.
func TestChangeCipherSpecBehindTheHandshake(t *testing.T) {
	_, p := connect(t, newServer(), clientConfig())
	p.rest = append(p.rest, typeCCS, 3, 3, 0, 1, 1)
	var e *Error
	if _, err := p.read(1); !errors.As(err, &e) || e.Alert != UnexpectedMessage {
		t.Errorf("got %v, want unexpected_message", err)
	}
}

// A client that sends for ever is cut off at 64 KiB, whatever it sends.
func TestHandshakeIsBounded(t *testing.T) {
	t.Run("never a whole record", func(t *testing.T) {
		h := begin(newServer())
		h.Feed([]byte{typeHandshake, 3, 1, 0x40, 0})
		if room := h.Feed(make([]byte, 1000)); room != maxInput-1005 {
			t.Errorf("room for %d, want %d", room, maxInput-1005)
		}
	})
	t.Run("data behind the ClientHello", func(t *testing.T) {
		s := newServer()
		s.schedule.free = 0 // nobody works
		_, raw := stepClient(clientConfig())
		h := begin(s)
		h.Feed(raw.step(nil))
		for h.Feed(make([]byte, 4096)) > 0 {
		}
		if h.Feed([]byte{1}) != 0 || len(h.in) != 0 {
			t.Error("takes more than it has room for")
		}
		if _, done, _, _, err := h.Take(nil); !done || err != ErrTooLarge {
			t.Errorf("done %v, %v, want ErrTooLarge", done, err)
		}
	})
	t.Run("records in all", func(t *testing.T) {
		s := newServer(func(c *ctls.Config) { c.ClientAuth = ctls.RequestClientCert })
		client, raw := stepClient(clientConfig(func(c *ctls.Config) {
			c.MaxVersion = ctls.VersionTLS12
		}))
		defer client.Close()
		h := begin(s)
		h.Feed(raw.step(nil))
		// In place of its second flight, a Certificate of 200 kB in small pieces.
		piece := append(appendHeader(nil, typeHandshake, 1000), make([]byte, 1000)...)
		copy(piece[headerLen:], []byte{11, 3, 0, 0})
		<-h.out
		for range 70 {
			h.Feed(piece)
			time.Sleep(time.Millisecond)
		}
		for {
			if _, done, _, _, err := h.Take(nil); done {
				if !errors.Is(err, ErrTooLarge) {
					t.Errorf("got %v, want ErrTooLarge", err)
				}
				return
			}
			<-h.out
		}
	})
}

// Abort frees the goroutine, wherever the handshake stands.
func TestAbortFreesEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newServer()
	var all []*Handshake
	for range 20 {
		all = append(all, s.Handshake(func(*Handshake) {})) // nothing came
		half := s.Handshake(func(*Handshake) {})
		half.Feed([]byte{typeHandshake, 3, 1, 2})
		all = append(all, half, parkedHandshake(s))
		client, raw := stepClient(clientConfig())
		busy := s.Handshake(func(*Handshake) {})
		busy.Feed(raw.step(nil)) // waits for a worker, or has it
		raw.Close()
		client.Close()
		all = append(all, busy)
	}
	for _, h := range all {
		h.Abort()
		h.Abort()
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if time.Sleep(10 * time.Millisecond); i > 500 {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
	s.schedule.mu.Lock()
	free := s.schedule.free
	s.schedule.mu.Unlock()
	if free != 2 || s.Stats().Waiting != 0 {
		t.Errorf("%d workers free, %d handshakes waiting, want 2 and 0", free, s.Stats().Waiting)
	}
	if got := s.Stats(); got.Aborted != uint64(len(all)) || got.Done != 0 || got.Failed != 0 {
		t.Errorf("counted as %+v", got)
	}
}

func TestConnNotTakenIsWiped(t *testing.T) {
	s := newServer()
	_, raw := stepClient(clientConfig())
	h := begin(s)
	h.Feed(raw.step(nil))
	<-h.out
	out, _, _, _, _ := h.Take(nil)
	h.Feed(raw.step(out))
	<-h.out
	k := h.conn.(*conn)
	h.Abort()
	if k.in != (half{}) || k.out != (half{}) {
		t.Error("secrets are left")
	}
}

// The secrets go to nobody, though the config asks for them.
func TestSecretsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	s := newServer(func(c *ctls.Config) { c.KeyLogWriter = &log })
	connect(t, s, clientConfig())
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.Bytes())
	}
}

func TestKeysAreWipedAfterTheHandshake(t *testing.T) {
	line := []byte("CLIENT_TRAFFIC_SECRET_0 " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 32) + "\n")
	var k keys
	if _, err := k.Write(line); err != nil || k.client[0] != 0xcd || k.n != 32 {
		t.Fatalf("%v, %x", err, k.client)
	}
	if bytes.ContainsAny(line, "cd") {
		t.Errorf("the line still has it: %q", line)
	}

	s := newServer()
	_, raw := stepClient(clientConfig())
	h := begin(s)
	h.Feed(raw.step(nil))
	if conn, _ := h.finish(t, raw, nil); conn == nil {
		t.Fatal("no session")
	}
	k = h.work.keys
	for _, secret := range [][maxSecret]byte{k.client, k.server, k.clientHandshake, k.master} {
		if secret != [maxSecret]byte{} {
			t.Error("secrets are left in the Handshake")
		}
	}
}
