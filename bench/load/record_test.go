package load

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// certificate makes a self-signed one.
func certificate(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshakeOver runs a client handshake over nc and gives the session and the
// bytes behind it.
func handshakeOver(t *testing.T, nc net.Conn) (*session, []byte) {
	posted := make(chan func(), 16)
	h := &handshake{post: func(f func()) { posted <- f }, send: func(b []byte) { nc.Write(b) }}
	var s *session
	var rest []byte
	done := false
	h.start("localhost", nil, func(got *session, r []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		s, rest, done = got, r, true
	})
	read := make(chan []byte)
	go func() {
		for {
			b := make([]byte, 1000)
			n, err := nc.Read(b)
			if err != nil {
				return
			}
			read <- b[:n]
		}
	}()
	for !done {
		select {
		case f := <-posted:
			f()
		case b := <-read:
			if err := h.feed(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Whatever the reader above still gets goes to a pipe of its own.
	go func() {
		for b := range read {
			extra <- b
		}
	}()
	return s, rest
}

var extra = make(chan []byte, 1000)

// crypto/tls as a server reads what the session seals and the other way round,
// data that comes in the same flight as the handshake's end included.
func TestSessionAgainstCryptoTLS(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cert := certificate(t)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		srv := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})
		srv.Write([]byte("early "))
		io.Copy(srv, srv)
		srv.Close()
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s, in := handshakeOver(t, nc)
	cs := make(ciphers, 1)
	want := append([]byte("early "), bytes.Repeat([]byte("0123456789"), 5000)...)
	if _, err := nc.Write(s.seal(cs.of(0, s), nil, want[6:])); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < len(want) {
		select {
		case b := <-extra:
			in = append(in, b...)
		case <-time.After(5 * time.Second):
			t.Fatalf("%d bytes came back, want %d", len(got), len(want))
		}
		n := 0
		if got, n, err = s.open(cs.of(0, s), got, in); err != nil {
			t.Fatal(err)
		}
		in = in[n:]
	}
	if !bytes.Equal(got, want) {
		t.Error("the echo is not what was sent")
	}
}

// pair makes both ends of one connection.
func pair(t testing.TB, suite uint16) (a, b *session) {
	up, down := make([]byte, suites[suite].hash().Size()), make([]byte, suites[suite].hash().Size())
	rand.Read(up)
	rand.Read(down)
	a, err := newSession(suite, down, up)
	if err != nil {
		t.Fatal(err)
	}
	b, err = newSession(suite, up, down)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// Each end follows the other's KeyUpdate and answers it once.
func TestSessionKeyUpdate(t *testing.T) {
	for suite := range suites {
		a, b := pair(t, suite)
		cs := make(ciphers, 2)
		b.keyUpdate = true // as if a had asked: b tells and moves on
		for range 3 {
			sealed := b.seal(cs.of(1, b), nil, []byte("hello"))
			got, n, err := a.open(cs.of(0, a), nil, sealed)
			if err != nil || n != len(sealed) || string(got) != "hello" {
				t.Fatalf("%s: got %q, %d of %d bytes, %v", tls.CipherSuiteName(suite), got, n, len(sealed), err)
			}
		}
	}
}

func TestSessionRefusesDamage(t *testing.T) {
	a, b := pair(t, tls.TLS_AES_128_GCM_SHA256)
	cs := make(ciphers, 2)
	sealed := b.seal(cs.of(1, b), nil, []byte("hello"))
	sealed[len(sealed)-1] ^= 1
	if got, _, err := a.open(cs.of(0, a), nil, sealed); err == nil || len(got) > 0 {
		t.Errorf("got %q, error %v, want nothing and an error", got, err)
	}
}
