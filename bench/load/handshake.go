package load

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"time"
)

// A handshake runs crypto/tls's client over memory, in the only goroutine that
// a client ever has; it ends with the handshake, and a session takes over.
type handshake struct {
	in     chan []byte  // from the loop: bytes of the server
	left   []byte       // of in, not yet read
	record int          // bytes left of the record being read
	post   func(func()) // runs a function on the loop
	send   func([]byte) // on the loop
	keys   secrets
}

// secrets collects what crypto/tls writes to a key log (the traffic secrets of
// RFC 8446 section 7.1, in the NSS format).
type secrets struct{ client, server []byte }

// Write takes one line: label, client random, secret.
func (s *secrets) Write(line []byte) (int, error) {
	f := bytes.Fields(line)
	if len(f) != 3 {
		return len(line), nil
	}
	secret, err := hex.DecodeString(string(f[2]))
	switch string(f[0]) {
	case "CLIENT_TRAFFIC_SECRET_0":
		s.client = secret
	case "SERVER_TRAFFIC_SECRET_0":
		s.server = secret
	}
	return len(line), err
}

// start begins the handshake; done is run on the loop with the session and the
// bytes of the server that lie behind the handshake.
func (h *handshake) start(domain string, alpn []string, done func(*session, []byte, error)) {
	h.in = make(chan []byte, 64)
	conn := tls.Client(h, &tls.Config{
		ServerName:         domain,
		InsecureSkipVerify: true, // the load is what counts, and test certificates are self-signed
		MinVersion:         tls.VersionTLS13,
		NextProtos:         alpn,
		CurvePreferences:   []tls.CurveID{tls.X25519}, // what every server under test has
		KeyLogWriter:       &h.keys,
	})
	go func() {
		err := conn.Handshake()
		var s *session
		if err == nil {
			s, err = newSession(conn.ConnectionState().CipherSuite, h.keys.server, h.keys.client)
		}
		h.post(func() { done(s, h.rest(), err) })
	}()
}

// feed gives the handshake bytes of the server, copied. Called on the loop.
func (h *handshake) feed(b []byte) error {
	select {
	case h.in <- bytes.Clone(b):
		return nil
	default:
		return errors.New("load: the server's handshake has no end")
	}
}

// abort ends the goroutine if the connection is gone. Called on the loop, at
// most once.
func (h *handshake) abort() { close(h.in) }

// rest is what the server sent and crypto/tls did not read.
func (h *handshake) rest() []byte {
	for {
		select {
		case b, ok := <-h.in:
			if !ok {
				return h.left
			}
			h.left = append(h.left, b...)
		default:
			return h.left
		}
	}
}

// Read never gives more than the record that crypto/tls is reading, so that
// records behind the handshake are left for the session.
func (h *handshake) Read(p []byte) (int, error) {
	for len(h.left) == 0 || h.record == 0 && len(h.left) < recordHeader {
		b, ok := <-h.in
		if !ok {
			return 0, net.ErrClosed
		}
		h.left = append(h.left, b...)
	}
	if h.record == 0 {
		h.record = recordHeader + int(binary.BigEndian.Uint16(h.left[3:]))
	}
	n := copy(p[:min(len(p), h.record)], h.left)
	h.left = h.left[n:]
	h.record -= n
	return n, nil
}

func (h *handshake) Write(p []byte) (int, error) {
	b := bytes.Clone(p)
	h.post(func() { h.send(b) })
	return len(p), nil
}

// The rest of net.Conn; crypto/tls's handshake asks for none of it.

func (h *handshake) Close() error                     { return nil }
func (h *handshake) LocalAddr() net.Addr              { return nil }
func (h *handshake) RemoteAddr() net.Addr             { return nil }
func (h *handshake) SetDeadline(time.Time) error      { return nil }
func (h *handshake) SetReadDeadline(time.Time) error  { return nil }
func (h *handshake) SetWriteDeadline(time.Time) error { return nil }
