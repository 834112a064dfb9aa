package auth

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// firstMessage is a client-first-message (RFC 5802 §7). Its parts are copies.
type firstMessage struct {
	flag    byte   // n, y or p
	binding []byte // the type, after p=
	authzid []byte // unescaped
	header  []byte // the gs2 header as it came, with its last comma
	bare    []byte // what is behind the header
	name    []byte // unescaped
	nonce   []byte
}

// finalMessage is a client-final-message. It borrows but for bound and proof.
type finalMessage struct {
	signed []byte // the message without its proof
	bound  []byte // c=, decoded
	nonce  []byte
	proof  []byte // p=, decoded
}

var (
	errSyntax    = malformed("this is not a SCRAM message")
	errExtension = malformed("a mandatory extension is not supported")
)

// parseFirst reads a client-first-message.
func parseFirst(in []byte) (m firstMessage, err error) {
	if err := checkText(in); err != nil {
		return m, err
	}
	in = bytes.Clone(in)
	flag, rest, ok1 := bytes.Cut(in, comma)
	authzid, bare, ok2 := bytes.Cut(rest, comma)
	if !ok1 || !ok2 {
		return m, errSyntax
	}
	header := len(in) - len(bare)
	m.header, m.bare = in[:header:header], bare[:len(bare):len(bare)]
	if m.flag, m.binding, err = parseFlag(flag); err != nil {
		return m, err
	}
	if m.authzid, err = parseAuthzid(authzid); err != nil {
		return m, err
	}
	return m, m.parseBare()
}

// parseFlag reads the gs2-cbind-flag.
func parseFlag(b []byte) (flag byte, binding []byte, err error) {
	switch {
	case len(b) == 1 && (b[0] == 'n' || b[0] == 'y'):
		return b[0], nil, nil
	case len(b) > 2 && b[0] == 'p' && b[1] == '=':
		return 'p', b[2:], nil
	}
	return 0, nil, errSyntax
}

// parseAuthzid reads what is between the first two commas.
func parseAuthzid(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 3 || b[0] != 'a' || b[1] != '=' {
		return nil, errSyntax
	}
	return unescape(b[2:])
}

// parseBare reads the client-first-message-bare.
func (m *firstMessage) parseBare() error {
	escaped, rest, err := attribute(m.bare, 'n')
	if err != nil {
		return err
	}
	if m.name, err = unescape(escaped); err != nil {
		return err
	}
	if m.nonce, rest, err = attribute(rest, 'r'); err != nil {
		return err
	}
	if !printable(m.nonce) || bytes.HasSuffix(m.bare, comma) {
		return errSyntax
	}
	return checkExtensions(rest)
}

// parseFinal reads a client-final-message.
func parseFinal(in []byte) (m finalMessage, err error) {
	if err := checkText(in); err != nil {
		return m, err
	}
	i := bytes.LastIndex(in, []byte(",p="))
	if i < 0 || bytes.HasSuffix(in[:i], comma) {
		return m, errSyntax
	}
	m.signed = in[:i]
	bound, rest, err := attribute(m.signed, 'c')
	if err != nil {
		return m, err
	}
	if m.nonce, rest, err = attribute(rest, 'r'); err != nil {
		return m, err
	}
	if err = checkExtensions(rest); err != nil {
		return m, err
	}
	if m.bound, err = decodeInner(bound); err != nil {
		return m, err
	}
	m.proof, err = decodeInner(in[i+len(",p="):])
	return m, err
}

var comma = []byte{','}

// attribute cuts "name=value" off the front of in. The value is not empty.
func attribute(in []byte, name byte) (value, rest []byte, err error) {
	a, rest, _ := bytes.Cut(in, comma)
	switch {
	case len(a) > 1 && a[0] == 'm' && a[1] == '=':
		return nil, nil, errExtension // RFC 5802 §5.1
	case len(a) < 3 || a[0] != name || a[1] != '=':
		return nil, nil, errSyntax
	}
	return a[2:], rest, nil
}

// checkExtensions goes through what follows the attributes we know. Unknown ones
// pass, as RFC 5802 §5.1 wants; those with a meaning do not come twice or late.
func checkExtensions(in []byte) error {
	for len(in) > 0 {
		a, rest, _ := bytes.Cut(in, comma)
		switch {
		case len(a) > 1 && a[0] == 'm' && a[1] == '=':
			return errExtension
		case len(a) < 3 || a[1] != '=' || !letter(a[0]):
			return errSyntax
		case bytes.IndexByte([]byte("acehinprsv"), a[0]) >= 0:
			return errSyntax
		}
		in = rest
	}
	return nil
}

// checkText refuses what no SCRAM message has in it.
func checkText(in []byte) error {
	if !utf8.Valid(in) || bytes.IndexByte(in, 0) >= 0 {
		return malformed("the message is not UTF-8")
	}
	return nil
}

// unescape reads a saslname: =2C for a comma, =3D for an equals sign, and no
// other use of them.
func unescape(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		switch {
		case bytes.HasPrefix(b[i:], []byte("=2C")):
			out = append(out, ',')
		case bytes.HasPrefix(b[i:], []byte("=3D")):
			out = append(out, '=')
		default:
			return nil, malformed("the name has a bad escape")
		}
		i += len("=2C") - 1
	}
	return out, nil
}

// decodeInner decodes base64 inside of a message.
func decodeInner(b []byte) ([]byte, error) {
	if bytes.ContainsAny(b, "\r\n") {
		return nil, errSyntax
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := strict.Decode(out, b)
	if err != nil {
		return nil, errSyntax
	}
	return out[:n], nil
}

// printable says of a nonce that it has only what RFC 5802 §7 allows.
func printable(b []byte) bool {
	for _, c := range b {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
