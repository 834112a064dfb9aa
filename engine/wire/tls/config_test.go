package tls

import (
	ctls "crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
)

// All that a config may ask for works as in crypto/tls.
func TestConfigs(t *testing.T) {
	cert := ecdsaCert()
	t.Run("HelloRetryRequest", func(t *testing.T) {
		s := newServer(func(c *ctls.Config) { c.CurvePreferences = []ctls.CurveID{ctls.CurveP384} })
		client, p := connect(t, s, clientConfig(func(c *ctls.Config) {
			c.CurvePreferences = []ctls.CurveID{ctls.X25519, ctls.CurveP384}
		}))
		if !client.ConnectionState().HelloRetryRequest {
			t.Fatal("there was none")
		}
		echo(t, client, p, 100)
	})
	t.Run("client certificate", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AddCert(cert.Leaf)
		for _, version := range []uint16{ctls.VersionTLS12, ctls.VersionTLS13} {
			s := newServer(func(c *ctls.Config) {
				c.ClientAuth = ctls.RequireAndVerifyClientCert
				c.ClientCAs = pool
			})
			client, p := connect(t, s, clientConfig(func(c *ctls.Config) {
				c.Certificates = []ctls.Certificate{cert}
				c.MaxVersion = version
			}))
			st := p.conn.State()
			if !st.Verified || len(st.PeerCertificates) != 1 || !st.PeerCertificates[0].Equal(cert.Leaf) {
				t.Errorf("state %+v", st)
			}
			echo(t, client, p, 100)
		}
	})
	t.Run("GetConfigForClient", func(t *testing.T) {
		s := newServer(func(c *ctls.Config) {
			c.GetConfigForClient = func(hello *ctls.ClientHelloInfo) (*ctls.Config, error) {
				return serverConfig(func(c *ctls.Config) { c.NextProtos = []string{hello.ServerName} }), nil
			}
		})
		client, p := connect(t, s, clientConfig(func(c *ctls.Config) { c.NextProtos = []string{"test"} }))
		if st := p.conn.State(); st.ALPN != "test" || st.ServerName != "test" {
			t.Errorf("state %+v", st)
		}
		echo(t, client, p, 100)
	})
	t.Run("GetCertificate", func(t *testing.T) {
		s := newServer(func(c *ctls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(*ctls.ClientHelloInfo) (*ctls.Certificate, error) { return &cert, nil }
		})
		_, p := connect(t, s, clientConfig())
		if !p.conn.State().Certificate.Equal(cert.Leaf) {
			t.Error("another certificate")
		}
	})
	t.Run("no certificate", func(t *testing.T) {
		s := newServer(func(c *ctls.Config) { c.Certificates = nil })
		raw, serverRaw := sockets(t)
		clientErr := make(chan error, 1)
		go func() { clientErr <- ctls.Client(raw, clientConfig()).Handshake() }()
		if _, err := accept(t, s, serverRaw); err == nil {
			t.Error("no error")
		}
		if err := <-clientErr; err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("client: %v", err)
		}
	})
}

// A new config is used from the next handshake on.
func TestReload(t *testing.T) {
	cfg := serverConfig(func(c *ctls.Config) { c.Certificates = c.Certificates[:1] })
	s := NewServer(func() *ctls.Config { return cfg }, 1)
	for _, want := range []ctls.Certificate{ecdsaCert(), rsaCert()} {
		cfg = serverConfig(func(c *ctls.Config) { c.Certificates = []ctls.Certificate{want} })
		_, p := connect(t, s, clientConfig())
		if !p.conn.State().Certificate.Equal(want.Leaf) {
			t.Error("the old certificate")
		}
	}
}

func TestPanicEndsOneHandshake(t *testing.T) {
	s := newServer(func(c *ctls.Config) {
		c.GetCertificate = func(hello *ctls.ClientHelloInfo) (*ctls.Certificate, error) {
			if hello.ServerName == "bad" {
				panic("bug")
			}
			return nil, nil
		}
	})
	raw, serverRaw := sockets(t)
	go ctls.Client(raw, clientConfig(func(c *ctls.Config) { c.ServerName = "bad" })).Handshake()
	if _, err := accept(t, s, serverRaw); err == nil || s.Stats().Panics != 1 {
		t.Errorf("%v, %+v", err, s.Stats())
	}
	client, p := connect(t, s, clientConfig())
	echo(t, client, p, 10)
}
