package tls

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzOpen gives Open bytes that no key has sealed, after some that one has.
func FuzzOpen(f *testing.F) {
	for i := range suites {
		f.Add(uint8(i), []byte{typeData, 3, 3, 0, 20, 1, 2, 3})
		f.Add(uint8(i), append(appendHeader(nil, typeData, 32), make([]byte, 32)...))
		f.Add(uint8(i), []byte{typeAlert, 3, 3, 0, 2, 1, 0})
	}
	f.Fuzz(func(t *testing.T, suite uint8, junk []byte) {
		server, client := twins(int(suite) % len(suites))
		wire := append(client.record(NewCache(1), typeData, []byte("good")...), junk...)
		plain, n, reply, err := server.Open(NewCache(1), nil, wire)
		if string(plain) != "good" {
			t.Fatalf("junk came out: %q", plain)
		}
		if n > len(wire) || err == nil && reply != nil {
			t.Fatalf("%d of %d bytes, reply %x", n, len(wire), reply)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Remote || len(reply) == 0) {
			t.Fatalf("junk gave %v, reply %x", err, reply)
		}
	})
}

// FuzzInner seals what the fuzzer thinks up, so that it gets past the cipher:
// each record is a type, a length of padding, a length of content, and content.
// Opened at once or byte by byte, the outcome is the same.
func FuzzInner(f *testing.F) {
	f.Add(uint8(0), []byte{typeData, 0, 2, 'h', 'i', typeHandshake, 0, 5, msgKeyUpdate, 0, 0, 1, 1})
	f.Add(uint8(1), []byte{typeHandshake, 0, 3, msgKeyUpdate, 0, 0, typeHandshake, 9, 2, 1, 0, typeAlert, 0, 2, 1, 0})
	f.Add(uint8(2), []byte{typeData, 0, 0, typeAlert, 0, 2, 1, 90, typeAlert, 0, 2, 2, 40})
	f.Add(uint8(3), []byte{typeAlert, 0, 2, 1, 41, typeHandshake, 0, 1, 1, typeData, 0, 1, 'x'})
	f.Fuzz(func(t *testing.T, suite uint8, program []byte) {
		server, client := twins(int(suite) % len(suites))
		wire := records(client, program)
		whole, pieces := *server, *server

		want, wantReply, wantErr := openAll(&whole, wire, len(wire))
		got, gotReply, gotErr := openAll(&pieces, wire, 1)
		if !bytes.Equal(got, want) || wantErr == nil != (gotErr == nil) {
			t.Fatalf("whole %q, %v; in pieces %q, %v", want, wantErr, got, gotErr)
		}
		// An answer to a KeyUpdate that waits for the end of the read is not given
		// if the connection fails in that read.
		if wantErr == nil && (whole.in != pieces.in || whole.flags != pieces.flags) {
			t.Fatal("sessions differ afterwards")
		}
		// Answers to KeyUpdates are fewer if several come at once.
		if len(wantReply) > len(gotReply) {
			t.Fatalf("more is answered at once: %x, %x", wantReply, gotReply)
		}
		if _, _, _, err := client.Open(NewCache(1), nil, gotReply); err != nil {
			var e *Error
			if !errors.As(err, &e) || !e.Remote {
				t.Fatalf("client cannot read the reply: %v", err)
			}
		}
	})
}

// records seals what program says, with the keys it says.
func records(k *conn, program []byte) (wire []byte) {
	c := NewCache(1)
	var hand []byte // what a handshake record ends with
	for len(program) >= 3 && len(wire) < 1<<16 {
		typ, pad, n := program[0], int(program[1]), int(program[2])
		program = program[3:]
		n = min(n, len(program))
		content := program[:n]
		program = program[n:]
		if !k.suite().tls13() {
			wire = append(wire, k.record(c, typ, content...)...)
			continue
		}
		wire = append(wire, k.sealInner(c, typeData, inner(typ, pad, bytes.Clone(content)...))...)
		if typ == typeHandshake {
			if hand = append(hand, content...); len(hand) == 5 {
				k.out.update(k.suite()) // as the server does, if it likes it
				hand = nil
			}
		}
	}
	return wire
}

// openAll feeds wire in pieces of n bytes.
func openAll(k *conn, wire []byte, n int) (plain, replies []byte, err error) {
	c := NewCache(1)
	var kept []byte
	for len(wire) > 0 {
		cut := min(n, len(wire))
		kept = append(kept, wire[:cut]...)
		wire = wire[cut:]
		var used int
		var reply []byte
		plain, used, reply, err = k.Open(c, plain, kept)
		replies = append(replies, reply...)
		if kept = kept[used:]; err != nil {
			return plain, replies, err
		}
	}
	return plain, replies, nil
}

// FuzzHello looks for input whose judgement depends on how it is cut.
func FuzzHello(f *testing.F) {
	client, raw := stepClient(clientConfig())
	real := raw.step(nil)
	raw.Close()
	client.Close()
	f.Add(real)
	f.Add(fragmented(real, 2))
	f.Add([]byte{typeHandshake, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Add([]byte{typeHandshake, 3, 1, 0, 1, 1, typeAlert, 3, 1, 0, 2, 2, 40})
	f.Fuzz(func(t *testing.T, in []byte) {
		var at, byByte hello
		want, wantErr := at.scan(in)
		var got bool
		var err error
		for i := 0; i <= len(in) && err == nil && !got; i++ {
			got, err = byByte.scan(in[:i])
		}
		if got != want || (err == nil) != (wantErr == nil) {
			t.Fatalf("whole: %v, %v; by byte: %v, %v", want, wantErr, got, err)
		}
		if want && (at.off > len(in) || at.size() > maxInput) {
			t.Fatalf("ends at %d of %d", at.off, len(in))
		}
	})
}

// FuzzHandshake gives a server what it likes for a ClientHello and behind it.
func FuzzHandshake(f *testing.F) {
	client, raw := stepClient(clientConfig())
	real := raw.step(nil)
	raw.Close()
	client.Close()
	f.Add(real)
	f.Add(append(bytes.Clone(real), typeCCS, 3, 3, 0, 1, 1, typeAlert, 3, 3, 0, 2, 2, 40))
	f.Add(append(bytes.Clone(real), real...))
	s := newServer()
	f.Fuzz(func(t *testing.T, in []byte) {
		h := begin(s)
		h.Feed(in)
		if s.Stats(); h.begun {
			<-h.out
		}
		if _, done, conn, _, err := h.Take(nil); done && (conn != nil || err == nil || err == io.EOF) {
			t.Errorf("junk made a session: %v, %v", conn, err)
		}
		h.Abort()
		if n := s.Stats().Panics; n > 0 {
			t.Fatalf("%d panics", n)
		}
	})
}
