package tls

import (
	"crypto"
	"crypto/x509"
	"runtime"
	"sync"
	"weak"
)

// endPoints keeps the value of each certificate in use; it is asked for once a
// handshake.
var endPoints sync.Map // weak.Pointer[x509.Certificate] to []byte

// EndPoint returns the channel binding tls-server-end-point of cert (RFC 5929
// §4.1): its hash by the function of its signature, with SHA-256 in place of
// MD5 and SHA-1. It is nil for signatures that name no hash function, such as
// Ed25519, for which the RFC leaves it undefined. The slice is shared.
func EndPoint(cert *x509.Certificate) []byte {
	key := weak.Make(cert)
	if v, ok := endPoints.Load(key); ok {
		return v.([]byte)
	}
	v, loaded := endPoints.LoadOrStore(key, endPoint(cert))
	if !loaded {
		runtime.AddCleanup(cert, func(key weak.Pointer[x509.Certificate]) { endPoints.Delete(key) }, key)
	}
	return v.([]byte)
}

func endPoint(cert *x509.Certificate) []byte {
	hash, ok := endPointHashes[cert.SignatureAlgorithm]
	if !ok {
		return nil
	}
	h := hash.New()
	h.Write(cert.Raw)
	return h.Sum(nil)
}

var endPointHashes = map[x509.SignatureAlgorithm]crypto.Hash{
	x509.MD5WithRSA:       crypto.SHA256,
	x509.SHA1WithRSA:      crypto.SHA256,
	x509.ECDSAWithSHA1:    crypto.SHA256,
	x509.SHA256WithRSA:    crypto.SHA256,
	x509.SHA256WithRSAPSS: crypto.SHA256,
	x509.ECDSAWithSHA256:  crypto.SHA256,
	x509.SHA384WithRSA:    crypto.SHA384,
	x509.SHA384WithRSAPSS: crypto.SHA384,
	x509.ECDSAWithSHA384:  crypto.SHA384,
	x509.SHA512WithRSA:    crypto.SHA512,
	x509.SHA512WithRSAPSS: crypto.SHA512,
	x509.ECDSAWithSHA512:  crypto.SHA512,
}
