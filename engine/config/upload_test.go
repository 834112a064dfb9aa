package config

import (
	"strings"
	"testing"
)

func TestUploadMistakes(t *testing.T) {
	for _, row := range []struct{ file, want string }{
		{"[upload]\nname = 'a b'", `m.toml: upload.name is "a b", which cannot begin a domain`},
		{"[upload]\nname = 'Conference'", `m.toml: upload.name and rooms.name are both "Conference"`},
		{"domains = ['example.org', 'upload.example.org']", `m.toml: upload.name makes "upload.example.org" the domain of uploads, which is among domains`},
		{"[upload]\ninline = ['image']", `m.toml: upload.inline has "image": want a type, as "image/png" or "image/*"`},
		{"[upload]\ninline = ['image/png; a=b']", `m.toml: upload.inline has "image/png; a=b"`},
		{"[upload]\nmax_size = '1B'", "m.toml: upload.max_size is 1B: want 1KiB to 1PiB"},
		{"[upload]\nretention = '1s'", "m.toml: upload.retention is 1s: want 1m to 876000h"},
	} {
		if _, err := parse("m.toml", []byte(row.file)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", row.file, err, row.want)
		}
	}
}

func TestUploadsNeedHTTP(t *testing.T) {
	for file, want := range map[string]bool{
		"": false, "[http]\ntls_listen = [':5443']": true, "[http]\nlisten = [':5280']": true,
		"[http]\ntls_listen = [':5443']\n[upload]\nname = ''": false,
	} {
		c, err := parse("m.toml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if c.Uploads() != want {
			t.Errorf("%q: got %v", file, c.Uploads())
		}
	}
}

func TestShownInline(t *testing.T) {
	u := &Upload{Inline: []string{"image/*", "text/Plain", "application/*"}}
	for kind, want := range map[string]bool{
		"image/png": true, "text/plain": true, "text/html": false, "video/mp4": false, "": false, "imagex/png": false,
		"image/svg+xml": false, "image/svg": false, "application/xml": false, "application/xhtml+xml": false,
	} {
		if got := u.Shows(kind); got != want {
			t.Errorf("%q: got %v", kind, got)
		}
	}
}

func TestBaseOfURLs(t *testing.T) {
	for file, want := range map[string]string{
		"":                               "",
		"[http]\ntls_listen = [':5443']": "https://example.org:5443",
		"[http]\ntls_listen = ['[::]:443', ':5443']":                      "https://example.org",
		"[http]\nlisten = [':5280']":                                      "http://example.org:5280",
		"[http]\nlisten = [':80']":                                        "http://example.org",
		"[http]\nlisten = [':5280']\ntls_listen = [':5443']":              "https://example.org:5443",
		"[http]\nlisten = [':5280']\npublic_url = 'https://a.example/x/'": "https://a.example/x",
	} {
		c, err := parse("m.toml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.HTTP.Base("example.org"); got != want {
			t.Errorf("%q: got %s, want %s", file, got, want)
		}
	}
}
