package tls

import (
	"bytes"
	"crypto/rand"
	ctls "crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"testing"
	"unique"
)

// twins returns a session of suite i and its client: the same layer with the
// directions exchanged. That the layer agrees with others is for the tests
// against crypto/tls and OpenSSL to say.
func twins(i int) (server, client *conn) {
	k := &conn{suiteIdx: uint8(i), credit: maxCredit, agreed: unique.Make(agreed{})}
	for _, h := range []*half{&k.in, &k.out} {
		if k.suite().tls13() {
			secret := make([]byte, k.suite().hash().Size())
			rand.Read(secret)
			h.setSecret(k.suite(), secret)
		} else {
			rand.Read(h.key[:k.suite().keyLen])
			rand.Read(h.iv[:k.suite().saltIV])
			h.seq = 1
		}
	}
	c := *k
	c.in, c.out = k.out, k.in
	return k, &c
}

func eachSuite(t *testing.T, f func(t *testing.T, server, client *conn)) {
	for i := range suites {
		t.Run(ctls.CipherSuiteName(suites[i].id), func(t *testing.T) {
			server, client := twins(i)
			f(t, server, client)
		})
	}
}

// sealInner seals any TLSInnerPlaintext, type and padding included (TLS 1.3).
func (k *conn) sealInner(c *Cache, outer byte, inner []byte) []byte {
	aead, err := c.sealer(k)
	if err != nil {
		panic(err)
	}
	c.setNonce(&k.out)
	k.out.seq++
	head := appendHeader(nil, outer, len(inner)+tagLen)
	return aead.Seal(head, c.nonce[:], inner, bytes.Clone(head))
}

// record seals one record of the client's.
func (k *conn) record(c *Cache, typ byte, content ...byte) []byte {
	b, err := k.sealRecord(c, nil, typ, content)
	if err != nil {
		panic(err)
	}
	return b
}

func TestSealedIsOpened(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		var want, wire []byte
		for _, n := range []int{0, 1, 15, 16, 17, 1000, maxPlain - 1, maxPlain, maxPlain + 1, 3*maxPlain + 5} {
			b := make([]byte, n)
			rand.Read(b)
			want = append(want, b...)
			wire, _ = client.Seal(cc, wire, b)
		}
		prefix := []byte("kept")
		got, n, reply, err := server.Open(sc, bytes.Clone(prefix), wire)
		if err != nil || n != len(wire) || reply != nil {
			t.Fatalf("Open used %d of %d, reply %x, %v", n, len(wire), reply, err)
		}
		if !bytes.Equal(got, append(prefix, want...)) {
			t.Error("other bytes came out than went in")
		}
	})
}

// However the wire cuts the records, the same comes out.
func TestAnySplitOpensAlike(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		sc, cc := NewCache(1), NewCache(1)
		rnd := mrand.New(mrand.NewPCG(1, uint64(server.suiteIdx)))
		var want, wire, got, kept []byte
		for i := range 200 {
			b := bytes.Repeat([]byte{byte(i)}, 1+rnd.IntN(300))
			want = append(want, b...)
			wire, _ = client.Seal(cc, wire, b)
		}
		for len(wire) > 0 {
			cut := min(len(wire), 1+rnd.IntN(200))
			kept = append(kept, wire[:cut]...)
			wire = wire[cut:]
			var n int
			var err error
			if got, n, _, err = server.Open(sc, got, kept); err != nil {
				t.Fatal(err)
			}
			kept = kept[n:]
		}
		if !bytes.Equal(got, want) || len(kept) > 0 {
			t.Errorf("got %d bytes, want %d, %d kept", len(got), len(want), len(kept))
		}
	})
}

