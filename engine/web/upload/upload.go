// Package upload takes the files that clients upload, and hands them out
// (XEP-0363 §7): PUT and GET of /upload/ID/NAME. What a file is called there is
// for people; it is found by its ID.
package upload

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/depot"
)

// Prefix is the path below which files are.
const Prefix = "/upload/"

// Options of a handler.
type Options struct {
	Depot  *depot.Depot
	HTTP   *config.HTTP
	Logger *slog.Logger
}

type handler struct {
	depot *depot.Depot
	http  *config.HTTP
	log   *slog.Logger
}

// New returns what answers below Prefix.
func New(o Options) http.Handler { return &handler{o.Depot, o.HTTP, o.Logger} }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.share(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	id, ok := parsePath(r.URL.Path)
	switch {
	case !ok:
		http.Error(w, "there is no such file", http.StatusNotFound)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		h.get(w, r, id)
	case r.Method == http.MethodPut:
		h.put(w, r, id)
	default:
		w.Header().Set("Allow", methods)
		http.Error(w, "files are uploaded by PUT and fetched by GET", http.StatusMethodNotAllowed)
	}
}

const methods = "GET, HEAD, OPTIONS, PUT"

// parsePath reads the path of a URL: Prefix, an ID, and a name.
func parsePath(path string) (id depot.ID, ok bool) {
	rest, ok := strings.CutPrefix(path, Prefix)
	text, name, more := strings.Cut(rest, "/")
	if !ok || !more || name == "" || strings.Contains(name, "/") {
		return id, false
	}
	return depot.ParseID(text)
}

// parseQuery reads what proves that a client was promised the place.
func parseQuery(query string) (s depot.Signature, ok bool) {
	v, err := url.ParseQuery(query)
	if err != nil || len(v["slot"]) != 1 {
		return s, false
	}
	return depot.ParseSignature(v.Get("slot"))
}

// share lets scripts of other origins use this, as far as the configuration
// does (§8). No cookies are looked at here, so a page gets nothing that its
// server could not get.
func (h *handler) share(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	hd := w.Header()
	hd.Add("Vary", "Origin")
	if origin == "" || !h.http.Allows(origin, r.Host) {
		return
	}
	hd.Set("Access-Control-Allow-Origin", origin)
	hd.Set("Access-Control-Allow-Methods", methods)
	hd.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Range")
	hd.Set("Access-Control-Expose-Headers", "Accept-Ranges, Content-Range, Content-Disposition, ETag")
	hd.Set("Access-Control-Max-Age", "86400")
}

// put takes a file for a place.
func (h *handler) put(w http.ResponseWriter, r *http.Request, id depot.ID) {
	status, err := h.store(r, id)
	if err != nil {
		refused.Add(offLoop, reason(status), 1)
		h.complain(status, err, r)
		http.Error(w, explain(status, err), status)
		return
	}
	h.log.Debug("file uploaded", "id", id.String(), "bytes", r.ContentLength, "client", r.RemoteAddr)
	w.WriteHeader(http.StatusCreated)
}

// buffers are what bytes pass through on their way to the disk.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// store holds the request against what was promised, and stores its body.
func (h *handler) store(r *http.Request, id depot.ID) (status int, err error) {
	sig, ok := parseQuery(r.URL.RawQuery)
	if !ok {
		return http.StatusForbidden, depot.ErrForged
	}
	place, err := h.depot.Place(id, sig)
	if err != nil {
		return statusOf(err), err
	}
	kind, status, err := fits(r, &place)
	if err != nil {
		return status, err
	}
	u, err := h.depot.Begin(place)
	if err != nil {
		return statusOf(err), err
	}
	defer u.Close()
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	if _, err := io.CopyBuffer(onlyWriter{u}, onlyReader{r.Body}, buf[:]); err != nil {
		return statusOf(err), err
	}
	if err := u.Commit(kind); err != nil {
		return statusOf(err), err
	}
	return http.StatusCreated, nil
}

// onlyWriter and onlyReader keep io.CopyBuffer from ways of its own.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

var (
	errLength = errors.New("the length is missing")
	errSize   = errors.New("the length is not what was announced")
	errType   = errors.New("the type is not what was announced")
	errCoding = errors.New("the body may have no coding and no ranges")
)

