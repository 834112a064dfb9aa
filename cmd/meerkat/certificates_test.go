package main

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
)

// certify writes c.pem and c.key for a name into dir.
func certify(t *testing.T, dir string, names ...string) config.Certificate {
	t.Helper()
	f := config.Certificate{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "c.key")}
	if err := makeSelfSigned(f, names, time.Now()); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSelfSignedIsMadeOnceAndForEachDomain(t *testing.T) {
	cfg := config.Default()
	cfg.Data, cfg.Domains = t.TempDir(), []string{"localhost", "münchen.example", "192.0.2.1"}
	var c certificates
	if err := c.reload(cfg); err != nil {
		t.Fatal(err)
	}
	if missing := c.uncovered(cfg.Domains); missing != nil {
		t.Errorf("does not name %v", missing)
	}
	first := c.fingerprint()
	if len(first) != 95 {
		t.Errorf("fingerprint %q, want 32 bytes with colons", first)
	}
	if err := c.reload(cfg); err != nil || c.fingerprint() != first {
		t.Errorf("made again: %v, %s, want %s", err, c.fingerprint(), first)
	}
	if left := time.Until(c.ends()[0].Ends); left < 3650*24*time.Hour {
		t.Errorf("holds for %v, want ten years", left)
	}
	if fi, err := os.Stat(filepath.Join(cfg.Data, "self-signed.key")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v, want mode 0600", fi.Mode(), err)
	}
	cfg.Domains = append(cfg.Domains, "example.org")
	if err := c.reload(cfg); err != nil || c.fingerprint() == first || c.uncovered(cfg.Domains) != nil {
		t.Errorf("one more domain: %v, not named %v", err, c.uncovered(cfg.Domains))
	}
}

func TestSelfSignedThatIsDamagedIsNotReplaced(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	var c certificates
	if err := c.reload(cfg); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(cfg.Data, "self-signed.key"), "rubbish")
	if err := c.reload(cfg); err == nil || !strings.Contains(err.Error(), "self-signed.key") || !strings.Contains(err.Error(), "remove both files") {
		t.Errorf("got %v, want the file and the remedy", err)
	}
	if err := os.Remove(filepath.Join(cfg.Data, "self-signed.pem")); err != nil {
		t.Fatal(err)
	}
	if err := c.reload(cfg); err != nil {
		t.Errorf("a key that lost its certificate: %v", err)
	}
}

// handshake returns the name on the certificate that a client gets which asks
// for name.
func handshake(t *testing.T, c *certificates, client *tls.Config) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go tls.Server(b, c.config()).Handshake()
	client.InsecureSkipVerify = true
	conn := tls.Client(a, client)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Handshake(); err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestClientGetsTheCertificateItAsksFor(t *testing.T) {
	cfg := config.Default()
	cfg.TLS.Certificates = []config.Certificate{
		certify(t, t.TempDir(), "a.example"), certify(t, t.TempDir(), "b.example", "*.c.example"),
	}
	var c certificates
	if err := c.reload(cfg); err != nil {
		t.Fatal(err)
	}
	for ask, want := range map[string]string{
		"": "a.example", "a.example": "a.example", "b.example": "b.example", "x.c.example": "b.example", "other.example": "a.example",
	} {
		if got, err := handshake(t, &c, &tls.Config{ServerName: ask}); err != nil || got != want {
			t.Errorf("asked for %q: got %q, %v, want %q", ask, got, err, want)
		}
	}
	if got := c.uncovered([]string{"a.example", "d.example"}); len(got) != 1 || got[0] != "d.example" {
		t.Errorf("uncovered: got %v, want d.example", got)
	}
}

func TestOldestVersionOfTLSIsObeyed(t *testing.T) {
	cfg := config.Default()
	cfg.TLS.Certificates = []config.Certificate{certify(t, t.TempDir(), "a.example")}
	for _, row := range []struct {
		least string
		most  uint16
		ok    bool
	}{{"1.2", tls.VersionTLS11, false}, {"1.2", tls.VersionTLS12, true}, {"1.3", tls.VersionTLS12, false}, {"1.3", tls.VersionTLS13, true}} {
		cfg.TLS.MinVersion = row.least
		var c certificates
		if err := c.reload(cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := handshake(t, &c, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: row.most}); (err == nil) != row.ok {
			t.Errorf("at least %s, client has %x: got %v, want ok = %v", row.least, row.most, err, row.ok)
		}
	}
}

func TestKeyOfAnotherCertificateIsRefused(t *testing.T) {
	a, b := certify(t, t.TempDir(), "a.example"), certify(t, t.TempDir(), "b.example")
	_, err := loadCertificate(config.Certificate{Cert: a.Cert, Key: b.Key})
	if err == nil || !strings.Contains(err.Error(), a.Cert) || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("got %v, want the file and that the key does not match", err)
	}
}
