package chat

import (
	"archive/zip"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets.zip
var archive string

//go:embed start.js
var startJS string

//go:embed page.css
var pageCSS string

// asset is a file as browsers get it: compressed, in the binary itself.
type asset struct {
	contentType string
	deflated    string // RFC 1951; "" if plain has it
	plain       string
	size        int // bytes when it is not compressed
	sum         uint32
}

// types of what is in the archive, whatever the box thinks of them.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".ico":  "image/x-icon",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".mp3":  "audio/mpeg",
	".ogg":  "audio/ogg",
	".png":  "image/png",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
	".txt":  "text/plain; charset=utf-8",
}

// assets are the files of the archive and our own, by their names. version
// changes whenever one of them does.
func assets() (files map[string]asset, version string, err error) {
	z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, "", fmt.Errorf("chat: assets.zip: %w", err)
	}
	files = make(map[string]asset, len(z.File)+2)
	all := crc32.NewIEEE()
	for _, f := range z.File {
		a, err := unpacked(f)
		if err != nil {
			return nil, "", fmt.Errorf("chat: assets.zip: %s: %w", f.Name, err)
		}
		files[f.Name] = a
		_, _ = fmt.Fprintf(all, "%s %x ", f.Name, a.sum)
	}
	for name, text := range map[string]string{"start.js": startJS, "page.css": pageCSS} {
		files[name] = asset{contentType: types[path.Ext(name)], plain: text, size: len(text)}
	}
	_, _ = io.WriteString(all, startJS+pageCSS)
	return files, fmt.Sprintf("%08x", all.Sum32()), nil
}

func unpacked(f *zip.File) (a asset, err error) {
	at, err := f.DataOffset()
	if err != nil {
		return a, err
	}
	a = asset{contentType: types[path.Ext(f.Name)], size: int(f.UncompressedSize64), sum: f.CRC32}
	switch {
	case a.contentType == "":
		return a, fmt.Errorf("no content type for %q", path.Ext(f.Name))
	case f.Method != zip.Deflate:
		return a, fmt.Errorf("method %d, want deflate", f.Method)
	}
	a.deflated = archive[at : at+int64(f.CompressedSize64)]
	return a, nil
}

// serve answers with the file. Its address has the version in it, so that it
// never changes.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Vary", "Accept-Encoding")
	zipped := a.deflated != "" && acceptsGzip(r.Header)
	size := a.size
	if zipped {
		h.Set("Content-Encoding", "gzip")
		size = len(gzipHead) + len(a.deflated) + gzipTail
	}
	h.Set("Content-Length", strconv.Itoa(size))
	if r.Method == http.MethodHead {
		return
	}
	switch {
	case zipped:
		a.gzip(w)
	case a.deflated != "":
		_, _ = io.Copy(w, flate.NewReader(strings.NewReader(a.deflated)))
	default:
		_, _ = io.WriteString(w, a.plain)
	}
}

// gzip (RFC 1952) is what the archive has with another frame around it.
const (
	gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" // deflate, no time, slowest, unknown system
	gzipTail = 8
)

func (a *asset) gzip(w io.Writer) {
	tail := binary.LittleEndian.AppendUint32(nil, a.sum)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(a.size))
	for _, part := range []string{gzipHead, a.deflated, string(tail)} {
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}

// acceptsGzip reports whether a client can unpack gzip (RFC 9110 §12.5.3).
func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				q, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
				return !ok || strings.Trim(q, "0.") != ""
			}
		}
	}
	return false
}
