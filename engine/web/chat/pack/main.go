// The command pack makes assets.zip: the files of converse.js that browsers ask
// for, as npm has them, and the licences of what is in them. The same packages
// give the same bytes.
//
// It runs in the folder of package chat and needs npm.
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
)

func main() {
	out := "assets.zip"
	if len(os.Args) > 1 {
		out = os.Args[1]
	}
	if err := pack(out); err != nil {
		log.Fatal(err)
	}
}

func pack(out string) error {
	dir, err := os.MkdirTemp("", "meerkat-chat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := install(dir); err != nil {
		return err
	}
	modules := os.DirFS(filepath.Join(dir, "node_modules"))
	dist, err := fs.Sub(modules, "converse.js/dist")
	if err != nil {
		return err
	}
	names, err := choose(dist)
	if err != nil {
		return err
	}
	text, err := notice(modules)
	if err != nil {
		return err
	}
	return write(out, dist, names, text)
}

// install has npm fetch what package-lock.json names, by its checksums, and run
// nothing of it.
func install(dir string) error {
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd.Run()
}

// wanted are the files of converse.js that a page asks for, in its languages.
// Encryption by OMEMO is left out, as the licence of libomemo.js is not told.
var wanted = []string{
	"converse.min.js", "converse.min.css", "emoji.json",
	"chunkjs/locales/*.js", "chunkjs/locales/dayjs/*.js",
	"images/favicon.ico", "images/custom_emojis/*.png", "images/logo/conversejs-filled*.svg",
	"sounds/*.mp3", "sounds/*.ogg", "webfonts/*.ttf",
}

// choose returns the names of wanted files, sorted.
func choose(dist fs.FS) (names []string, err error) {
	for _, pattern := range wanted {
		found, err := fs.Glob(dist, pattern)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("converse.js has no %s", pattern)
		}
		names = append(names, found...)
	}
	languages := map[string]bool{}
	for _, name := range names {
		if lang, ok := strings.CutSuffix(path.Base(name), "-LC_MESSAGES-converse-po.js"); ok {
			languages[strings.ToLower(strings.ReplaceAll(lang, "_", "-"))] = true
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { // calendars of languages that the page is not in
		lang := strings.TrimSuffix(path.Base(name), "-js.js")
		base, _, _ := strings.Cut(lang, "-")
		return path.Base(path.Dir(name)) == "dayjs" && !languages[lang] && !languages[base]
	})
	slices.Sort(names)
	return names, nil
}

// unused are packages of which nothing is in the files.
var unused = []string{"prettier", "@types/trusted-types", "@lit-labs/ssr-dom-shim"}

const head = `The chat page is converse.js %s, whose licence is the Mozilla Public License 2.0,
without changes. Its source form is the package converse.js of that version at
https://www.npmjs.com/package/converse.js and https://github.com/conversejs/converse.js.
It has parts of other projects in it. All licences follow.
`

// notice returns the licences of everything that is in the files.
func notice(modules fs.FS) ([]byte, error) {
	var b bytes.Buffer
	version, err := fs.ReadFile(modules, "converse.js/package.json")
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(version), `"version": "`)
	number, _, _ := strings.Cut(rest, `"`)
	fmt.Fprintf(&b, head, number)
	dirs, err := packages(modules)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := licence(&b, modules, dir); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func packages(modules fs.FS) (dirs []string, err error) {
	for _, pattern := range []string{"*/package.json", "@*/*/package.json"} {
		found, err := fs.Glob(modules, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if dir := path.Dir(name); !slices.Contains(unused, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return dirs, nil
}

func licence(b *bytes.Buffer, modules fs.FS, dir string) error {
	fmt.Fprintf(b, "\n==== %s ====\n\n", dir)
	n := 0
	for _, pattern := range []string{"LICEN[CS]E*", "COPYRIGHT", "package.json"} {
		found, err := fs.Glob(modules, path.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range found {
			text, err := fs.ReadFile(modules, name)
			switch {
			case err != nil:
				return err
			case path.Base(name) == "package.json" && n > 0:
				continue
			case path.Base(name) == "package.json":
				text = named(text)
			}
			n++
			fmt.Fprintf(b, "%s\n", bytes.TrimSpace(text))
		}
	}
	return nil
}

// named is what a package without a file of its licence says in package.json.
func named(text []byte) (lines []byte) {
	for line := range bytes.Lines(text) {
		for _, key := range []string{`"license"`, `"author"`, `"homepage"`} {
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte(key)) {
				lines = append(lines, line...)
			}
		}
	}
	return lines
}

func write(out string, dist fs.FS, names []string, text []byte) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	if err := add(z, "NOTICE.txt", text); err != nil {
		return err
	}
	for _, name := range names {
		b, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		if err := add(z, name, b); err != nil {
			return err
		}
	}
	return z.Close()
}

// add puts a file in, without its time.
func add(z *zip.Writer, name string, b []byte) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
