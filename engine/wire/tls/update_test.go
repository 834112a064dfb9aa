package tls

import (
	"bytes"
	"errors"
	"testing"
)

func keyUpdate(k *conn, c *Cache, request byte) []byte {
	b, err := k.sealUpdate(c, nil, request)
	if err != nil {
		panic(err)
	}
	return b
}

func each13(t *testing.T, f func(t *testing.T, server, client *conn)) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		if server.suite().tls13() {
			f(t, server, client)
		}
	})
}

func TestKeyUpdateIsFollowed(t *testing.T) {
	each13(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		old := server.in.key
		wire := client.record(cc, typeData, 'a')
		wire = append(wire, keyUpdate(client, cc, 0)...)
		wire = append(wire, client.record(cc, typeData, 'b')...)
		plain, _, reply, err := server.Open(sc, nil, wire)
		if err != nil || string(plain) != "ab" || reply != nil {
			t.Errorf("got %q, reply %x, %v", plain, reply, err)
		}
		if server.in.key == old || server.in.seq != 1 {
			t.Error("the key is still the old one")
		}
	})
}

func TestRequestedKeyUpdateIsAnsweredOnce(t *testing.T) {
	each13(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		var wire []byte
		for range 5 {
			wire = append(wire, keyUpdate(client, cc, 1)...)
		}
		_, _, reply, err := server.Open(sc, nil, wire)
		if err != nil {
			t.Fatal(err)
		}
		if server.out.epoch != 1 {
			t.Errorf("our key changed %d times, want once", server.out.epoch)
		}
		reply = bytes.Clone(reply)
		reply, _ = server.Seal(sc, reply, []byte("after"))
		plain, _, again, err := client.Open(cc, nil, reply)
		if err != nil || string(plain) != "after" || again != nil {
			t.Errorf("client got %q, owes %x, %v", plain, again, err)
		}
		if _, _, reply, _ := server.Open(sc, nil, client.record(cc, typeData, 'x')); reply != nil {
			t.Errorf("answered again: %x", reply)
		}
	})
}

// A KeyUpdate may be cut into records anywhere, and the wire into reads.
func TestKeyUpdateInPieces(t *testing.T) {
	server, client := twins(0)
	sc, cc := NewCache(1), NewCache(1)
	for _, b := range []byte{msgKeyUpdate, 0, 0, 1, 1} {
		if server.out.epoch != 0 {
			t.Fatal("answered before the end")
		}
		if _, _, _, err := server.Open(sc, nil, client.record(cc, typeHandshake, b)); err != nil {
			t.Fatal(err)
		}
	}
	client.out.update(client.suite())
	if plain, _, _, err := server.Open(sc, nil, client.record(cc, typeData, 'x')); string(plain) != "x" || err != nil {
		t.Errorf("got %q, %v", plain, err)
	}
	if server.out.epoch != 1 {
		t.Error("not answered")
	}
}

// stormOf counts the KeyUpdates the server takes, with a byte of data behind
// each if asked.
func stormOf(t *testing.T, data bool) int {
	server, client := twins(0)
	sc, cc := NewCache(1), NewCache(1)
	for n := range 10_000 {
		wire := keyUpdate(client, cc, 1)
		if data {
			wire = append(wire, client.record(cc, typeData, 'x')...)
		}
		if _, _, _, err := server.Open(sc, nil, wire); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Alert != UnexpectedMessage {
				t.Errorf("storm ended with %v", err)
			}
			return n
		}
	}
	return 10_000
}

func TestKeyUpdateStorm(t *testing.T) {
	if n := stormOf(t, false); n != maxIdle {
		t.Errorf("%d bare KeyUpdates were taken, want %d", n, maxIdle)
	}
	if n := stormOf(t, true); n != maxCredit {
		t.Errorf("%d KeyUpdates with data between were taken, want %d", n, maxCredit)
	}
}

// A client that uses its keys may change them for ever.
func TestKeyUpdatesInModeration(t *testing.T) {
	server, client := twins(0)
	sc, cc := NewCache(1), NewCache(1)
	for i := range 3 * maxCredit {
		wire := keyUpdate(client, cc, 0)
		for range recordsPerCredit {
			wire = append(wire, client.record(cc, typeData, 'x')...)
		}
		if _, _, _, err := server.Open(sc, nil, wire); err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
}

// Before the cipher has protected too much we change our key (RFC 8446 §5.5).
func TestOurKeyIsChangedBeforeItsLimit(t *testing.T) {
	each13(t, func(t *testing.T, server, client *conn) {
		sc := NewCache(1)
		server.out.seq, client.in.seq = maxRecords-1, maxRecords-1
		wire, _ := server.Seal(sc, nil, []byte("last"))
		wire, _ = server.Seal(sc, wire, []byte(", first"))
		if server.out.epoch != 1 || server.out.seq != 1 {
			t.Errorf("epoch %d, record %d of it", server.out.epoch, server.out.seq)
		}
		if plain, _, _, err := client.Open(NewCache(1), nil, wire); string(plain) != "last, first" || err != nil {
			t.Fatalf("client got %q, %v", plain, err)
		}
	})
}

// And we ask a client to change its key, if it does not by itself.
func TestClientIsAskedToChangeItsKey(t *testing.T) {
	each13(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		server.in.seq, client.out.seq = maxRecords-2, maxRecords-2
		for range 2 {
			if server.out.epoch != 0 {
				t.Error("asked too early")
			}
			_, _, reply, err := server.Open(sc, nil, client.record(cc, typeData, 'x'))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, reply, err = client.Open(cc, nil, bytes.Clone(reply)); err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := server.Open(sc, nil, bytes.Clone(reply)); err != nil {
				t.Fatal(err)
			}
		}
		if server.in.epoch != 1 || client.in.epoch != 1 {
			t.Errorf("keys changed %d and %d times, want once each", server.in.epoch, client.in.epoch)
		}
	})
}

func TestWornKeyOfTLS12(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		if server.suite().tls13() {
			return
		}
		c := NewCache(1)
		server.out.seq = maxRecords12
		_, err := server.Seal(c, nil, []byte("x"))
		if server.suite().chacha {
			if err != nil {
				t.Errorf("ChaCha20 has no such limit: %v", err)
			}
			return
		}
		if err != ErrWorn {
			t.Errorf("got %v, want ErrWorn", err)
		}
		if len(server.CloseNotify(c, nil)) == 0 {
			t.Error("cannot even say goodbye")
		}
	})
}

// After close_notify nothing goes out, an answer to a KeyUpdate neither.
func TestNothingFollowsCloseNotify(t *testing.T) {
	server, client := twins(0)
	sc, cc := NewCache(1), NewCache(1)
	if len(server.CloseNotify(sc, nil)) == 0 || len(server.CloseNotify(sc, nil)) != 0 {
		t.Error("close_notify not sent exactly once")
	}
	if _, _, reply, err := server.Open(sc, nil, keyUpdate(client, cc, 1)); reply != nil || err != nil {
		t.Errorf("reply %x, %v", reply, err)
	}
	if _, _, reply, _ := server.Open(sc, nil, []byte("garbage")); reply != nil {
		t.Errorf("alert %x", reply)
	}
}
