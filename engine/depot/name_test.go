package depot

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"a.jpg":                            "a.jpg",
		"très cool.jpg":                    "très cool.jpg",
		"../../etc/passwd":                 "passwd",
		`C:\Users\me\a.txt`:                "a.txt",
		"..":                               "file",
		".":                                "file",
		"a/":                               "file",
		"a/..":                             "file",
		" . .. ":                           "file",
		"\x00\x01\x7f":                     "file",
		"a\r\nX-Evil: 1":                   "aX-Evil: 1",
		"photo\u202egpj.exe":               "photogpj.exe",
		"\u200bname\ufeff":                 "name",
		"bad\xffutf8":                      "badutf8",
		".profile":                         ".profile",
		"日本語.png":                          "日本語.png",
		strings.Repeat("x", 300):           strings.Repeat("x", 200),
		strings.Repeat("é", 150) + ".jpeg": strings.Repeat("é", 97) + ".jpeg",
	} {
		if got := SafeName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestSafeType(t *testing.T) {
	for text, want := range map[string]string{
		"image/jpeg":                       "image/jpeg",
		"Image/JPEG":                       "image/jpeg",
		"text/plain; charset=utf-8":        "text/plain; charset=utf-8",
		"text/plain;charset=UTF-8":         "text/plain; charset=UTF-8",
		"":                                 "",
		"jpeg":                             "",
		"image/":                           "",
		"/":                                "",
		"a/b/c":                            "",
		"image/jpeg\r\nX: y":               "",
		"image/jpeg, text/html":            "",
		"text/plain; a":                    "",
		"text/" + strings.Repeat("x", 200): "",
	} {
		if got, ok := SafeType(text); got != want && ok || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, ok, want)
		}
	}
}

// Whatever a client calls a file, it becomes one component of a path, without
// anything that a header or a screen would take for something else.
func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.jpg", "../x", "a\x00b", "\u202e", strings.Repeat("ü", 300) + ".tar.gz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := SafeName(name)
		if got == "" || got == "." || got == ".." || len(got) > maxName || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00\r\n\u202e") {
			t.Errorf("%q becomes %q", name, got)
		}
		if again := SafeName(got); again != got {
			t.Errorf("%q becomes %q, and that %q", name, got, again)
		}
	})
}

// What becomes of a media type can stand in a header, and is read as itself.
func FuzzSafeType(f *testing.F) {
	for _, s := range []string{"image/jpeg", "text/plain; charset=\"a b\"", "a/b; c*=utf-8''%e4", "a/b\r\nc: d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kind, ok := SafeType(text)
		if !ok {
			return
		}
		for _, c := range []byte(kind) {
			if c < ' ' || c > '~' {
				t.Errorf("%q becomes %q", text, kind)
			}
		}
		if again, ok := SafeType(kind); !ok || again != kind {
			t.Errorf("%q becomes %q, and that %q", text, kind, again)
		}
	})
}

// What ParseID reads is what String writes.
func FuzzParseID(f *testing.F) {
	f.Add(ID{}.String())
	f.Add("../../../../../../../etc/passwd")
	f.Add(strings.Repeat("a", 31) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := ParseID(text)
		if ok && id.String() != text || ok && len(id.shard()) != 2 {
			t.Errorf("%q is read as %v", text, id)
		}
	})
}

// A row that cannot be read is an error, and one that can is written the same.
func FuzzReadRow(f *testing.F) {
	r := row{filled: true, size: 5, created: 1e9, begin: 1e9 + 300, until: 7, kind: "image/png", name: "ä.png"}
	f.Add(r.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRow(b)
		if err != nil {
			return
		}
		if again, err := readRow(r.append(nil)); err != nil || again != r {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
	})
}
