package tls

import (
	ctls "crypto/tls"
	"crypto/x509"
	"errors"
	"unique"
)

// ErrClosed is what a session answers after close_notify, a fatal alert or Wipe.
var ErrClosed = errors.New("tls: session is closed")

// ErrWorn ends a TLS 1.2 session whose key has sealed as much as AES-GCM allows
// (RFC 9325 §4.4); TLS 1.3 changes its key instead. CloseNotify still works.
var ErrWorn = errors.New("tls: key used for too many records")

// Conn is a TLS session as server, after its handshake. It belongs to one event
// loop at a time and takes that loop's Cache on each call.
type Conn interface {
	// Open decrypts the whole records in in, appends their plain text to dst and
	// says how many bytes of in it used; the rest is an incomplete record, which
	// the caller keeps and brings again with more behind it. dst must not
	// overlap in.
	//
	// reply, valid until the next use of c, goes into the connection's output
	// behind what was sealed before this call: an alert, or the answer to a
	// KeyUpdate. Plain text that came before an error is returned with it.
	//
	// io.EOF is close_notify: nothing more will be read, but Seal works until
	// CloseNotify. Any other error ends the connection once reply is written.
	Open(c *Cache, dst, in []byte) (plain []byte, n int, reply []byte, err error)

	// Seal appends the records that carry plain to dst. Nothing is appended for
	// an empty plain. The error is ErrClosed or ErrWorn. plain must not overlap
	// the free space of dst.
	Seal(c *Cache, dst, plain []byte) ([]byte, error)

	// CloseNotify appends the close_notify alert, once (RFC 8446 §6.1).
	CloseNotify(c *Cache, dst []byte) []byte

	// State tells what was agreed on.
	State() ConnState

	// Trim forgets ConnState.Unique, which only a login needs.
	Trim()

	// AppendState appends the session in a form that Restore reads, in this
	// process or another. It holds the keys: send it to nobody but a successor,
	// and seal nothing here afterwards (a nonce would be used twice).
	AppendState(dst []byte) []byte

	// Wipe zeroes the secrets and closes the session.
	Wipe()
}

// ConnState is what was agreed on in the handshake. Its slices are shared, they
// must not be changed.
type ConnState struct {
	Version    uint16 // tls.VersionTLS12 or tls.VersionTLS13 of crypto/tls
	Suite      uint16
	SuiteName  string // as IANA writes it: TLS_AES_128_GCM_SHA256
	ALPN       string // agreed protocol, or empty
	ServerName string // SNI, or empty

	// Exporter is the channel binding tls-exporter (RFC 9266), 32 bytes. It is
	// empty in TLS 1.2, where clients disagree on how to compute it.
	Exporter []byte
	// Unique is the channel binding tls-unique (RFC 5929 §3): the client's
	// Finished. It is for clients that know no better; nil after Trim and Restore.
	Unique []byte
	// EndPoint is the channel binding tls-server-end-point (RFC 5929 §4).
	EndPoint []byte

	Certificate      *x509.Certificate   // ours; nil after Restore
	PeerCertificates []*x509.Certificate // if the client was asked and sent any, leaf first
	Verified         bool                // they led to a root of Config.ClientCAs
}

// conn is both versions' Conn. It is the per-connection cost of TLS: keep it
// in the size class of 288 bytes (TestConnIsSmall).
type conn struct {
	in, out  half
	exporter [32]byte
	agreed   unique.Handle[agreed]
	unique   *[]byte // see Trim

	slot uint32  // of the Cache it last used
	hand [4]byte // head of a handshake message cut by a record's end

	handLen  uint8 // bytes in hand
	suiteIdx uint8
	idle     uint8 // records in a row without application data
	credit   uint8 // KeyUpdates the client may still send
	flags    uint8
}

// Bits of conn.flags.
const (
	inClosed   = 1 << iota // close_notify came
	outClosed              // close_notify or a fatal alert was sent
	failed                 // by either side's alert, or wiped
	oweUpdate              // the client asked for a KeyUpdate
	askUpdate              // and we ask it for one
	isVerified             // ConnState.Verified
)

// half is one direction.
type half struct {
	secret [maxSecret]byte // traffic secret; unused in TLS 1.2
	key    [maxKey]byte
	iv     [ivLen]byte
	epoch  uint32 // which key it is, counted from 0
	seq    uint64 // of the next record
}

// agreed is the part of ConnState that many sessions have in common, kept once.
type agreed struct {
	alpn, serverName string
	cert             *x509.Certificate
	endPoint         string
	peers            *[]*x509.Certificate // own to each session that has any
}

func (k *conn) suite() *suite      { return &suites[k.suiteIdx] }
func (k *conn) has(bit uint8) bool { return k.flags&bit != 0 }

// State implements Conn.
func (k *conn) State() ConnState {
	s, a := k.suite(), k.agreed.Value()
	st := ConnState{
		Version: ctls.VersionTLS12, Suite: s.id, SuiteName: ctls.CipherSuiteName(s.id),
		ALPN: a.alpn, ServerName: a.serverName,
		EndPoint: []byte(a.endPoint), Certificate: a.cert, Verified: k.has(isVerified),
	}
	if s.tls13() {
		st.Version = ctls.VersionTLS13
		st.Exporter = append(st.Exporter, k.exporter[:]...)
	}
	if k.unique != nil {
		st.Unique = *k.unique
	}
	if a.peers != nil {
		st.PeerCertificates = *a.peers
	}
	return st
}

// Trim implements Conn.
func (k *conn) Trim() { k.unique = nil }

// Wipe implements Conn.
func (k *conn) Wipe() {
	clear(k.exporter[:])
	k.unique = nil
	k.in, k.out = half{}, half{}
	k.flags |= inClosed | outClosed | failed
}

// setSecret starts h from a traffic secret of TLS 1.3 (RFC 8446 §7.3).
func (h *half) setSecret(s *suite, secret []byte) error {
	key, err := s.expandLabel(secret, "key", s.keyLen)
	if err != nil {
		return err
	}
	iv, err := s.expandLabel(secret, "iv", ivLen)
	if err != nil {
		return err
	}
	copy(h.secret[:], secret)
	copy(h.key[:], key)
	copy(h.iv[:], iv)
	clear(key)
	h.seq = 0
	return nil
}

// update moves h to its next traffic secret (RFC 8446 §7.2).
func (h *half) update(s *suite) error {
	n := s.hash().Size()
	next, err := s.expandLabel(h.secret[:n], "traffic upd", n)
	if err != nil {
		return err
	}
	defer clear(next)
	h.epoch++
	return h.setSecret(s, next)
}
