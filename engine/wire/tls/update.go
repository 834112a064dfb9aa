package tls

// maxRecords is how many records one key of TLS 1.3 protects before we change
// it: below the 2^24.5 that RFC 8446 §5.5 allows AES-GCM.
const maxRecords = 1 << 24

// A client may send maxCredit KeyUpdates at once, and earns one more with each
// recordsPerCredit records under one key: an update costs us about as much as
// ten records.
const (
	maxCredit        = 32
	recordsPerCredit = 64
)

const msgKeyUpdate = 24

// handshake13 acts on a piece of handshake message after the handshake: a
// KeyUpdate, or an error. Messages may be cut anywhere (RFC 8446 §5.1).
func (k *conn) handshake13(content []byte) error {
	if len(content) == 0 {
		return fail(UnexpectedMessage, "empty handshake record")
	}
	if err := k.wasted(); err != nil {
		return err
	}
	for i, b := range content {
		if int(k.handLen) == len(k.hand) {
			k.handLen = 0
			if i != len(content)-1 {
				return fail(UnexpectedMessage, "handshake message spans a change of keys")
			}
			return k.keyUpdate(b)
		}
		k.hand[k.handLen] = b
		k.handLen++
		if err := k.checkHead(); err != nil {
			return err
		}
	}
	return nil
}

// checkHead refuses what cannot become a KeyUpdate.
func (k *conn) checkHead() error {
	if k.hand[0] != msgKeyUpdate {
		return fail(UnexpectedMessage, "handshake message after the handshake")
	}
	if int(k.handLen) == len(k.hand) && [3]byte(k.hand[1:]) != [3]byte{0, 0, 1} {
		return fail(DecodeError, "KeyUpdate is not one byte long")
	}
	return nil
}

// keyUpdate acts on a KeyUpdate with the given request_update (RFC 8446 §4.6.3).
func (k *conn) keyUpdate(request byte) error {
	if request > 1 {
		return fail(IllegalParameter, "KeyUpdate with an unknown request")
	}
	if k.credit == 0 {
		return fail(UnexpectedMessage, "too many KeyUpdates")
	}
	k.credit--
	if request == 1 {
		k.flags |= oweUpdate
	}
	if err := k.in.update(k.suite()); err != nil {
		return fail(InternalError, err.Error())
	}
	return nil
}

// updates returns the KeyUpdate that is due after Open: one answer however
// often the client asked.
func (k *conn) updates(c *Cache) []byte {
	if !k.has(oweUpdate|askUpdate) || k.has(outClosed) {
		return nil
	}
	var request byte
	if k.has(askUpdate) {
		request = 1
	}
	k.flags &^= oweUpdate | askUpdate
	var err error
	if c.reply, err = k.sealUpdate(c, c.reply[:0], request); err != nil {
		return nil
	}
	return c.reply
}

// sealUpdate appends a KeyUpdate and changes the key of what follows.
func (k *conn) sealUpdate(c *Cache, dst []byte, request byte) ([]byte, error) {
	msg := [...]byte{msgKeyUpdate, 0, 0, 1, request}
	dst, err := k.sealRecord(c, dst, typeHandshake, msg[:])
	if err != nil {
		return dst, err
	}
	return dst, k.out.update(k.suite())
}
