package web

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 wants it
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// upgrade makes the connection a WebSocket (RFC 6455 §4.2, RFC 7395 §3.1), or
// answers why not.
func (c *conn) upgrade(h *head) {
	key, r := c.srv.judge(h)
	if r != nil {
		c.refuse(r)
		return
	}
	if client, secure, ok := c.forwarded(h); ok {
		c.w.Behind(client, secure)
	}
	c.state = upgraded
	c.w.Loop().Stop(&c.press)
	if c.pipe != nil {
		c.w.Renew() // a proxy's connection, used before
		c.pipe.end()
	}
	answer := append([]byte(switching), acceptKey(key)...)
	c.w.Upgrade(append(answer, "\r\n\r\n"...), c.srv.opt.Stream(), c.srv.opt.FirstMessage)
}

const (
	subprotocol = "xmpp"
	switching   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Protocol: " + subprotocol + "\r\nSec-WebSocket-Accept: "
)

// judge holds a request against RFC 6455 §4.2.1 and returns its key.
func (s *Server) judge(h *head) (key []byte, r *refusal) {
	upgrade := h.lists("upgrade", "websocket") && h.lists("connection", "upgrade")
	version, _ := h.field("sec-websocket-version")
	key, _ = h.field("sec-websocket-key")
	origin, fromPage := h.field("origin")
	switch {
	case string(h.method) != http.MethodGet:
		r = refuse(http.StatusMethodNotAllowed, "a WebSocket begins with GET")
		r.extra = "Allow: GET\r\n"
	case !upgrade || h.minor == 0:
		r = refuse(http.StatusUpgradeRequired, "this is for WebSocket clients (RFC 7395)")
		r.extra = "Upgrade: websocket\r\n"
	case string(version) != "13":
		r = refuse(http.StatusUpgradeRequired, "want version 13 of WebSocket")
		r.extra = "Sec-WebSocket-Version: 13\r\n"
	case !isKey(key):
		r = refuse(http.StatusBadRequest, "malformed Sec-WebSocket-Key")
	case h.body > 0:
		r = refuse(http.StatusBadRequest, "a WebSocket begins without a body")
	case !h.lists("sec-websocket-protocol", subprotocol):
		r = refuse(http.StatusBadRequest, "want the subprotocol xmpp (RFC 7395)")
	case fromPage && !s.allows(string(origin), h):
		origins.Add(0, 1)
		r = refuse(http.StatusForbidden, "pages of %s may not connect here (http.origins)", printable(origin))
	}
	return key, r
}

func printable(b []byte) string { return strings.ToValidUTF8(string(b), "?") }

// isKey wants 16 bytes in base64.
func isKey(key []byte) bool {
	var raw [18]byte
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(raw[:], key)
	return err == nil && n == 16
}

// acceptKey proves that we have read the request (RFC 6455 §4.2.2).
func acceptKey(key []byte) string {
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// allows reports whether a web page may connect: of an origin that the
// configuration names, or of the very host it connects to.
func (s *Server) allows(origin string, h *head) bool {
	if s.allowsOrigin(origin) {
		return true
	}
	host, _ := h.field("host")
	return sameHost(origin, string(host))
}

func (s *Server) allowsOrigin(origin string) bool {
	return slices.ContainsFunc(s.opt.HTTP.Origins, func(o string) bool {
		return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// forwarded returns for whom a proxy that is trusted sends a request.
func (c *conn) forwarded(h *head) (client netip.Addr, secure, ok bool) {
	if !c.w.Trusted() {
		return client, false, false
	}
	var chain []byte
	for _, f := range h.fields {
		if is(f.name, "x-forwarded-for") {
			chain = append(append(chain, ','), f.value...)
		}
	}
	proto, _ := h.field("x-forwarded-proto")
	secure = is(proto, "https") || is(proto, "wss")
	client = c.srv.client(string(chain))
	if !client.IsValid() {
		client = c.w.Remote()
	}
	return client, secure, true
}

// client returns the last address of an X-Forwarded-For that is not one of our
// own proxies: what stands before it anybody may have written.
func (s *Server) client(chain string) (client netip.Addr) {
	list := strings.Split(chain, ",")
	for i := len(list) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			return client
		}
		client = a.Unmap().WithZone("")
		if !s.trusts(client) {
			return client
		}
	}
	return client
}

func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
