// Package jid holds XMPP addresses (RFC 7622): prepared once, where they enter,
// and compared as strings ever after. It knows nothing of accounts and stanzas.
package jid

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// MaxPart is the longest a localpart, domainpart or resourcepart may be after
// preparation, in octets (RFC 7622 §3.2, §3.3, §3.4).
const MaxPart = 1023

// JID is a prepared address. Two JIDs are the same address exactly if they are
// ==, so a JID can be a map key. The zero JID is no address at all.
type JID struct {
	s    string // local@domain/resource
	at   uint32 // length of the localpart; 0: there is none
	bare uint32 // length of local@domain
}

// Parse prepares s and returns its address. err is always of type Error.
// Where s needs no preparation the JID shares its memory.
func Parse(s string) (JID, error) {
	if j, ok := scan(s); ok {
		return j, nil
	}
	local, domain, resource, err := split(s)
	if err != nil {
		return JID{}, err
	}
	return New(local, domain, resource)
}

// View is Parse without a copy: if b is prepared ASCII, which nearly every
// address on a stream is, the JID borrows b, is valid for as long as b is
// unchanged, and costs no allocation. Clone keeps it for longer.
func View(b []byte) (JID, error) {
	if j, ok := scan(unsafe.String(unsafe.SliceData(b), len(b))); ok {
		return j, nil
	}
	return Parse(string(b))
}

// New prepares the three parts and joins them. An empty localpart or resource
// is none.
func New(local, domain, resource string) (JID, error) {
	var err error
	if local != "" {
		if local, err = PrepareLocal(local); err != nil {
			return JID{}, err
		}
	}
	if domain, err = PrepareDomain(domain); err != nil {
		return JID{}, err
	}
	if resource != "" {
		if resource, err = PrepareResource(resource); err != nil {
			return JID{}, err
		}
	}
	return join(local, domain, resource), nil
}

// Domain returns the address of a server or component.
func Domain(s string) (JID, error) { return New("", s, "") }

// MustParse is Parse for constants: it panics on what is not an address.
func MustParse(s string) JID {
	j, err := Parse(s)
	if err != nil {
		panic("jid: " + s + ": " + err.Error())
	}
	return j
}

// join makes an address of prepared parts.
func join(local, domain, resource string) JID {
	j := JID{s: domain, at: uint32(len(local)), bare: uint32(len(domain))}
	if local != "" {
		j.s, j.bare = local+"@"+domain, uint32(len(local)+1+len(domain))
	}
	if resource != "" {
		j.s += "/" + resource
	}
	return j
}

// split cuts s at the first slash, and what is before it at the first at sign,
// as RFC 7622 §3.1 says: before any preparation, which could make new ones.
func split(s string) (local, domain, resource string, err error) {
	domain, resource, full := strings.Cut(s, "/")
	if full && resource == "" {
		return "", "", "", ErrEmptyResource
	}
	if i := strings.IndexByte(domain, '@'); i >= 0 {
		local, domain = domain[:i], domain[i+1:]
		if local == "" {
			return "", "", "", ErrEmptyLocal
		}
	}
	return local, domain, resource, nil
}

// String returns the whole address, "" for the zero JID. Like all that JID
// returns it shares the JID's memory: no method here allocates but Clone and
// WithResource.
func (j JID) String() string { return j.s }

// BareString returns local@domain.
func (j JID) BareString() string { return j.s[:j.bare] }

// Local returns the localpart, "" if there is none.
func (j JID) Local() string { return j.s[:j.at] }

// Domain returns the domainpart.
func (j JID) Domain() string {
	if j.at == 0 {
		return j.s[:j.bare]
	}
	return j.s[j.at+1 : j.bare]
}

// Resource returns the resourcepart, "" if there is none.
func (j JID) Resource() string {
	if j.IsBare() {
		return ""
	}
	return j.s[j.bare+1:]
}

// Bare returns the address without its resource.
func (j JID) Bare() JID {
	j.s = j.s[:j.bare]
	return j
}

// IsZero reports that j is no address.
func (j JID) IsZero() bool { return j.s == "" }

// IsBare reports that j has no resource.
func (j JID) IsBare() bool { return int(j.bare) == len(j.s) }

// IsFull reports that j has a resource.
func (j JID) IsFull() bool { return !j.IsBare() }

// HasLocal reports that j has a localpart: an account or a room, not a server.
func (j JID) HasLocal() bool { return j.at > 0 }

// WithResource returns j's bare address with another resource, which is
// prepared; none if r is empty. The zero JID takes no resource: ErrEmptyDomain.
func (j JID) WithResource(r string) (JID, error) {
	if j.IsZero() {
		return JID{}, ErrEmptyDomain
	}
	j = j.Bare()
	if r == "" {
		return j, nil
	}
	r, err := PrepareResource(r)
	if err != nil {
		return JID{}, err
	}
	j.s += "/" + r
	return j, nil
}

// In returns j in other memory: b has the bytes of j.String().
func (j JID) In(b []byte) JID {
	j.s = unsafe.String(unsafe.SliceData(b), len(b))
	return j
}

// Clone returns j in memory of its own: for what View borrowed.
func (j JID) Clone() JID {
	j.s = strings.Clone(j.s)
	return j
}

// AppendBinary appends j for ViewBinary in another place of the same process.
func (j JID) AppendBinary(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, j.at)
	dst = binary.LittleEndian.AppendUint32(dst, j.bare)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(j.s)))
	return append(dst, j.s...)
}

// ViewBinary reads what AppendBinary has appended, without another look at it.
// The JID borrows b, and rest is what is behind it.
func ViewBinary(b []byte) (j JID, rest []byte) {
	j.at, j.bare = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	n := binary.LittleEndian.Uint32(b[8:])
	b = b[12:]
	j.s = unsafe.String(unsafe.SliceData(b), n)
	return j, b[n:]
}
