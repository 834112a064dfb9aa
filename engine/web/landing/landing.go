// Package landing is the page that somebody invited sees in a browser (XEP-0401 §6.2,
// XEP-0379 §3.3). The invitation stands behind the # of its address, so that it never
// leaves the browser: the page is the same for everybody.
package landing

import (
	"embed"
	"net/http"
	"path"
	"strings"
	"time"

	"meerkat/engine/metric"
)

// Prefix is where the page is.
const Prefix = "/invite/"

//go:embed page.html page.css page.js
var files embed.FS

var shown = metric.NewCounter("meerkat_web_invites_shown_total",
	"Times that the page for the invited was fetched.")

// types are those of the files, which the system's tables need not know.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
}

// policy lets the page load its own files and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers for the page and its files.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this only can be read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	if name == "" {
		name = "page.html"
		shown.Add(metric.OffLoop, 1)
	}
	b, err := files.ReadFile(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", types[path.Ext(name)])
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "max-age=3600")
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(string(b)))
}
