package chat

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"meerkat/engine/config"
)

// Options of the page.
type Options struct {
	HTTP    *config.HTTP
	Domains []string
	// Rooms stands before a domain in the domain of its rooms; "": no rooms.
	Rooms string
	// Domain is the one of Domains that a request is for.
	Domain func(*http.Request) string
	// Base is how the outside reaches this server, without a slash at the end.
	Base func(*http.Request) string
}

// Page answers for / and what the page needs, below /chat/.
type Page struct {
	opt       Options
	files     map[string]asset
	base      string // of the addresses of files
	registers atomic.Bool
}

// New makes the page.
func New(opt Options) (*Page, error) {
	files, version, err := assets()
	if err != nil {
		return nil, err
	}
	return &Page{opt: opt, files: files, base: "/chat/" + version + "/"}, nil
}

// Reload is told the options that change while the server runs.
func (p *Page) Reload(cfg *config.Config) { p.registers.Store(cfg.Register.Enabled) }

// ServeHTTP is http.Handler's.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	if r.URL.Path == "/" {
		p.page(w, r)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, p.base)
	if a, found := p.files[name]; ok && found {
		a.serve(w, r)
		return
	}
	http.NotFound(w, r)
}

// reads refuses all methods but those that only read.
func reads(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "this only can be read", http.StatusMethodNotAllowed)
	return false
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page.html").Parse(pageHTML))

// settings are for start.js.
type settings struct {
	Domain    string `json:"domain"`
	Only      bool   `json:"only"` // there are no other domains
	Rooms     string `json:"rooms"`
	Uploads   string `json:"uploads"` // the host that pictures are shown from
	WebSocket bool   `json:"websocket"`
	BOSH      bool   `json:"bosh"`
	Registers bool   `json:"registers"`
}

func (p *Page) page(w http.ResponseWriter, r *http.Request) {
	base := p.opt.Base(r)
	if to := p.secure(r, base); to != "" {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return
	}
	text, err := p.render(r, base)
	if err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy(r.Host, base))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("ETag", fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE(text)))
	http.ServeContent(w, r, "", epoch, bytes.NewReader(text))
}

// secure returns where to go for TLS: browsers keep from other pages what login
// needs.
func (p *Page) secure(r *http.Request, base string) string {
	if r.URL.Scheme != "http" || p.opt.HTTP.PublicURL != "" || len(p.opt.HTTP.TLSListen) == 0 {
		return ""
	}
	return base + "/"
}

func (p *Page) render(r *http.Request, base string) ([]byte, error) {
	s := settings{
		Domain: p.opt.Domain(r), Only: len(p.opt.Domains) == 1,
		WebSocket: p.opt.HTTP.WebSocket, BOSH: p.opt.HTTP.BOSH, Registers: p.registers.Load(),
	}
	if p.opt.Rooms != "" {
		s.Rooms = p.opt.Rooms + "." + s.Domain
	}
	if u, err := url.Parse(base); err == nil {
		s.Uploads = u.Hostname()
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = pageTemplate.Execute(&b, map[string]string{"Domain": s.Domain, "Base": p.base, "Settings": string(text)})
	return b.Bytes(), err
}

// policy is what the page may do: run our own scripts, and talk to this server
// under the names it has. converse.js makes its styles as it goes.
func policy(host, base string) string {
	origin := originOf(base)
	sockets := "ws" + strings.TrimPrefix(origin, "http")
	if isHost(host) {
		sockets += " wss://" + host + " ws://" + host
	}
	return "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
		"script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; manifest-src 'self'; " +
		"img-src 'self' data: blob: " + origin + "; media-src 'self' data: blob: " + origin + "; " +
		"connect-src 'self' " + origin + " " + sockets
}

// originOf is an address without its path.
func originOf(base string) string {
	u, err := url.Parse(base)
	if err != nil || !isHost(u.Host) {
		return "'self'"
	}
	return u.Scheme + "://" + u.Host
}

// isHost reports whether a host, with a port or not, can stand in a policy.
func isHost(host string) bool {
	for _, c := range []byte(host) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(".:-[]", c) >= 0) {
			return false
		}
	}
	return host != ""
}
