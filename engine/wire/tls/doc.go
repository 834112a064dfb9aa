// Package tls serves TLS 1.2 and 1.3 to connections that are mostly idle, for a
// few hundred bytes each. It knows nothing of sockets, loops or XMPP: bytes go
// in, bytes come out, nothing here blocks its caller.
//
// A session has two lives.
//
// The handshake is crypto/tls's own. A [Handshake] collects what the client
// sends; once there is a whole ClientHello, one of a bounded number of workers
// of its [Server] computes. A client that stalls holds memory, never a worker.
// crypto/tls sees one record at a time, so that it never swallows a byte that
// belongs to the session.
//
// After it a [Conn] takes over with a record layer of ours, started from the
// secrets crypto/tls hands to Config.KeyLogWriter: per direction a key, an IV
// and a sequence number. There is no buffer, no goroutine and no cipher in it.
// Ciphers are built when records move, and the hot ones stay in the [Cache] of
// the event loop. Both versions are served by the same layer; they differ in
// nonce, additional data and content type only (RFC 8446 §5.2, RFC 5288,
// RFC 7905).
//
// What is allowed: AEAD suites with forward secrecy, no renegotiation, no
// compression, no session tickets, no early data (RFC 9325). After the
// handshake a TLS 1.3 client may send application data, alerts and KeyUpdate,
// and nothing else.
//
// Secrets are never logged or formatted; [Conn.Wipe] zeroes them. Ciphers in a
// Cache cannot be wiped, they are dropped by [Cache.Forget] or by newer ones.
package tls
