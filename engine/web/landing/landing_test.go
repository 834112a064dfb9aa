package landing

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestFilesAndHeaders(t *testing.T) {
	for _, row := range []struct {
		method, path, kind string
		code               int
	}{
		{"GET", "/invite/", "text/html; charset=utf-8", 200},
		{"HEAD", "/invite/", "text/html; charset=utf-8", 200},
		{"GET", "/invite/page.js", "text/javascript; charset=utf-8", 200},
		{"GET", "/invite/page.css", "text/css; charset=utf-8", 200},
		{"GET", "/invite/landing.go", "text/plain; charset=utf-8", 404},
		{"GET", "/invite/../page.html", "text/plain; charset=utf-8", 404},
		{"GET", "/invite/.", "text/plain; charset=utf-8", 404},
		{"POST", "/invite/", "text/plain; charset=utf-8", 405},
	} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(row.method, row.path, nil))
		h := w.Header()
		if w.Code != row.code || h.Get("Content-Type") != row.kind || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: got %d, %v", row.method, row.path, w.Code, h)
		}
		if row.code == 200 && (h.Get("Content-Security-Policy") != policy || h.Get("Referrer-Policy") != "no-referrer") {
			t.Errorf("%s: got %v", row.path, h)
		}
	}
}

// The policy forbids what the page must not have.
func TestNothingInline(t *testing.T) {
	b, err := files.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]`).Find(b); m != nil {
		t.Errorf("the page has %s", m)
	}
	if strings.Contains(string(b), "http:") {
		t.Error("a link is in clear")
	}
}
