package tls

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	ctls "crypto/tls"
	"crypto/x509"
	"testing"
)

// tls-unique is the client's Finished, in TLS 1.2 as crypto/tls has it.
func TestUniqueOfTLS12(t *testing.T) {
	client, p := connect(t, newServer(), clientConfig(func(c *ctls.Config) { c.MaxVersion = ctls.VersionTLS12 }))
	want := client.ConnectionState().TLSUnique
	if got := p.conn.State().Unique; len(want) != 12 || !bytes.Equal(got, want) {
		t.Errorf("got %x, client has %x", got, want)
	}
	if p.conn.Trim(); p.conn.State().Unique != nil {
		t.Error("still there after Trim")
	}
}

// The values for channel binding are those of the client.
func TestChannelBinding(t *testing.T) {
	client, p := connect(t, newServer(), clientConfig())
	cs := client.ConnectionState()
	want, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	if st := p.conn.State(); !bytes.Equal(st.Exporter, want) {
		t.Errorf("exporter %x, client has %x", st.Exporter, want)
	}
	raw := cs.PeerCertificates[0].Raw
	if sum := sha256.Sum256(raw); !bytes.Equal(p.conn.State().EndPoint, sum[:]) {
		t.Error("end point is not the SHA-256 of an ECDSA-SHA256 certificate")
	}
	_, p = connect(t, newServer(), clientConfig(func(c *ctls.Config) {
		c.MaxVersion = ctls.VersionTLS12
		c.CipherSuites = []uint16{ctls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}))
	rsa := rsaCert()
	if sum := sha512.Sum384(rsa.Leaf.Raw); !bytes.Equal(p.conn.State().EndPoint, sum[:]) {
		t.Error("end point is not the SHA-384 of an RSA-SHA384 certificate")
	}
	if st := p.conn.State(); st.Exporter != nil || st.Version != ctls.VersionTLS12 {
		t.Errorf("TLS 1.2 has exporter %x", st.Exporter)
	}
}

func TestEndPointHash(t *testing.T) {
	for alg, want := range map[x509.SignatureAlgorithm]int{
		x509.MD5WithRSA: 32, x509.SHA1WithRSA: 32, x509.ECDSAWithSHA1: 32, x509.SHA256WithRSA: 32,
		x509.SHA256WithRSAPSS: 32, x509.SHA384WithRSA: 48, x509.ECDSAWithSHA384: 48,
		x509.SHA512WithRSA: 64, x509.ECDSAWithSHA512: 64, x509.SHA512WithRSAPSS: 64,
		x509.PureEd25519: 0, x509.UnknownSignatureAlgorithm: 0,
	} {
		if got := EndPoint(&x509.Certificate{Raw: []byte("x"), SignatureAlgorithm: alg}); len(got) != want {
			t.Errorf("%v: %d bytes, want %d", alg, len(got), want)
		}
	}
	cert := rsaCert().Leaf
	if a, b := EndPoint(cert), EndPoint(cert); &a[0] != &b[0] {
		t.Error("computed twice for one certificate")
	}
}