// A bad record ends the session with bad_record_mac, whatever was done to it.
func TestDamagedRecords(t *testing.T) {
	cases := map[string]func(recs [][]byte) [][]byte{
		"body flipped": func(r [][]byte) [][]byte { r[0][12] ^= 1; return r },
		"tag flipped":  func(r [][]byte) [][]byte { r[0][len(r[0])-1] ^= 0x80; return r },
		"reordered":    func(r [][]byte) [][]byte { return [][]byte{r[1], r[0]} },
		"first lost":   func(r [][]byte) [][]byte { return r[1:] },
		"empty body":   func(r [][]byte) [][]byte { return [][]byte{{typeData, 3, 3, 0, 0}} },
		"shorter than a tag": func(r [][]byte) [][]byte {
			return [][]byte{append([]byte{typeData, 3, 3, 0, 15}, make([]byte, 15)...)}
		},
		"shorter than nonce and tag": func(r [][]byte) [][]byte {
			return [][]byte{append([]byte{typeData, 3, 3, 0, 23}, make([]byte, 23)...)}
		},
		"truncated": func(r [][]byte) [][]byte {
			binary.BigEndian.PutUint16(r[0][3:], uint16(len(r[0])-headerLen-1))
			return [][]byte{r[0][:len(r[0])-1]}
		},
		"lengthened": func(r [][]byte) [][]byte {
			binary.BigEndian.PutUint16(r[0][3:], uint16(len(r[0])-headerLen+1))
			return [][]byte{append(bytes.Clone(r[0]), 0)}
		},
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			eachSuite(t, func(t *testing.T, server, client *conn) {
				cc := NewCache(1)
				recs := [][]byte{client.record(cc, typeData, []byte("one record")...),
					client.record(cc, typeData, []byte("another")...)}
				wantAlert(t, server, client, bytes.Join(damage(recs), nil), BadRecordMAC)
			})
		})
	}
}

func TestDuplicatedRecord(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		rec := client.record(NewCache(1), typeData, 'x')
		plain := wantAlert(t, server, client, append(bytes.Clone(rec), rec...), BadRecordMAC)
		if string(plain) != "x" {
			t.Errorf("the first came out as %q", plain)
		}
	})
}

// wantAlert opens wire, wants it to end in alert a, and the client to read that
// alert. It returns the plain text before it.
func wantAlert(t *testing.T, server, client *conn, wire []byte, a Alert) []byte {
	t.Helper()
	c := NewCache(2)
	plain, _, reply, err := server.Open(c, nil, wire)
	var e *Error
	if !errors.As(err, &e) || e.Remote || e.Alert != a {
		t.Fatalf("got %v, want alert %v", err, a)
	}
	_, n, _, err := client.Open(NewCache(1), nil, bytes.Clone(reply))
	if !errors.As(err, &e) || !e.Remote || e.Alert != a {
		if a != NoRenegotiation || n != len(reply) { // that is a warning in TLS 1.2
			t.Fatalf("client read %v from the reply, want alert %v", err, a)
		}
	}
	if _, _, reply, err := server.Open(c, nil, wire); err != ErrClosed || reply != nil {
		t.Errorf("Open after it: %x, %v, want ErrClosed", reply, err)
	}
	if b, err := server.Seal(c, nil, []byte("x")); err != ErrClosed || len(b) > 0 {
		t.Errorf("Seal after it: %x, %v, want ErrClosed", b, err)
	}
	if b := server.CloseNotify(c, nil); len(b) > 0 {
		t.Errorf("CloseNotify after it: %x", b)
	}
	return plain
}

// inner is a TLSInnerPlaintext.
func inner(typ byte, pad int, content ...byte) []byte {
	return append(append(content, typ), make([]byte, pad)...)
}

