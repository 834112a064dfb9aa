package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/net/idna"

	"meerkat/engine/config"
)

// selfSignedYears is how long a certificate of our own holds. Its users trusted
// it by hand, so it should not change.
const selfSignedYears = 10

// selfSigned returns the certificate kept in the data directory, made if there
// is none, or anew if it lacks one of domains.
func selfSigned(data string, domains []string) (config.Certificate, error) {
	f := config.Certificate{Cert: filepath.Join(data, "self-signed.pem"), Key: filepath.Join(data, "self-signed.key")}
	_, errCert := os.Stat(f.Cert)
	_, errKey := os.Stat(f.Key)
	if errCert == nil && errKey == nil {
		cert, err := loadCertificate(f)
		if err != nil {
			return f, fmt.Errorf("%w; remove both files to have a new one made", err)
		}
		if namesAll(cert.Leaf, domains) {
			return f, nil
		}
	}
	if err := makeSelfSigned(f, domains, time.Now()); err != nil {
		return f, fmt.Errorf("tls: make a certificate in %s: %w", data, err)
	}
	return f, nil
}

func namesAll(c *x509.Certificate, domains []string) bool {
	for _, d := range domains {
		if c.VerifyHostname(ascii(d)) != nil {
			return false
		}
	}
	return true
}

// makeSelfSigned writes the key first: a certificate without its key is noticed
// and made again.
func makeSelfSigned(f config.Certificate, domains []string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: ascii(domains[0])},
		NotBefore:             now.Add(-time.Hour), // for clients whose clock is behind
		NotAfter:              now.AddDate(selfSignedYears, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that it can be put among the trusted ones
	}
	for _, d := range domains {
		if ip := net.ParseIP(d); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, ascii(d))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.Remove(f.Cert); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := writePEM(f.Key, "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return writePEM(f.Cert, "CERTIFICATE", der, 0o644)
}

// writePEM writes a file that is whole or not there.
func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// ascii is a domain as it stands in certificates and DNS (RFC 5890 A-labels).
func ascii(domain string) string {
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return domain
}