// fits holds the request's header against the place (§7), and returns the type
// to keep where none was announced.
func fits(r *http.Request, p *depot.Place) (kind string, status int, err error) {
	given := r.Header.Get("Content-Type")
	if given != "" {
		var ok bool
		if kind, ok = depot.SafeType(given); !ok {
			return "", http.StatusUnsupportedMediaType, errType
		}
	}
	switch {
	case r.Header.Get("Content-Encoding") != "" || r.Header.Get("Content-Range") != "":
		return "", http.StatusUnsupportedMediaType, errCoding
	case r.ContentLength < 0, r.Header.Get("Content-Length") == "" && r.ContentLength == 0:
		return "", http.StatusLengthRequired, errLength
	case r.ContentLength > p.Size:
		return "", http.StatusRequestEntityTooLarge, errSize
	case r.ContentLength < p.Size:
		return "", http.StatusBadRequest, errSize
	case p.Type != "" && kind != "" && depot.BaseType(kind) != depot.BaseType(p.Type):
		return "", http.StatusUnsupportedMediaType, errType
	}
	return kind, 0, nil
}

// statusOf is how a client hears of an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, depot.ErrForged):
		return http.StatusForbidden
	case errors.Is(err, depot.ErrGone):
		return http.StatusGone
	case errors.Is(err, depot.ErrUsed), errors.Is(err, depot.ErrBusy):
		return http.StatusConflict
	case errors.Is(err, depot.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case depot.Full(err):
		return http.StatusInsufficientStorage
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// explain is for the client. It says nothing of our disk.
func explain(status int, err error) string {
	switch status {
	case http.StatusInsufficientStorage:
		return "there is no room for the file"
	case http.StatusInternalServerError:
		return "the file could not be stored"
	}
	return err.Error()
}

// complain logs what the operator has to see, and the rest for who looks closely.
func (h *handler) complain(status int, err error, r *http.Request) {
	switch status {
	case http.StatusInternalServerError:
		h.log.Error("an upload could not be stored", "err", err)
	case http.StatusInsufficientStorage:
		h.log.Debug("no room for an upload", "bytes", r.ContentLength)
	default:
		h.log.Debug("upload refused", "status", status, "err", err, "client", r.RemoteAddr)
	}
}

// policy keeps whatever is in a file from doing anything, and from looking like
// a part of another page.
const policy = "default-src 'none'; frame-ancestors 'none'; sandbox"

// get hands a file out, or ranges of it, or that it has not changed.
func (h *handler) get(w http.ResponseWriter, r *http.Request, id depot.ID) {
	f, err := h.depot.Open(id)
	if err != nil {
		if !errors.Is(err, depot.ErrGone) {
			h.log.Error("an uploaded file cannot be read", "err", err)
			http.Error(w, "the file cannot be read", http.StatusInternalServerError)
			return
		}
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	defer f.Close()
	fetched.Add(offLoop, 1)
	h.describe(w.Header(), f, id)
	http.ServeContent(w, r, "", f.Created, f)
}

// describe says what a file is, and what a browser may do with it (§9).
func (h *handler) describe(hd http.Header, f *depot.File, id depot.ID) {
	kind, how := f.Type, "attachment"
	if kind == "" {
		kind = "application/octet-stream"
	}
	if h.depot.Shows(kind) {
		how = "inline"
	}
	hd.Set("Content-Type", kind)
	hd.Set("Content-Disposition", mime.FormatMediaType(how, map[string]string{"filename": f.Name}))
	hd.Set("Content-Security-Policy", policy)
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Cross-Origin-Resource-Policy", "cross-origin")
	hd.Set("Referrer-Policy", "no-referrer")
	hd.Set("Cache-Control", "private, immutable, max-age="+strconv.FormatInt(int64(h.fresh(f)/time.Second), 10))
	hd.Set("ETag", `"`+id.String()+`"`)
}

// fresh is how long a client may keep the file: what is behind its URL never
// changes, but ends.
func (h *handler) fresh(f *depot.File) time.Duration {
	const year = 365 * 24 * time.Hour
	if f.Ends.IsZero() {
		return year
	}
	return min(max(0, f.Ends.Sub(h.depot.Now())), year)
}
