package tls

import (
	"bytes"
	ctls "crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unique"
)

// keys collects what crypto/tls writes to Config.KeyLogWriter for one
// handshake. They never leave this package.
type keys struct {
	clientRandom    [32]byte
	client          [maxSecret]byte // traffic secrets of TLS 1.3,
	server          [maxSecret]byte
	clientHandshake [maxSecret]byte
	master          [maxSecret]byte // master secret of TLS 1.2
	n               int             // bytes of a secret; 0 if there is none
}

// Write takes one line "LABEL client-random secret". It zeroes the line, which
// io.Writer forbids, because crypto/tls makes it for this call alone.
func (s *keys) Write(line []byte) (int, error) {
	defer clear(line)
	f := bytes.Fields(line)
	if len(f) != 3 {
		return 0, errors.New("tls: key log line not understood")
	}
	var into *[maxSecret]byte
	switch string(f[0]) {
	case "CLIENT_TRAFFIC_SECRET_0":
		into = &s.client
	case "SERVER_TRAFFIC_SECRET_0":
		into = &s.server
	case "CLIENT_HANDSHAKE_TRAFFIC_SECRET":
		into = &s.clientHandshake
	case "CLIENT_RANDOM":
		into = &s.master
	default:
		return len(line), nil
	}
	if len(f[1]) != 64 || len(f[2]) > 2*maxSecret {
		return 0, errors.New("tls: key log line of unknown size")
	}
	hex.Decode(s.clientRandom[:], f[1])
	s.n, _ = hex.Decode(into[:], f[2])
	return len(line), nil
}

// takeOver makes the Conn that follows a handshake. flight is what the server
// sent first, beginning with its ServerHello.
//
// record is the last one that came.
func takeOver(cs *ctls.ConnectionState, s *keys, flight, record []byte, cert *ctls.Certificate) (Conn, error) {
	idx, ok := suiteIndex(cs.CipherSuite)
	if !ok || s.n == 0 {
		return nil, fmt.Errorf("tls: no record layer for %s", ctls.CipherSuiteName(cs.CipherSuite))
	}
	k := &conn{suiteIdx: idx, credit: maxCredit, slot: ^uint32(0)}
	if err := k.agree(cs, cert); err != nil {
		return nil, err
	}
	if fin := finishedOf(cs, k.suite(), s, record); fin != nil {
		k.unique = &fin
	}
	if !k.suite().tls13() {
		return k, k.keys12(s, flight)
	}
	ekm, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, len(k.exporter)) // RFC 9266 §2
	if err != nil {
		return nil, err
	}
	copy(k.exporter[:], ekm)
	clear(ekm)
	return k, errors.Join(
		k.in.setSecret(k.suite(), s.client[:s.n]),
		k.out.setSecret(k.suite(), s.server[:s.n]))
}

// keys12 cuts the key block of TLS 1.2 (RFC 5246 §6.3). Record 0 of each
// direction was its Finished.
func (k *conn) keys12(s *keys, flight []byte) error {
	const at = headerLen + 4 + 2 // of server_hello.random
	if len(flight) < at+32 || flight[0] != typeHandshake || flight[headerLen] != 2 {
		return errors.New("tls: no ServerHello in front of the server's flight")
	}
	suite := k.suite()
	block := make([]byte, 2*(suite.keyLen+suite.saltIV))
	defer clear(block)
	suite.prf(block, s.master[:s.n], "key expansion", flight[at:at+32], s.clientRandom[:])
	for _, part := range [][]byte{
		k.in.key[:suite.keyLen], k.out.key[:suite.keyLen],
		k.in.iv[:suite.saltIV], k.out.iv[:suite.saltIV],
	} {
		block = block[copy(part, block):]
	}
	k.in.seq, k.out.seq = 1, 1
	return nil
}

// agree notes what ConnState tells.
func (k *conn) agree(cs *ctls.ConnectionState, cert *ctls.Certificate) error {
	leaf, err := leafOf(cert)
	if err != nil {
		return err
	}
	a := agreed{
		alpn: strings.Clone(cs.NegotiatedProtocol), serverName: strings.Clone(cs.ServerName),
		cert: leaf, endPoint: string(EndPoint(leaf)),
	}
	if len(cs.PeerCertificates) > 0 {
		peers := append([]*x509.Certificate(nil), cs.PeerCertificates...)
		a.peers = &peers
	}
	if len(cs.VerifiedChains) > 0 {
		k.flags |= isVerified
	}
	k.agreed = unique.Make(a)
	return nil
}

// leafOf returns the certificate itself of cert's chain.
func leafOf(cert *ctls.Certificate) (*x509.Certificate, error) {
	switch {
	case cert == nil || len(cert.Certificate) == 0:
		return nil, errors.New("tls: handshake without a certificate of ours")
	case cert.Leaf != nil:
		return cert.Leaf, nil
	}
	return x509.ParseCertificate(cert.Certificate[0])
}
