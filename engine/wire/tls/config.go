package tls

import (
	ctls "crypto/tls"
	"crypto/x509"
	"slices"
	"sync/atomic"
)

// configs keeps the hardened form of the config that cfg returned last.
type configs struct {
	cfg  func() *ctls.Config
	last atomic.Pointer[hardened]
}

type hardened struct{ from, to *ctls.Config }

// get returns cfg's config, hardened. It is computed once for each pointer that
// cfg returns, so a config must not be changed once given out.
func (c *configs) get() *ctls.Config {
	from := c.cfg()
	if h := c.last.Load(); h != nil && h.from == from {
		return h.to
	}
	h := &hardened{from, harden(from)}
	c.last.Store(h)
	return h.to
}

// harden returns a copy of cfg that allows what doc.go says and no more.
func harden(cfg *ctls.Config) *ctls.Config {
	h := cfg.Clone()
	h.MinVersion = max(h.MinVersion, ctls.VersionTLS12)
	h.CipherSuites = suites12(h.CipherSuites)
	h.SessionTicketsDisabled = true // a ticket would be records we do not count
	h.Renegotiation = ctls.RenegotiateNever
	h.Certificates = slices.Clone(h.Certificates)
	for i := range h.Certificates {
		withLeaf(&h.Certificates[i])
	}
	return h
}

// suites12 are the suites of TLS 1.2 among want that we have, all if want is
// nil. TLS 1.3 has no others than ours.
func suites12(want []uint16) []uint16 {
	got := []uint16{}
	for _, s := range suites {
		if !s.tls13() && (want == nil || slices.Contains(want, s.id)) {
			got = append(got, s.id)
		}
	}
	return got
}

// withLeaf parses cert's leaf once, so that no handshake has to.
func withLeaf(cert *ctls.Certificate) {
	if cert.Leaf == nil && len(cert.Certificate) > 0 {
		cert.Leaf, _ = x509.ParseCertificate(cert.Certificate[0]) // an error shows in the handshake
	}
}

// config returns base for h alone: it collects the secrets, and which
// certificate was chosen.
func (h *Handshake) config(base *ctls.Config) *ctls.Config {
	c := base.Clone()
	c.KeyLogWriter = &h.work.keys
	c.Certificates = nil
	c.GetCertificate = func(hello *ctls.ClientHelloInfo) (*ctls.Certificate, error) {
		cert, err := choose(base, hello)
		h.work.cert = cert
		return cert, err
	}
	if ask := base.GetConfigForClient; ask != nil {
		c.GetConfigForClient = func(hello *ctls.ClientHelloInfo) (*ctls.Config, error) {
			other, err := ask(hello)
			if other == nil || err != nil {
				return nil, err
			}
			return h.config(harden(other)), nil
		}
	}
	return c
}

// choose does what crypto/tls does with a config's certificates.
func choose(c *ctls.Config, hello *ctls.ClientHelloInfo) (*ctls.Certificate, error) {
	if c.GetCertificate != nil && (len(c.Certificates) == 0 || hello.ServerName != "") {
		if cert, err := c.GetCertificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	switch len(c.Certificates) {
	case 0:
		return nil, nil
	case 1:
		return &c.Certificates[0], nil
	}
	for i := range c.Certificates {
		if hello.SupportsCertificate(&c.Certificates[i]) == nil {
			return &c.Certificates[i], nil
		}
	}
	return &c.Certificates[0], nil
}
