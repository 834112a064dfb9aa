package chat

import (
	"compress/gzip"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"meerkat/engine/config"
)

func newPage(t *testing.T, change func(*Options)) *Page {
	t.Helper()
	cfg := config.Default()
	cfg.HTTP.TLSListen = []string{":5443"}
	opt := Options{
		HTTP: &cfg.HTTP, Domains: []string{"test"}, Rooms: "conference",
		Domain: func(*http.Request) string { return "test" },
		Base:   func(*http.Request) string { return "https://test:5443" },
	}
	if change != nil {
		change(&opt)
	}
	p, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	p.Reload(cfg)
	return p
}

// get asks as a browser that has come by TLS.
func get(h http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.URL.Scheme = "test:5443", "https"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func settingsOf(t *testing.T, p *Page) (s settings) {
	t.Helper()
	_, rest, _ := strings.Cut(body(t, get(p, "/")), `data-settings="`)
	text, _, _ := strings.Cut(rest, `"`)
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &s); err != nil {
		t.Fatalf("settings %q: %v", text, err)
	}
	return s
}

func TestPageIsSetUpForTheServer(t *testing.T) {
	p := newPage(t, nil)
	want := settings{Domain: "test", Only: true, Rooms: "conference.test", Uploads: "test", WebSocket: true, BOSH: true}
	if got := settingsOf(t, p); got != want {
		t.Errorf("settings %+v, want %+v", got, want)
	}
	cfg := config.Default()
	cfg.Register.Enabled = true
	p.Reload(cfg)
	if !settingsOf(t, p).Registers {
		t.Error("after a reload with register.enabled, the page does not offer it")
	}

	p = newPage(t, func(o *Options) {
		o.Domains, o.Rooms, o.HTTP.BOSH = []string{"test", "other"}, "", false
	})
	want = settings{Domain: "test", Uploads: "test", WebSocket: true}
	if got := settingsOf(t, p); got != want {
		t.Errorf("two domains, no rooms, no BOSH: settings %+v, want %+v", got, want)
	}
}

func TestPageMayDoLittle(t *testing.T) {
	r := get(newPage(t, nil), "/")
	csp := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'self'", "wss://test:5443"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "*") {
		t.Errorf("the policy %q lets too much in", csp)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q, want no-cache", got)
	}
	if again := get(newPage(t, nil), "/", "If-None-Match", r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("the same page again: %d, want 304", again.StatusCode)
	}
}

// A host that somebody makes up gets into no policy.
func TestPolicyOfOddHosts(t *testing.T) {
	for _, host := range []string{"", "x; script-src *", "a b", "a,b", "ä.test", "a'b"} {
		if got := policy(host, "https://test"); strings.Contains(got, "script-src *") || strings.HasSuffix(got, "ws://"+host) {
			t.Errorf("host %q: policy %q", host, got)
		}
	}
	for _, base := range []string{"", "%", "https://a b/", "https://x; script-src */"} {
		if got := policy("test", base); strings.Contains(got, "script-src *") {
			t.Errorf("base %q: policy %q", base, got)
		}
	}
}

func TestPageInClearLeadsToTLS(t *testing.T) {
	ask := func(change func(*Options)) *http.Response {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Scheme = "http"
		w := httptest.NewRecorder()
		newPage(t, change).ServeHTTP(w, r)
		return w.Result()
	}
	r := ask(nil)
	if to := r.Header.Get("Location"); r.StatusCode != http.StatusTemporaryRedirect || to != "https://test:5443/" {
		t.Errorf("got %d to %q, want 307 to https://test:5443/", r.StatusCode, to)
	}
	for what, change := range map[string]func(*Options){
		"no TLS here":      func(o *Options) { o.HTTP.TLSListen = nil },
		"something else's": func(o *Options) { o.HTTP.PublicURL = "https://chat.test" },
	} {
		if r := ask(change); r.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want the page", what, r.StatusCode)
		}
	}
}

// Everything that the page names is there, with a type that browsers take.
func TestAssets(t *testing.T) {
	p := newPage(t, nil)
	text := body(t, get(p, "/"))
	names := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(text, -1)
	if len(names) != 5 {
		t.Fatalf("the page names %d files, want 5:\n%s", len(names), text)
	}
	for _, m := range append(names, []string{"", p.base + "emoji.json"}, []string{"", p.base + "NOTICE.txt"}) {
		plain, zipped := get(p, m[1]), get(p, m[1], "Accept-Encoding", "br, gzip")
		if plain.StatusCode != http.StatusOK || plain.Header.Get("Content-Type") != types[filepath.Ext(m[1])] {
			t.Errorf("%s: got %d %q", m[1], plain.StatusCode, plain.Header.Get("Content-Type"))
		}
		if got := plain.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q, want immutable", m[1], got)
		}
		want := body(t, plain)
		if len(want) == 0 || plain.ContentLength != int64(len(want)) {
			t.Errorf("%s: %d bytes, Content-Length %d", m[1], len(want), plain.ContentLength)
		}
		if got := unzip(t, zipped); got != want {
			t.Errorf("%s: compressed it is %d bytes, plain %d", m[1], len(got), len(want))
		}
	}
}

func unzip(t *testing.T, r *http.Response) string {
	t.Helper()
	text := body(t, r)
	if r.ContentLength != int64(len(text)) {
		t.Errorf("%d bytes, Content-Length %d", len(text), r.ContentLength)
	}
	if r.Header.Get("Content-Encoding") == "" {
		return text
	}
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAcceptsGzip(t *testing.T) {
	for line, want := range map[string]bool{
		"": false, "gzip": true, "br;q=1, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "x-gzip": false, "identity, gzip ": true,
	} {
		if got := acceptsGzip(http.Header{"Accept-Encoding": {line}}); got != want {
			t.Errorf("%q: got %v, want %v", line, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	p := newPage(t, nil)
	for _, path := range []string{"/chat/", "/chat/00000000/start.js", p.base, p.base + "../start.js", p.base + "nothing.js", "/start.js", "/index.html"} {
		if r := get(p, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, r.StatusCode)
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d, Allow %q, want 405", w.Code, w.Header().Get("Allow"))
	}
	w = httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodHead, p.base+"start.js", nil))
	if w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: got %d and %d bytes, want 200 and none", w.Code, w.Body.Len())
	}
}

func TestDir(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if _, err := Dir(dir); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("a directory without index.html: %v", err)
	}
	if _, err := Dir(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "http.chat_dir") {
		t.Errorf("no directory: %v", err)
	}
	for name, text := range map[string]string{
		"index.html": "my page", "sub/file.js": "code", ".env": "secret", ".git/config": "secret", "sub/.key": "secret",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	h, err := Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "my page", "/sub/file.js": "code"} {
		if r := get(h, path); r.StatusCode != http.StatusOK || body(t, r) != want {
			t.Errorf("%s: got %d, want %q", path, r.StatusCode, want)
		}
	}
	for _, path := range []string{"/sub/", "/.env", "/.git/config", "/sub/.key", "/link", "/../secret", "/missing"} {
		if r := get(h, path); r.StatusCode < 400 || strings.Contains(body(t, r), "secret") {
			t.Errorf("%s: got %d, want it refused", path, r.StatusCode)
		}
	}
}
