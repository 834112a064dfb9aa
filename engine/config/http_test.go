package config

import (
	"strings"
	"testing"
)

func TestHTTPCheck(t *testing.T) {
	for _, tt := range []struct {
		change func(*HTTP)
		want   string // in the error; "" for none
	}{
		{func(*HTTP) {}, ""},
		{func(h *HTTP) { h.Proxies = []string{"192.0.2.7", "10.0.0.0/8", "2001:db8::/32"} }, ""},
		{func(h *HTTP) { h.Proxies = []string{"proxy.example.org"} }, `http.proxies has "proxy.example.org"`},
		{func(h *HTTP) { h.Proxies = []string{"10.0.0.0/33"} }, `http.proxies has "10.0.0.0/33"`},
		{func(h *HTTP) { h.PublicURL = "https://chat.example.org:8443/" }, ""},
		{func(h *HTTP) { h.PublicURL = "chat.example.org" }, `http.public_url has "chat.example.org": want an address that begins with http:// or https://`},
		{func(h *HTTP) { h.PublicURL = "wss://chat.example.org" }, "http.public_url"},
		{func(h *HTTP) { h.SeeOther = "https://other.example.org" }, "want an address that begins with ws:// or wss://"},
		{func(h *HTTP) { h.SeeOther = "wss://other.example.org/ws" }, ""},
		{func(h *HTTP) { h.Origins = []string{"*", "https://a.example"} }, ""},
		{func(h *HTTP) { h.Origins = []string{"a.example"} }, `http.origins has "a.example"`},
		{func(h *HTTP) { h.PublicIPs = []string{"192.0.2.7", "2001:db8::7"} }, ""},
		{func(h *HTTP) { h.PublicIPs = []string{"chat.example.org"} }, `http.public_ips has "chat.example.org"`},
	} {
		h := Default().HTTP
		tt.change(&h)
		err := h.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: got %v, want %s", h, err, tt.want)
		}
	}
}