// TestRules13 walks RFC 8446 §5 and §4.6.3: what a client may not send, and
// which alert answers it.
func TestRules13(t *testing.T) {
	zeros := func(n int) []byte { return make([]byte, n) }
	head := func(typ byte, n int) []byte { return appendHeader(nil, typ, n) }
	seal := func(inners ...[]byte) func(*conn, *Cache) []byte {
		return func(k *conn, c *Cache) (b []byte) {
			for _, in := range inners {
				b = append(b, k.sealInner(c, typeData, in)...)
			}
			return b
		}
	}
	raw := func(b []byte) func(*conn, *Cache) []byte { return func(*conn, *Cache) []byte { return b } }
	ku := func(request byte) []byte { return inner(typeHandshake, 0, msgKeyUpdate, 0, 0, 1, request) }
	for _, r := range []struct {
		name string
		wire func(*conn, *Cache) []byte
		want Alert
	}{
		{"too long, by its header alone", raw(head(typeData, maxCipher+1)), RecordOverflow},
		{"content of 2^14+1", seal(inner(typeData, 0, zeros(maxPlain+1)...)), RecordOverflow},
		{"padding over 2^14+1", seal(inner(typeData, maxPlain, 'x')), RecordOverflow},
		{"nothing but padding", seal(zeros(100)), UnexpectedMessage},
		{"no inner type at all", seal(nil), UnexpectedMessage},
		{"change_cipher_spec", raw([]byte{typeCCS, 3, 3, 0, 1, 1}), UnexpectedMessage},
		{"protected change_cipher_spec", seal(inner(typeCCS, 0, 1)), UnexpectedMessage},
		{"alert in clear", raw([]byte{typeAlert, 3, 3, 0, 2, 1, 0}), UnexpectedMessage},
		{"handshake in clear", raw(head(typeHandshake, 5)), UnexpectedMessage},
		{"heartbeat in clear", raw(head(24, 5)), UnexpectedMessage},
		{"protected heartbeat", seal(inner(24, 0, 1, 0, 0)), UnexpectedMessage},
		{"unknown inner type", seal(inner(99, 0, 1, 2)), UnexpectedMessage},
		{"outer type handshake", func(k *conn, c *Cache) []byte {
			return k.sealInner(c, typeHandshake, inner(typeData, 0, 'x'))
		}, UnexpectedMessage},
		{"empty handshake record", seal(inner(typeHandshake, 0)), UnexpectedMessage},
		{"ClientHello", seal(inner(typeHandshake, 0, 1, 0, 0, 2, 3, 3)), UnexpectedMessage},
		{"NewSessionTicket", seal(inner(typeHandshake, 0, 4, 0, 0, 1, 0)), UnexpectedMessage},
		{"EndOfEarlyData", seal(inner(typeHandshake, 0, 5, 0, 0, 0)), UnexpectedMessage},
		{"Certificate", seal(inner(typeHandshake, 0, 11, 0, 0, 1, 0)), UnexpectedMessage},
		{"CertificateVerify", seal(inner(typeHandshake, 0, 15, 0, 0, 1, 0)), UnexpectedMessage},
		{"Finished", seal(inner(typeHandshake, 0, 20, 0, 0, 1, 0)), UnexpectedMessage},
		{"KeyUpdate asks 2", seal(ku(2)), IllegalParameter},
		{"KeyUpdate asks 255", seal(ku(255)), IllegalParameter},
		{"KeyUpdate of no bytes", seal(inner(typeHandshake, 0, msgKeyUpdate, 0, 0, 0)), DecodeError},
		{"KeyUpdate of two bytes", seal(inner(typeHandshake, 0, msgKeyUpdate, 0, 0, 2, 0, 0)), DecodeError},
		{"KeyUpdate of 16 MB", seal(inner(typeHandshake, 0, msgKeyUpdate, 255, 255, 255)), DecodeError},
		{"two KeyUpdates in a record", seal(inner(typeHandshake, 0, msgKeyUpdate, 0, 0, 1, 0, msgKeyUpdate, 0, 0, 1, 0)), UnexpectedMessage},
		{"one byte behind a KeyUpdate", seal(inner(typeHandshake, 0, msgKeyUpdate, 0, 0, 1, 0, msgKeyUpdate)), UnexpectedMessage},
		{"record under the old key", seal(ku(0), inner(typeData, 0, 'x')), BadRecordMAC},
		{"data inside a KeyUpdate", seal(inner(typeHandshake, 0, msgKeyUpdate, 0), inner(typeData, 0, 'x')), UnexpectedMessage},
		{"empty data inside a KeyUpdate", seal(inner(typeHandshake, 0, msgKeyUpdate, 0), inner(typeData, 0)), UnexpectedMessage},
		{"alert inside a KeyUpdate", seal(inner(typeHandshake, 0, msgKeyUpdate, 0), inner(typeAlert, 0, 1, 0)), UnexpectedMessage},
		{"empty alert", seal(inner(typeAlert, 0)), UnexpectedMessage},
		{"half an alert", seal(inner(typeAlert, 0, 1)), DecodeError},
		{"an alert and a half", seal(inner(typeAlert, 0, 1, 0, 1)), DecodeError},
		{"two alerts", seal(inner(typeAlert, 0, 1, 90, 1, 0)), DecodeError},
		{"empty data, once too often", seal(repeat(maxIdle+1, inner(typeData, 7))...), UnexpectedMessage},
		{"user_canceled, once too often", seal(repeat(maxIdle+1, inner(typeAlert, 0, 1, 90))...), UnexpectedMessage},
	} {
		for i := range suites {
			if suites[i].tls13() {
				t.Run(fmt.Sprintf("%s/%s", r.name, ctls.CipherSuiteName(suites[i].id)), func(t *testing.T) {
					server, client := twins(i)
					wantAlert(t, server, client, r.wire(client, NewCache(1)), r.want)
				})
			}
		}
	}
}

