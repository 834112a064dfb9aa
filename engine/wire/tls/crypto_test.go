package tls

import (
	"bytes"
	ctls "crypto/tls"
	"io"
	"strings"
	"testing"
)

// kinds are all versions and suites, as a client of crypto/tls can ask for
// them. It cannot choose among those of TLS 1.3; openssl_test.go does.
func kinds(f func(name string, client *ctls.Config)) {
	f("TLS 1.3", clientConfig())
	for _, s := range suites {
		if !s.tls13() {
			f(ctls.CipherSuiteName(s.id), clientConfig(func(c *ctls.Config) {
				c.MaxVersion = ctls.VersionTLS12
				c.CipherSuites = []uint16{s.id}
			}))
		}
	}
}

func TestCryptoTLSClient(t *testing.T) {
	kinds(func(name string, cfg *ctls.Config) {
		t.Run(name, func(t *testing.T) {
			client, p := connect(t, newServer(), cfg)
			if got, want := p.conn.State().Suite, client.ConnectionState().CipherSuite; got != want {
				t.Errorf("suite %x, client says %x", got, want)
			}
			echo(t, client, p, 1, 100, maxPlain, maxPlain+1, 100_000)

			client.CloseWrite()
			if _, err := p.read(1); err != io.EOF {
				t.Errorf("after close_notify: %v, want EOF", err)
			}
			p.write([]byte("bye"))
			p.raw.Write(p.conn.CloseNotify(p.cache, nil))
			if b, err := io.ReadAll(client); string(b) != "bye" || err != nil {
				t.Errorf("client read %q, %v", b, err)
			}
			if _, err := p.conn.Seal(p.cache, nil, []byte("x")); err != ErrClosed {
				t.Errorf("Seal after CloseNotify: %v, want ErrClosed", err)
			}
		})
	})
}

// crypto/tls reads each alert that we send as what it is.
func TestClientReadsOurAlerts(t *testing.T) {
	kinds(func(name string, cfg *ctls.Config) {
		s := newServer()
		for a, says := range map[Alert]string{
			UnexpectedMessage: "unexpected message", BadRecordMAC: "bad record MAC",
			RecordOverflow: "record overflow", IllegalParameter: "illegal parameter",
			DecodeError: "error decoding message", ProtocolVersion: "protocol version",
			InternalError: "internal error",
		} {
			client, p := connect(t, s, cfg)
			p.raw.Write(p.conn.(*conn).giveUp(p.cache, fail(a, "test")))
			if _, err := client.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: client says %v, want %q", name, err, says)
			}
		}
	})
}

// And we read those that it sends: here, that our certificate is not trusted.
func TestClientDoesNotTrustUs(t *testing.T) {
	for _, version := range []uint16{ctls.VersionTLS12, ctls.VersionTLS13} {
		raw, serverRaw := sockets(t)
		go ctls.Client(raw, &ctls.Config{ServerName: "test", MaxVersion: version}).Handshake()
		if _, err := accept(t, newServer(), serverRaw); err == nil || !strings.Contains(err.Error(), "bad certificate") {
			t.Errorf("version %x: got %v", version, err)
		}
	}
}

// echo sends n bytes there and back, for each n.
func echo(t *testing.T, client io.ReadWriter, p *peer, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		want := bytes.Repeat([]byte("meerkat"), n/7+1)[:n]
		go client.Write(want)
		got, err := p.read(n)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: server read %d, %v", n, len(got), err)
		}
		go p.write(got)
		back := make([]byte, n)
		if _, err := io.ReadFull(client, back); err != nil || !bytes.Equal(back, want) {
			t.Fatalf("%d bytes came back wrong: %v", n, err)
		}
	}
}
