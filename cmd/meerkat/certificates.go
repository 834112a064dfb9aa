package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"meerkat/engine/alarm"
	"meerkat/engine/config"
)

// certificates are those of the listeners. They are replaced as a whole, so a
// handshake sees the old ones or the new ones.
type certificates struct {
	current atomic.Pointer[tlsState]
}

type tlsState struct {
	config     *tls.Config
	list       []tls.Certificate
	selfSigned bool
}

// reload reads the configured certificates, or makes one. On an error the ones
// before stay.
func (c *certificates) reload(cfg *config.Config) error {
	s := &tlsState{selfSigned: len(cfg.TLS.Certificates) == 0}
	files := cfg.TLS.Certificates
	if s.selfSigned {
		own, err := selfSigned(cfg.Data, cfg.Domains)
		if err != nil {
			return err
		}
		files = []config.Certificate{own}
	}
	for _, f := range files {
		cert, err := loadCertificate(f)
		if err != nil {
			return err
		}
		s.list = append(s.list, cert)
	}
	s.config = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"xmpp-client"}, // XEP-0368 §3
		GetCertificate: s.choose,
	}
	if cfg.TLS.MinVersion == "1.3" {
		s.config.MinVersion = tls.VersionTLS13
	}
	c.current.Store(s)
	return nil
}

// config is that of the next handshake.
func (c *certificates) config() *tls.Config { return c.current.Load().config }

// ends are the ends of all certificates, for the alarm.
func (c *certificates) ends() (list []alarm.Cert) {
	for _, cert := range c.current.Load().list {
		list = append(list, alarm.Cert{Name: certName(cert.Leaf), Ends: cert.Leaf.NotAfter})
	}
	return list
}

// uncovered are the domains that no certificate names: clients will not trust
// us for them.
func (c *certificates) uncovered(domains []string) (missing []string) {
	s := c.current.Load()
	for _, d := range domains {
		if !s.covers(d) {
			missing = append(missing, d)
		}
	}
	return missing
}

func (s *tlsState) covers(domain string) bool {
	for i := range s.list {
		if s.list[i].Leaf.VerifyHostname(ascii(domain)) == nil {
			return true
		}
	}
	return false
}

// choose picks the first certificate for the name that the client asks for, of a
// kind it can use; for no name or a strange one, the first it can use at all.
func (s *tlsState) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName != "" {
		for i := range s.list {
			if hello.SupportsCertificate(&s.list[i]) == nil {
				return &s.list[i], nil
			}
		}
	}
	anyName := *hello
	anyName.ServerName = ""
	for i := range s.list {
		if anyName.SupportsCertificate(&s.list[i]) == nil {
			return &s.list[i], nil
		}
	}
	return &s.list[0], nil
}

// loadCertificate reads one chain with its key. Errors name the file.
func loadCertificate(f config.Certificate) (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err == nil {
		return cert, nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return cert, fmt.Errorf("tls: %s: %w", path.Path, path.Err)
	}
	return cert, fmt.Errorf("tls: certificate %s with key %s: %s", f.Cert, f.Key, strings.TrimPrefix(err.Error(), "tls: "))
}

// certName is what to call a certificate.
func certName(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.CommonName
}

// fingerprint is how clients show a certificate (SHA-256, in hexadecimal).
func (c *certificates) fingerprint() string {
	sum := sha256.Sum256(c.current.Load().list[0].Certificate[0])
	return strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", sum[:]), " ", ":"))
}

// openToOthers says whether others than owner and group may read the key.
func openToOthers(key string) bool {
	fi, err := os.Stat(key)
	return err == nil && fi.Mode().Perm()&0o004 != 0
}