func repeat(n int, b []byte) (all [][]byte) {
	for range n {
		all = append(all, b)
	}
	return all
}

// TestRules12 is the same for TLS 1.2 (RFC 5246 §6.2, §7.2, RFC 5746 §4.5).
func TestRules12(t *testing.T) {
	type record struct {
		typ     byte
		content []byte
	}
	for _, r := range []struct {
		name string
		send []record
		want Alert
	}{
		{"content of 2^14+1", []record{{typeData, make([]byte, maxPlain+1)}}, RecordOverflow},
		{"change_cipher_spec", []record{{typeCCS, []byte{1}}}, UnexpectedMessage},
		{"heartbeat", []record{{24, []byte{1, 0, 0}}}, UnexpectedMessage},
		{"renegotiation", []record{{typeHandshake, []byte{1, 0, 0, 0}}}, NoRenegotiation},
		{"Finished", []record{{typeHandshake, []byte{20, 0, 0, 0}}}, UnexpectedMessage},
		{"empty handshake record", []record{{typeHandshake, nil}}, UnexpectedMessage},
		{"empty alert", []record{{typeAlert, nil}}, UnexpectedMessage},
		{"half an alert", []record{{typeAlert, []byte{1}}}, DecodeError},
		{"alert of level 0", []record{{typeAlert, []byte{0, 40}}}, IllegalParameter},
		{"alert of level 3", []record{{typeAlert, []byte{3, 40}}}, IllegalParameter},
	} {
		for i := range suites {
			if !suites[i].tls13() {
				t.Run(fmt.Sprintf("%s/%s", r.name, ctls.CipherSuiteName(suites[i].id)), func(t *testing.T) {
					server, client := twins(i)
					var wire []byte
					for _, rec := range r.send {
						wire = append(wire, client.record(NewCache(1), rec.typ, rec.content...)...)
					}
					wantAlert(t, server, client, wire, r.want)
				})
			}
		}
	}
	for name, wire := range map[string][]byte{
		"TLS 1.0": {typeData, 3, 1, 0, 40}, "TLS 1.3": {typeData, 3, 4, 0, 40}, "SSL 2": {typeData, 2, 0, 0, 40},
	} {
		t.Run("version "+name, func(t *testing.T) {
			server, client := twins(4)
			wantAlert(t, server, client, wire, ProtocolVersion)
		})
	}
	t.Run("too long, by its header alone", func(t *testing.T) {
		server, client := twins(4)
		wantAlert(t, server, client, appendHeader(nil, typeData, maxCipher2+1), RecordOverflow)
	})
}

