package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	ctls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// peer is the server's end of a connection in a test: what a loop does for it.
type peer struct {
	tb    testing.TB
	raw   net.Conn
	conn  Conn
	cache *Cache
	rest  []byte // undecrypted
}

var (
	ecdsaCert = sync.OnceValue(func() ctls.Certificate {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return selfSigned(key, x509.ECDSAWithSHA256)
	})
	rsaCert = sync.OnceValue(func() ctls.Certificate {
		key, _ := rsa.GenerateKey(rand.Reader, 2048)
		return selfSigned(key, x509.SHA384WithRSA)
	})
)

func selfSigned(key crypto.Signer, alg x509.SignatureAlgorithm) ctls.Certificate {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		DNSNames:  []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		SignatureAlgorithm: alg,
		KeyUsage:           x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return ctls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func serverConfig(change ...func(*ctls.Config)) *ctls.Config {
	cfg := &ctls.Config{Certificates: []ctls.Certificate{ecdsaCert(), rsaCert()}}
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

func newServer(change ...func(*ctls.Config)) *Server {
	cfg := serverConfig(change...)
	return NewServer(func() *ctls.Config { return cfg }, 2)
}

func clientConfig(change ...func(*ctls.Config)) *ctls.Config {
	cfg := &ctls.Config{InsecureSkipVerify: true, ServerName: "test"}
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

// sockets returns both ends of a connection on loopback.
func sockets(tb testing.TB) (client, server net.Conn) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn)
	go func() {
		c, _ := ln.Accept()
		accepted <- c
	}()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	server = <-accepted
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		tb.Cleanup(func() { c.Close() })
	}
	return client, server
}

// accept drives a handshake on raw to its end.
func accept(tb testing.TB, s *Server, raw net.Conn) (*peer, error) {
	p := &peer{tb: tb, raw: raw, cache: NewCache(4)}
	ready := make(chan struct{}, 16)
	h := s.Handshake(func(*Handshake) { ready <- struct{}{} })
	input := make(chan []byte)
	stop := make(chan struct{})
	go func() {
		defer close(input)
		for {
			b := make([]byte, 1500)
			n, err := raw.Read(b)
			if err != nil {
				return
			}
			select {
			case input <- b[:n]:
			case <-stop:
				return
			}
		}
	}()
	defer func() { // the reader ends, and the bytes it has are ours
		raw.SetReadDeadline(time.Unix(1, 0))
		for b := range input {
			p.rest = append(p.rest, b...)
		}
		close(stop)
		raw.SetReadDeadline(time.Now().Add(20 * time.Second))
	}()
	for {
		select {
		case b, ok := <-input:
			if !ok {
				h.Abort()
				return p, io.ErrUnexpectedEOF
			}
			h.Feed(b)
		case <-ready:
			out, done, conn, rest, err := h.Take(nil)
			if _, werr := raw.Write(out); werr != nil {
				tb.Log(werr)
			}
			if done {
				p.conn, p.rest = conn, rest
				return p, err
			}
		}
	}
}

// connect makes a session between crypto/tls and ours.
func connect(tb testing.TB, s *Server, cfg *ctls.Config) (*ctls.Conn, *peer) {
	tb.Helper()
	raw, serverRaw := sockets(tb)
	client := ctls.Client(raw, cfg)
	clientErr := make(chan error, 1)
	go func() { clientErr <- client.Handshake() }()
	p, err := accept(tb, s, serverRaw)
	if err != nil {
		tb.Fatalf("server: %v; client: %v", err, <-clientErr)
	}
	if err := <-clientErr; err != nil {
		tb.Fatalf("client: %v", err)
	}
	return client, p
}

// read returns the plain text of at least n bytes, or less with an error.
func (p *peer) read(n int) (plain []byte, err error) {
	for {
		var used int
		var reply []byte
		plain, used, reply, err = p.conn.Open(p.cache, plain, p.rest)
		p.rest = p.rest[used:]
		p.raw.Write(reply)
		if err != nil || len(plain) >= n {
			return plain, err
		}
		b := make([]byte, 32<<10)
		got, err := p.raw.Read(b)
		if err != nil {
			return plain, err
		}
		p.rest = append(p.rest, b[:got]...)
	}
}

func (p *peer) write(b []byte) {
	p.tb.Helper()
	out, err := p.conn.Seal(p.cache, nil, b)
	if err != nil {
		p.tb.Fatal(err)
	}
	if _, err := p.raw.Write(out); err != nil {
		p.tb.Fatal(err)
	}
}
