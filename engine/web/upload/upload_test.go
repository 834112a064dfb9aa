package upload

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/depot"
	"meerkat/store"
)

// site answers for a depot over a real store, with a clock of its own.
type site struct {
	http.Handler
	t     *testing.T
	depot *depot.Depot
	store *store.Store
	dir   string
	cfg   *config.Config
	clock atomic.Int64
	log   bytes.Buffer
}

func newSite(t *testing.T, change func(*config.Config)) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), cfg: config.Default()}
	s.cfg.Limits.DiskFree = 0
	if change != nil {
		change(s.cfg)
	}
	s.clock.Store(1e9)
	var err error
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	if s.store, err = store.Open(store.Options{Dir: s.dir, Logger: log, MapSize: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	s.depot = depot.New(depot.Options{Store: s.store, Secret: []byte("x"), Logger: log, Now: func() time.Time { return time.Unix(s.clock.Load(), 0) }})
	s.depot.SetLimits(s.cfg)
	if err := s.depot.Prepare(); err != nil {
		t.Fatal(err)
	}
	s.Handler = New(Options{Depot: s.depot, HTTP: &s.cfg.HTTP, Logger: log})
	return s
}

// place returns the URLs that a client would be told.
func (s *site) place(q depot.Request) (put, get string) {
	s.t.Helper()
	id := depot.NewID(s.depot.Now())
	q.Owner = "romeo@test"
	if err := s.store.UpdateWait(func(tx *store.Tx) error { return s.depot.Reserve(tx, id, q, s.depot.Now()) }); err != nil {
		s.t.Fatal(err)
	}
	get = Prefix + id.String() + "/" + "name"
	return get + "?slot=" + s.depot.Sign(id).String(), get
}

// ask makes a request; header are names and values in turn.
func (s *site) ask(method, url, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header.Set("Content-Length", "present")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Content-Length" && header[i+1] == "" {
			r.Header.Del("Content-Length")
			r.ContentLength = 0
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *site) put(q depot.Request, data string) (get string) {
	s.t.Helper()
	q.Size = int64(len(data))
	put, get := s.place(q)
	if w := s.ask("PUT", put, data, "Content-Type", q.Type); w.Code != http.StatusCreated {
		s.t.Fatalf("PUT: %d %s", w.Code, w.Body)
	}
	return get
}

func TestPutOnlyToItsPlace(t *testing.T) {
	s := newSite(t, nil)
	jpeg := depot.Request{Name: "a.jpg", Type: "image/jpeg", Size: 5}
	put, get := s.place(jpeg)
	other, _ := s.place(jpeg)
	slot, otherSlot := put[strings.Index(put, "?"):], other[strings.Index(other, "?"):]
	id := strings.Split(get, "/")[2]
	for i, row := range []struct {
		method, url, body string
		header            []string
		want              int
	}{
		{"PUT", get, "hello", nil, 403},
		{"PUT", get + "?slot=", "hello", nil, 403},
		{"PUT", get + otherSlot, "hello", nil, 403},
		{"PUT", get + slot + "&slot=x", "hello", nil, 403},
		{"PUT", get + slot + "a", "hello", nil, 403},
		{"PUT", get + strings.ToUpper(slot), "hello", nil, 403},
		{"PUT", get + slot + ";", "hello", nil, 403},
		{"PUT", Prefix + strings.Repeat("a", 32) + "/name" + slot, "hello", nil, 403},
		{"PUT", Prefix + id + slot, "hello", nil, 404},
		{"PUT", Prefix + id + "/" + slot, "hello", nil, 404},
		{"PUT", Prefix + id + "/a/b" + slot, "hello", nil, 404},
		{"PUT", Prefix + strings.ToUpper(id) + "/name" + slot, "hello", nil, 404},
		{"PUT", Prefix + "..%2f..%2fmain.db/name" + slot, "hello", nil, 404},
		{"PUT", put, "hell", nil, 400},
		{"PUT", put, "helloo", nil, 413},
		{"PUT", put, "", nil, 400},
		{"PUT", put, "hello", []string{"Content-Length", ""}, 411},
		{"PUT", put, "hello", []string{"Content-Type", "text/html"}, 415},
		{"PUT", put, "hello", []string{"Content-Type", "image/jpeg, text/html"}, 415},
		{"PUT", put, "hello", []string{"Content-Encoding", "gzip"}, 415},
		{"PUT", put, "hello", []string{"Content-Range", "bytes 0-4/5"}, 415},
		{"POST", put, "hello", nil, 405},
		{"DELETE", get, "", nil, 405},
		{"GET", get, "", nil, 404},
		{"PUT", put, "hello", []string{"Content-Type", "Image/JPEG; x=y"}, 201},
		{"PUT", put, "hello", nil, 409},
		{"GET", get, "", nil, 200},
		{"GET", get + slot, "", nil, 200},
		{"GET", Prefix + id + "/another%20name", "", nil, 200},
		{"GET", Prefix + id, "", nil, 404},
		{"GET", Prefix, "", nil, 404},
		{"GET", Prefix + "tmp/name", "", nil, 404},
		{"GET", Prefix + "%2e%2e/main.db", "", nil, 404},
		{"GET", Prefix + id + "%00/name", "", nil, 404},
		{"GET", Prefix + strings.Repeat("a", 32) + "/name", "", nil, 404},
	} {
		w := s.ask(row.method, row.url, row.body, row.header...)
		if w.Code != row.want {
			t.Errorf("%d %s %s %q: got %d %s, want %d", i, row.method, row.url, row.header, w.Code, w.Body, row.want)
		}
		if row.want == 405 && w.Header().Get("Allow") != methods {
			t.Errorf("Allow is %q", w.Header().Get("Allow"))
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "uploads", "tmp", "*")); len(left) > 0 {
		t.Errorf("left is %v", left)
	}
	s.clock.Add(301)
	if w := s.ask("PUT", other, "hello"); w.Code != 410 {
		t.Errorf("too late: %d %s", w.Code, w.Body)
	}
	if s.log.Len() > 0 {
		t.Errorf("an operator hears of it: %s", s.log.String())
	}
}

// TestBodyEndsEarly: as net/http tells it when the connection breaks.
func TestBodyEndsEarly(t *testing.T) {
	s := newSite(t, nil)
	put, get := s.place(depot.Request{Name: "a", Size: 5})
	r := httptest.NewRequest("PUT", put, io.MultiReader(strings.NewReader("he"), broken{}))
	r.ContentLength = 5
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := s.ask("GET", get, ""); w.Code != 404 {
		t.Errorf("half a file: %d", w.Code)
	}
	if w := s.ask("PUT", put, "hello"); w.Code != 201 {
		t.Errorf("another try: %d %s", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Each row is a type as announced and as put, and what a browser is told.
func TestTypes(t *testing.T) {
	s := newSite(t, nil)
	for _, row := range []struct{ announced, given, want, how string }{
		{"image/png", "image/png", "image/png", "inline"},
		{"image/png", "", "image/png", "inline"},
		{"", "image/png", "image/png", "inline"},
		{"", "", "application/octet-stream", "attachment"},
		{"video/mp4", "video/mp4", "video/mp4", "inline"},
		{"audio/ogg; codecs=opus", "audio/ogg", "audio/ogg; codecs=opus", "inline"},
		{"image/svg+xml", "image/svg+xml", "image/svg+xml", "attachment"},
		{"image/svg", "image/svg", "image/svg", "attachment"},
		{"image/xml", "image/xml", "image/xml", "attachment"},
		{"text/html", "text/html", "text/html", "attachment"},
		{"application/xhtml+xml", "application/xhtml+xml", "application/xhtml+xml", "attachment"},
		{"application/pdf", "application/pdf", "application/pdf", "attachment"},
		{"text/plain; charset=utf-8", "text/plain;charset=UTF-8", "text/plain; charset=utf-8", "attachment"},
	} {
		put, get := s.place(depot.Request{Name: "a", Type: row.announced, Size: 5})
		if w := s.ask("PUT", put, "hello", "Content-Type", row.given); w.Code != 201 {
			t.Errorf("%+v: PUT %d %s", row, w.Code, w.Body)
			continue
		}
		w := s.ask("GET", get, "")
		want := map[string]string{
			"Content-Type": row.want, "Content-Disposition": row.how + "; filename=a", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox", "Content-Length": "5",
		}
		for name, v := range want {
			if got := w.Header().Get(name); got != v {
				t.Errorf("%+v: %s is %q, want %q", row, name, got, v)
			}
		}
		if w.Code != 200 || w.Body.String() != "hello" {
			t.Errorf("%+v: GET %d %q", row, w.Code, w.Body)
		}
	}
}

func TestInlineIsAnOption(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.Upload.Inline = []string{"image/png", "Text/*"} })
	for kind, how := range map[string]string{"image/png": "inline", "image/jpeg": "attachment", "text/plain": "inline", "text/xml": "attachment"} {
		get := s.put(depot.Request{Name: "a", Type: kind}, "hello")
		if got := s.ask("GET", get, "").Header().Get("Content-Disposition"); got != how+"; filename=a" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestNamesInHeaders(t *testing.T) {
	s := newSite(t, nil)
	for name, want := range map[string]string{
		"a b.jpg":  `attachment; filename="a b.jpg"`,
		`a"b;.jpg`: `attachment; filename="a\"b;.jpg"`,
		"très.jpg": "attachment; filename*=utf-8''tr%C3%A8s.jpg",
	} {
		get := s.put(depot.Request{Name: name}, "hello")
		if got := s.ask("GET", get, "").Header().Get("Content-Disposition"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	s := newSite(t, nil)
	get := s.put(depot.Request{Name: "a"}, "hello world")
	etag := s.ask("GET", get, "").Header().Get("ETag")
	if len(etag) < 10 {
		t.Fatalf("ETag is %s", etag)
	}
	for _, row := range []struct {
		method, name, value string
		code                int
		body                string
	}{
		{"GET", "Range", "bytes=0-4", 206, "hello"},
		{"GET", "Range", "bytes=-5", 206, "world"},
		{"GET", "Range", "bytes=6-", 206, "world"},
		{"GET", "Range", "bytes=11-", 416, ""},
		{"GET", "Range", "lines=1", 416, ""},
		{"GET", "If-None-Match", etag, 304, ""},
		{"GET", "If-None-Match", `"x"`, 200, "hello world"},
		{"GET", "If-Match", `"x"`, 412, ""},
		{"GET", "If-Modified-Since", time.Unix(1e9, 0).UTC().Format(http.TimeFormat), 304, ""},
		{"GET", "If-Modified-Since", time.Unix(1e9-1, 0).UTC().Format(http.TimeFormat), 200, "hello world"},
		{"HEAD", "X", "x", 200, ""},
	} {
		w := s.ask(row.method, get, "", row.name, row.value)
		if w.Code != row.code || w.Body.String() != row.body && row.code < 400 {
			t.Errorf("%s %s: %s: got %d %q", row.method, row.name, row.value, w.Code, w.Body)
		}
	}
}

func TestCachesEndWithTheFile(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.Upload.Retention = config.Duration(time.Hour) })
	get := s.put(depot.Request{Name: "a"}, "hello")
	soon := s.put(depot.Request{Name: "a", Until: time.Unix(1e9+90, 0)}, "hello")
	s.clock.Add(60)
	for url, want := range map[string]string{get: "3540", soon: "30"} {
		if got := s.ask("GET", url, "").Header().Get("Cache-Control"); got != "private, immutable, max-age="+want {
			t.Errorf("got %q, want %s s", got, want)
		}
	}
	s.clock.Add(30)
	if w := s.ask("GET", soon, ""); w.Code != 404 {
		t.Errorf("a file that is over: %d", w.Code)
	}
}

func TestOrigins(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.HTTP.Origins = []string{"https://good.example/"} })
	put, get := s.place(depot.Request{Name: "a", Size: 5})
	for origin, allowed := range map[string]bool{"https://good.example": true, "https://example.com": true, "https://evil.example": false, "null": false, "": false} {
		for _, url := range []string{put, get} {
			w := s.ask("OPTIONS", url, "", "Origin", origin, "Access-Control-Request-Method", "PUT")
			got := w.Header().Get("Access-Control-Allow-Origin")
			if w.Code != 204 || (got == origin && origin != "") != allowed || got == "*" || w.Header().Get("Vary") != "Origin" {
				t.Errorf("%s: %d, allowed %q", origin, w.Code, got)
			}
			if allowed && (w.Header().Get("Access-Control-Allow-Methods") != methods || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Content-Type")) {
				t.Errorf("%s: %v", origin, w.Header())
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: credentials are allowed", origin)
			}
		}
	}
	s.cfg.HTTP.Origins = []string{"*"}
	if got := s.ask("PUT", put, "hello", "Origin", "https://any.example").Header().Get("Access-Control-Allow-Origin"); got != "https://any.example" {
		t.Errorf("any: allowed %q", got)
	}
}

// TestDisk: no room is 507, trouble is 500 and the operator's business, and
// neither tells the client of our disk.
func TestDisk(t *testing.T) {
	s := newSite(t, nil)
	put, _ := s.place(depot.Request{Name: "a", Size: 5})
	s.cfg.Limits.DiskFree = 1 << 60
	s.depot.SetLimits(s.cfg)
	if w := s.ask("PUT", put, "hello"); w.Code != 507 || w.Body.String() != "there is no room for the file\n" {
		t.Errorf("no room: %d %s", w.Code, w.Body)
	}
	if s.log.Len() > 0 {
		t.Errorf("an operator hears of it here: %s", s.log.String())
	}
	s.cfg.Limits.DiskFree = 0
	s.depot.SetLimits(s.cfg)
	if err := os.RemoveAll(filepath.Join(s.dir, "uploads", "tmp")); err != nil {
		t.Fatal(err)
	}
	if w := s.ask("PUT", put, "hello"); w.Code != 500 || strings.Contains(w.Body.String(), s.dir) {
		t.Errorf("trouble: %d %s", w.Code, w.Body)
	}
	if !strings.Contains(s.log.String(), "level=ERROR") || !strings.Contains(s.log.String(), "uploads/tmp") {
		t.Errorf("the log says %q", s.log.String())
	}
}

// FuzzURL: what is read of a URL is what was written into one, and nothing of it
// gets anywhere near a path of ours.
func FuzzURL(f *testing.F) {
	id, sig := depot.NewID(time.Unix(1e9, 0)).String(), depot.ID{1}.String()
	f.Add(Prefix+id+"/a.jpg", "slot="+sig)
	f.Add(Prefix+"../../../../etc/passwd/x", "slot=%00&slot=")
	f.Add(Prefix+strings.Repeat("a", 31)+"\n/x", "slot="+strings.Repeat("a", 31)+"%0a")
	f.Fuzz(func(t *testing.T, path, query string) {
		if id, ok := parsePath(path); ok && !strings.HasPrefix(path, Prefix+id.String()+"/") {
			t.Errorf("%q is read as %v", path, id)
		}
		if s, ok := parseQuery(query); ok && len(s.String()) != depot.IDLen {
			t.Errorf("%q is read as %v", query, s)
		}
	})
}