// Every alert a client can send, at both levels.
func TestReceivedAlerts(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		for a := range 256 {
			for level := byte(1); level <= 2; level++ {
				s, c := *server, *client
				wire := c.record(NewCache(1), typeAlert, level, byte(a))
				if Alert(a) == CloseNotify {
					wire = append(wire, "ignored"...)
				}
				_, n, reply, err := s.Open(NewCache(1), nil, wire)
				if reply != nil {
					t.Errorf("alert %d was answered with %x", a, reply)
				}
				warning := !s.suite().tls13() && level == 1 || Alert(a) == UserCanceled
				var e *Error
				switch {
				case Alert(a) == CloseNotify:
					if err != io.EOF || n != len(wire) {
						t.Errorf("close_notify: %v after %d bytes", err, n)
					}
				case warning:
					if err != nil {
						t.Errorf("warning %d ended the session: %v", a, err)
					}
				case !errors.As(err, &e) || !e.Remote || e.Alert != Alert(a):
					t.Errorf("alert %d: %v", a, err)
				}
			}
		}
	})
}

func TestPaddingIsStripped(t *testing.T) {
	server, client := twins(0)
	c, cc := NewCache(1), NewCache(1)
	var wire []byte
	for _, pad := range []int{0, 1, 255, maxPlain - 3} {
		wire = append(wire, client.sealInner(cc, typeData, inner(typeData, pad, 'a', 0, 0))...)
	}
	plain, _, _, err := server.Open(c, nil, wire)
	if want := bytes.Repeat([]byte{'a', 0, 0}, 4); err != nil || !bytes.Equal(plain, want) {
		t.Errorf("got %x, %v, want %x", plain, err, want)
	}
}

func TestEmptyRecordsInModerationAreIgnored(t *testing.T) {
	server, client := twins(0)
	c, cc := NewCache(1), NewCache(1)
	for round := range 10 {
		var wire []byte
		for range maxIdle {
			wire = append(wire, client.record(cc, typeData)...)
		}
		wire = append(wire, client.record(cc, typeData, 'x')...)
		if plain, _, _, err := server.Open(c, nil, wire); err != nil || string(plain) != "x" {
			t.Fatalf("round %d: %q, %v", round, plain, err)
		}
	}
}

// The outer version of TLS 1.3 is to be ignored (RFC 8446 §5.1), though the
// cipher covers it.
func TestOuterVersionIsIgnored(t *testing.T) {
	server, client := twins(0)
	c := NewCache(1)
	aead, _ := c.sealer(client)
	c.setNonce(&client.out)
	head := []byte{typeData, 3, 1, 0, 2 + tagLen}
	wire := aead.Seal(bytes.Clone(head), c.nonce[:], []byte{'x', typeData}, head)
	if plain, _, _, err := server.Open(NewCache(1), nil, wire); err != nil || string(plain) != "x" {
		t.Errorf("got %q, %v", plain, err)
	}
}

func TestWipe(t *testing.T) {
	eachSuite(t, func(t *testing.T, server, client *conn) {
		c := NewCache(1)
		wire := client.record(NewCache(1), typeData, 'x')
		server.Open(c, nil, wire)
		rand.Read(server.exporter[:])
		c.Forget(server)
		server.Wipe()
		if server.in != (half{}) || server.out != (half{}) || server.exporter != [32]byte{} {
			t.Error("secrets are left")
		}
		if c.slots[0] != (slot{}) {
			t.Error("ciphers are left in the cache")
		}
		if _, _, _, err := server.Open(c, nil, wire); err != ErrClosed {
			t.Errorf("Open: %v, want ErrClosed", err)
		}
		if out, err := server.Seal(c, nil, []byte("x")); err != ErrClosed || out != nil {
			t.Errorf("Seal: %x, %v, want ErrClosed", out, err)
		}
	})
}

func TestErrorsNameTheAlert(t *testing.T) {
	if got, want := fail(BadRecordMAC, "why").Error(), "tls: why (alert bad_record_mac)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Error{Alert: 77, Remote: true}).Error(), "tls: client sent alert alert_77"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
