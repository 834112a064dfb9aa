package chat

import (
	"archive/zip"
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

// asset is a file as browsers get it. Nothing of the archive but its directory
// is read, so in memory, before somebody asks.
type asset struct {
	contentType string
	packed      *zip.File // by deflate (RFC 1951); nil if plain has it
	plain       string
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
		a := asset{contentType: types[path.Ext(f.Name)], packed: f}
		if a.contentType == "" || f.Method != zip.Deflate {
			return nil, "", fmt.Errorf("chat: assets.zip: %s has no content type, or method %d, which is not deflate", f.Name, f.Method)
		}
		files[f.Name] = a
		_, _ = fmt.Fprintf(all, "%s %x ", f.Name, f.CRC32)
	}
	for name, text := range map[string]string{"start.js": startJS, "page.css": pageCSS} {
		files[name] = asset{contentType: types[path.Ext(name)], plain: text}
	}
	_, _ = io.WriteString(all, startJS+pageCSS)
	return files, fmt.Sprintf("%08x", all.Sum32()), nil
}

// serve answers with the file. Its address has the version in it, so that it
// never changes.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Vary", "Accept-Encoding")
	if r.Method == http.MethodHead {
		return
	}
	switch {
	case a.packed == nil:
		h.Set("Content-Length", strconv.Itoa(len(a.plain)))
		_, _ = io.WriteString(w, a.plain)
	case acceptsGzip(r.Header):
		a.gzip(w)
	default:
		a.unpack(w)
	}
}

const (
	gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" // deflate, no time, slowest, unknown system
	gzipTail = 8
)

// gzip (RFC 1952) is what the archive has with another frame around it.
func (a *asset) gzip(w http.ResponseWriter) {
	at, err := a.packed.DataOffset()
	if err != nil {
		http.Error(w, "the archive is damaged", http.StatusInternalServerError)
		return
	}
	deflated := archive[at : at+int64(a.packed.CompressedSize64)]
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(len(gzipHead)+len(deflated)+gzipTail))
	tail := binary.LittleEndian.AppendUint32(nil, a.packed.CRC32)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(a.packed.UncompressedSize64))
	for _, part := range []string{gzipHead, deflated, string(tail)} {
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}

// unpack is for clients that do not take gzip.
func (a *asset) unpack(w http.ResponseWriter) {
	f, err := a.packed.Open()
	if err != nil {
		http.Error(w, "the archive is damaged", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Length", strconv.FormatUint(a.packed.UncompressedSize64, 10))
	_, _ = io.Copy(w, f)
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
