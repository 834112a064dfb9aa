package auth

import (
	"bytes"
	"unicode/utf8"
)

// plain is PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd.
func (x *Exchange) plain(in []byte) ([]byte, bool, error) {
	authzid, name, password, err := splitPlain(in)
	if err != nil {
		return nil, false, err
	}
	c, err := x.find(name, authzid)
	if err != nil {
		return nil, false, err
	}
	proof := c.account.Credentials
	if !c.known || proof.empty() {
		proof, c.known = x.m.decoy.credentials(c.name), false
	}
	if ok := proof.Verify(string(password)); !ok || !c.known {
		return nil, false, errDenied
	}
	return nil, true, x.admit(&c.account)
}

// splitPlain cuts a PLAIN message. What it returns is borrowed.
func splitPlain(in []byte) (authzid, name, password []byte, err error) {
	fields := bytes.SplitN(in, []byte{0}, 4)
	switch {
	case !utf8.Valid(in):
		err = malformed("the message is not UTF-8")
	case len(fields) != 3:
		err = malformed("PLAIN has three fields")
	case len(fields[1]) == 0:
		err = malformed("the name is empty")
	case len(fields[2]) == 0:
		err = malformed("the password is empty")
	default:
		return fields[0], fields[1], fields[2], nil
	}
	return nil, nil, nil, err
}
