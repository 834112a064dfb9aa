package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"mellium.im/sasl"
)

// A client that others wrote, over a real TLS 1.3 connection where it binds.
func TestMelliumLogsIn(t *testing.T) {
	v := newServer(t)
	theirs, ours := handshake(t)
	exporter, err := ours.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32) // RFC 9266 §4
	if err != nil {
		t.Fatal(err)
	}
	b := Binding{TLS: true, Exporter: exporter, EndPoint: endPoint}
	for _, m := range []sasl.Mechanism{sasl.Plain, sasl.ScramSha1, sasl.ScramSha256, sasl.ScramSha1Plus, sasl.ScramSha256Plus} {
		f := func(name, pass string) error {
			t.Helper()
			c := sasl.NewClient(m, sasl.TLSState(theirs), sasl.RemoteMechanisms(v.Offer(b)...),
				sasl.Credentials(func() (user, password, identity []byte) { return []byte(name), []byte(pass), nil }))
			x, err := v.Start(m.Name, b, host)
			if err != nil {
				t.Fatal(err)
			}
			return converse(t, c, x)
		}
		if err := f("romeo", "pencil"); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		wantCondition(t, m.Name+" with a wrong password", f("romeo", "pen"), NotAuthorized)
		wantCondition(t, m.Name+" as nobody", f("nobody", "pencil"), NotAuthorized)
		wantCondition(t, m.Name+" with escapes", f("ro,me=o", "pencil"), NotAuthorized)
	}
}

// converse lets the two talk until the server has decided, and checks that the
// client accepts what the server proves.
func converse(t *testing.T, c *sasl.Negotiator, x *Exchange) error {
	t.Helper()
	var said []byte
	for range 4 {
		_, answer, err := c.Step(said)
		if err != nil {
			t.Fatalf("%s: the client refuses %q: %v", x.Mechanism(), said, err)
		}
		var done bool
		if said, done, err = x.Step(answer); err != nil {
			return err
		}
		if !done {
			continue
		}
		if x.User() != address("romeo") {
			t.Errorf("%s: user %q", x.Mechanism(), x.User())
		}
		if len(said) > 0 {
			if more, _, err := c.Step(said); more || err != nil {
				t.Errorf("%s: the client refuses our proof %q: %v", x.Mechanism(), said, err)
			}
		}
		return nil
	}
	t.Fatalf("%s: no end after 4 steps", x.Mechanism())
	return nil
}

// handshake returns both sides' state of one TLS 1.3 connection.
func handshake(t *testing.T) (client, server tls.ConnectionState) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	cl := tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	srv := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true})
	failed := make(chan error, 1)
	go func() { failed <- cl.Handshake() }()
	if err := srv.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return cl.ConnectionState(), srv.ConnectionState()
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
