package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// HTTP is the section "http": WebSocket, BOSH and the pages of the server.
type HTTP struct {
	Listen    []string `toml:"listen" default:"" doc:"Addresses, host:port, for HTTP in clear, for a proxy that ends TLS. Nobody logs in here unless c2s.require_tls is false, or the proxy is among http.proxies and says that TLS is in front of it."`
	TLSListen []string `toml:"tls_listen" default:"" doc:"Addresses, host:port, for HTTPS with the certificates of the section tls, as \":5443\". WebSocket clients (RFC 7395) connect to /ws, BOSH clients (XEP-0206) to /bosh."`
	PublicURL string   `toml:"public_url" default:"" doc:"How the outside reaches the HTTP listener, as \"https://chat.example.org\", for the links at /.well-known/host-meta (XEP-0156). Without it: the domain that was asked, with the port of the first of http.tls_listen."`
	PublicIPs []string `toml:"public_ips" default:"" doc:"The addresses, IPv4 and IPv6, under which the outside reaches this server, for /.well-known/host-meta.json (XEP-0487): clients that know them connect without the DNS. Without any, the file has the links of XEP-0156 only."`
	Origins   []string `toml:"origins" default:"*" doc:"Web pages that may use WebSocket, BOSH and uploads from a browser, by origin, as \"https://chat.example.org\". \"*\" is any: a page can do no more than its user can who types the password there. Pages of this server always may."`
	Proxies   []string `toml:"proxies" default:"" doc:"Addresses or networks, as \"192.0.2.7\" or \"10.0.0.0/8\", of proxies in front of this server. What they say of the client is believed: the PROXY protocol version 2, X-Forwarded-For and X-Forwarded-Proto. Nobody else is."`
	SeeOther  string   `toml:"see_other" default:"" doc:"Where WebSocket clients go when this server stops, as \"wss://other.example.org/ws\"; \"\" is nowhere. A client reconnects there at once (see-other-uri of RFC 7395)."`
	WebSocket bool     `toml:"websocket" default:"true" doc:"Clients may use WebSocket, at /ws."`
	BOSH      bool     `toml:"bosh" default:"true" doc:"Clients may use BOSH, at /bosh: old ones, and those behind proxies that do not let WebSocket through."`

	Chat    bool   `toml:"chat" default:"true" doc:"A web page to chat with at /, converse.js, set up for this server: whoever has an account needs nothing else."`
	ChatDir string `toml:"chat_dir" default:"" doc:"Directory with a page of your own, index.html and what it needs, to serve at / in place of the one built in."`

	Head           Size     `toml:"head" default:"16KiB" min:"1KiB" max:"1MiB" doc:"Largest head of a request. A larger one is answered with 431."`
	HeadTimeout    Duration `toml:"head_timeout" default:"10s" min:"100ms" max:"1h" doc:"Time that the head of a request may take, from accept, or from the last answer's first new byte."`
	BodyTimeout    Duration `toml:"body_timeout" default:"60s" min:"100ms" max:"24h" doc:"Time that the body of a request may take without making progress of 64 KiB."`
	BOSHWait       Duration `toml:"bosh_wait" default:"60s" min:"1s" max:"1h" doc:"Longest that a request of BOSH is left without an answer. Proxies in front may want less."`
	BOSHInactivity Duration `toml:"bosh_inactivity" default:"60s" min:"1s" max:"1h" doc:"How long a BOSH session lives without a request."`
	BOSHPause      Duration `toml:"bosh_pause" default:"2m" min:"1s" max:"24h" doc:"Longest pause that a BOSH client may ask for, as while a page loads."`
	BOSHSessions   int      `toml:"bosh_sessions" default:"10000" min:"1" max:"10000000" doc:"BOSH sessions at a time."`
}

// Check reports what the tags cannot say.
func (h *HTTP) Check() error {
	if _, err := h.Networks(); err != nil {
		return err
	}
	if err := checkURL("http.public_url", h.PublicURL, "http", "https"); err != nil {
		return err
	}
	if err := checkURL("http.see_other", h.SeeOther, "ws", "wss"); err != nil {
		return err
	}
	for _, ip := range h.PublicIPs {
		if _, err := netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("http.public_ips has %q: want an address, as \"192.0.2.7\"", ip)
		}
	}
	for _, o := range h.Origins {
		if o != "*" {
			if err := checkURL("http.origins", o, "http", "https"); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkURL(key, text string, schemes ...string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err == nil && u.Host == "" {
		err = errors.New("no host")
	}
	if err != nil || u.Scheme != schemes[0] && u.Scheme != schemes[1] {
		return fmt.Errorf("%s has %q: want an address that begins with %s://", key, text, strings.Join(schemes, ":// or "))
	}
	return nil
}

// Networks are Proxies, parsed.
func (h *HTTP) Networks() (list []netip.Prefix, err error) {
	for _, p := range h.Proxies {
		net, err := netip.ParsePrefix(p)
		if addr, err2 := netip.ParseAddr(p); err != nil && err2 == nil {
			net, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("http.proxies has %q: want an address or a network, as \"192.0.2.7\" or \"10.0.0.0/8\"", p)
		}
		list = append(list, net.Masked())
	}
	return list, nil
}

// Allows reports whether a web page may use what is at host: one of an origin
// that is configured, or of the very same host.
func (h *HTTP) Allows(origin, host string) bool {
	_, of, _ := strings.Cut(origin, "://")
	return strings.EqualFold(of, host) || slices.ContainsFunc(h.Origins, func(o string) bool {
		return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

// Base is how the outside reaches the HTTP listener under one of our domains,
// without a slash at the end; "" if there is none.
func (h *HTTP) Base(domain string) string {
	switch {
	case h.PublicURL != "":
		return strings.TrimSuffix(h.PublicURL, "/")
	case len(h.TLSListen) > 0:
		return "https://" + withPort(domain, h.TLSListen[0], "443")
	case len(h.Listen) > 0:
		return "http://" + withPort(domain, h.Listen[0], "80")
	}
	return ""
}

func withPort(host, listen, usual string) string {
	if _, port, _ := net.SplitHostPort(listen); port != usual {
		return net.JoinHostPort(host, port)
	}
	return host
}
