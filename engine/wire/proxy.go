package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"meerkat/engine/loop"
)

// The PROXY protocol, version 2: a proxy's first bytes say for whom it comes.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHead      = len(proxySignature) + 4
	maxProxy       = 2048 // bytes behind that; more than any proxy has to say

	proxyLocal = 0x20 // version 2, the proxy's own health check
	proxyFor   = 0x21 // version 2, on behalf of a client
	proxyTCP4  = 0x11
	proxyTCP6  = 0x21
	tlvSSL     = 0x20
	clientSSL  = 0x01
)

var errProxy = errors.New("wire: malformed header of the PROXY protocol")

// trusts reports whether what a says of others is believed.
func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.opt.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Trusted reports whether w comes from one of Options.Proxies.
func (w *Conn) Trusted() bool { return w.srv.trusts(w.Remote()) }

// Behind says that the client of w is at an address, reached through a proxy,
// which has TLS with it or not. w is closed if the address has too many
// connections.
func (w *Conn) Behind(client netip.Addr, secure bool) {
	if w.mode == dead {
		return
	}
	if secure {
		w.flags |= fronted
	}
	counts := w.flags&counted != 0
	w.flags &^= counted
	if counts {
		w.srv.gate.leave(w.Remote(), w)
	}
	w.c.SetRemote(netip.AddrPortFrom(client.Unmap().WithZone(""), 0))
	if !counts {
		return
	}
	if v := w.srv.gate.enter(w.Remote()); v != letIn {
		rejected.Add(w.index(), int(v), 1)
		w.Abort()
		return
	}
	w.flags |= counted
	w.srv.gate.sit(w, w.Loop())
}

// proxy looks for the header at the start of a trusted connection, and goes on
// with what is behind it, or with everything if there is none.
func (w *Conn) proxy(in []byte) {
	if w.raw == nil {
		w.raw = loop.NewPacket()
	}
	w.raw.B = append(w.raw.B, in...)
	b := w.raw.B
	n := min(len(b), len(proxySignature))
	switch size := proxySize(b); {
	case string(b[:n]) != proxySignature[:n]:
		w.proxied(0)
	case size > proxyHead+maxProxy:
		w.fail(errProxy)
	case size <= len(b):
		if err := w.believe(b[:size]); err != nil {
			w.fail(err)
			return
		}
		w.proxied(size)
	}
}

// proxySize returns how long the header that begins with b is.
func proxySize(b []byte) int {
	if len(b) < proxyHead {
		return proxyHead
	}
	return proxyHead + int(binary.BigEndian.Uint16(b[proxyHead-2:]))
}

// proxied begins the connection proper, n bytes into what has come.
func (w *Conn) proxied(n int) {
	w.flags &^= fronting
	w.Loop().Stop(&w.timer)
	p := w.raw
	w.raw = nil
	w.start()
	if len(p.B) > n && w.mode != dead {
		w.Data(w.c, p.B[n:])
	}
	p.Release()
}

// believe takes the address out of a whole header.
func (w *Conn) believe(b []byte) error {
	command, family, body := b[12], b[13], b[proxyHead:]
	switch command {
	case proxyLocal:
		return nil
	case proxyFor:
	default:
		return errProxy
	}
	size := 0 // of one address
	switch family {
	case proxyTCP4:
		size = 4
	case proxyTCP6:
		size = 16
	default:
		return nil // of what kind the client is, we do not learn
	}
	if len(body) < 2*size+4 {
		return errProxy
	}
	client, _ := netip.AddrFromSlice(bytes.Clone(body[:size]))
	w.Behind(client, proxyTLS(body[2*size+4:]))
	return nil
}

// proxyTLS reports whether the extensions say that the client uses TLS.
func proxyTLS(b []byte) bool {
	for len(b) >= 3 {
		kind, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if b = b[3:]; size > len(b) {
			return false
		}
		if kind == tlvSSL && size > 0 {
			return b[0]&clientSSL != 0
		}
		b = b[size:]
	}
	return false
}
