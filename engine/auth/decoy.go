package auth

// secretSize is the least octets of a server secret.
const secretSize = 32

// decoy makes up credentials for names that nobody has: the same for a name each
// time, like a real salt, and unlike for each name, so that asking twice or for
// many names tells nothing (RFC 5802 §9). Accounts made when the configured
// iterations were others do differ from it in that number.
type decoy struct {
	secret     []byte
	iterations int
}

// keys returns the keys of name, which no password gives.
func (d decoy) keys(name string, h Hash) Keys {
	part := func(label string) []byte {
		return SHA512.mac(d.secret, []byte(label), []byte(h.String()), []byte{0}, []byte(name))
	}
	return Keys{
		Iterations: d.iterations,
		Salt:       part("salt ")[:saltSize],
		Stored:     part("stored ")[:h.Size()],
		Server:     part("server ")[:h.Size()],
	}
}

// credentials are those PLAIN is checked by.
func (d decoy) credentials(name string) (c Credentials) {
	c.Keys[verifyOrder[0]] = d.keys(name, verifyOrder[0])
	return c
}
