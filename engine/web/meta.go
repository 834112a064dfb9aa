package web

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"meerkat/xml"
)

// Relations of links (XEP-0156 §3).
const (
	relWebSocket = "urn:xmpp:alt-connections:websocket"
	relBOSH      = "urn:xmpp:alt-connections:xbosh"
	relTLS       = "urn:xmpp:alt-connections:tls"
)

// link is one way to connect.
type link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// describe has the server say where it can be reached (XEP-0156, XEP-0487).
func (s *Server) describe() {
	s.mux.HandleFunc("GET /.well-known/host-meta", s.metaXML)
	s.mux.HandleFunc("GET /.well-known/host-meta.json", s.metaJSON)
}

// links are the ways to connect for somebody who reached us by this request.
func (s *Server) links(r *http.Request) (list []link) {
	base := s.Base(r)
	if base == "" {
		return nil
	}
	if s.opt.HTTP.WebSocket {
		list = append(list, link{relWebSocket, "ws" + strings.TrimPrefix(base, "http") + "/ws"})
	}
	if s.opt.HTTP.BOSH {
		list = append(list, link{relBOSH, base + "/bosh"})
	}
	return list
}

// Base is how the outside reaches us, without a slash at the end; "" if it does
// not.
func (s *Server) Base(r *http.Request) string { return s.opt.HTTP.Base(s.Domain(r)) }

// Domain is the one of ours that was asked.
func (s *Server) Domain(r *http.Request) string {
	host := hostOnly(r.Host)
	if !s.known(host) {
		return s.opt.Domains[0]
	}
	return host
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// known reports whether host is one of our domains.
func (s *Server) known(host string) bool {
	return slices.ContainsFunc(s.opt.Domains, func(d string) bool { return strings.EqualFold(d, host) })
}

// open lets every page read the answer (XEP-0156 §2).
func open(w http.ResponseWriter, contentType string) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "max-age=300")
}

func (s *Server) metaXML(w http.ResponseWriter, r *http.Request) {
	var b xml.Builder
	b.Reset([]byte("<?xml version='1.0' encoding='utf-8'?>"), "").Start("XRD", "http://docs.oasis-open.org/ns/xri/xrd-1.0")
	for _, l := range s.links(r) {
		b.Start("Link", "").Attr("rel", l.Rel).Attr("href", l.Href).End()
	}
	open(w, "application/xrd+xml; charset=utf-8")
	_, _ = w.Write(b.End().Bytes())
}

// ttl is how long a client may keep what it learns from host-meta.json, in s.
const ttl = 3000

// address is a link of host-meta.json, with what a client needs to connect
// without asking the DNS (XEP-0487 §2.1).
type address struct {
	Rel      string   `json:"rel"`
	Href     string   `json:"href,omitempty"`
	Port     int      `json:"port,omitempty"`
	IPs      []string `json:"ips,omitempty"`
	Priority *int     `json:"priority,omitempty"`
	Weight   *int     `json:"weight,omitempty"`
	SNI      string   `json:"sni,omitempty"`
}

type document struct {
	XMPP  *validity `json:"xmpp,omitempty"`
	Links []address `json:"links"`
}

type validity struct {
	TTL int `json:"ttl"`
}

func (s *Server) metaJSON(w http.ResponseWriter, r *http.Request) {
	d := document{Links: []address{}}
	if d.Links = append(d.Links, s.directTLS(r)...); len(d.Links) > 0 {
		d.XMPP = &validity{ttl}
	}
	for _, l := range s.links(r) {
		a := address{Rel: l.Rel, Href: l.Href}
		if d.XMPP != nil && l.Rel == relWebSocket {
			s.locateLink(&a, hostOf(l.Href), 15)
		}
		d.Links = append(d.Links, a)
	}
	open(w, "application/json")
	_ = json.NewEncoder(w).Encode(d)
}

// directTLS is the link of XEP-0368, if we know under which addresses the
// outside sees us.
func (s *Server) directTLS(r *http.Request) []address {
	if len(s.opt.HTTP.PublicIPs) == 0 || len(s.opt.DirectTLS) == 0 {
		return nil
	}
	_, port, _ := net.SplitHostPort(s.opt.DirectTLS[0])
	a := address{Rel: relTLS}
	a.Port, _ = strconv.Atoi(port)
	s.locateLink(&a, s.Domain(r), 10)
	return []address{a}
}

// locateLink says where a link leads.
func (s *Server) locateLink(a *address, sni string, priority int) {
	weight := 50
	a.IPs, a.SNI, a.Priority, a.Weight = s.opt.HTTP.PublicIPs, sni, &priority, &weight
}

func hostOf(href string) string {
	u, err := url.Parse(href)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
