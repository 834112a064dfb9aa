package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
)

// head is a request's head, borrowed from the bytes that parse was given.
type head struct {
	method []byte
	target []byte
	minor  byte // of HTTP/1
	fields []field
	body   int64 // Content-Length
}

// field is a line of a head, the value without white space around it.
type field struct{ name, value []byte }

// maxFields is how many fields a head may have.
const maxFields = 100

// refusal is a request that is answered without being handed to anybody.
type refusal struct {
	status int
	text   string
	extra  string // header fields, each with its line end
}

func refuse(status int, text string, args ...any) *refusal {
	return &refusal{status: status, text: fmt.Sprintf(text, args...)}
}

// headEnd returns how long the head at the start of b is, 0 if its end is
// missing. from is where bytes are that were not looked at before.
func headEnd(b []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// parse reads a whole head. It is strict where proxies are known to differ
// (RFC 9112 §2.2, §3, §5, §6.3, §11.2): one that is in front of us must not
// see other requests than we do.
func (h *head) parse(b []byte) *refusal {
	*h = head{fields: h.fields[:0]}
	line, rest, _ := bytes.Cut(b, crlf)
	if r := h.requestLine(line); r != nil {
		return r
	}
	for {
		line, rest, _ = bytes.Cut(rest, crlf)
		if len(line) == 0 {
			return h.framing()
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		if !ok || !isToken(name) || !isValue(value) {
			return refuse(http.StatusBadRequest, "malformed header field")
		}
		if len(h.fields) == maxFields {
			return refuse(http.StatusRequestHeaderFieldsTooLarge, "too many header fields")
		}
		h.fields = append(h.fields, field{name, value})
	}
}

var crlf = []byte("\r\n")

func (h *head) requestLine(line []byte) *refusal {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, _ := bytes.Cut(rest, []byte(" "))
	switch {
	case !isToken(method) || !isTarget(target):
		return refuse(http.StatusBadRequest, "malformed request line")
	case len(version) != len("HTTP/1.1") || string(version[:7]) != "HTTP/1." || version[7] != '0' && version[7] != '1':
		return refuse(http.StatusHTTPVersionNotSupported, "HTTP/1.1 is spoken here")
	}
	h.method, h.target, h.minor = method, target, version[7]-'0'
	return nil
}

// framing finds how long the body is.
func (h *head) framing() *refusal {
	lengths, hosts := 0, 0
	for _, f := range h.fields {
		switch {
		case is(f.name, "transfer-encoding"):
			if _, ok := h.field("content-length"); ok || h.minor == 0 {
				return refuse(http.StatusBadRequest, "the body's length is given twice")
			}
			return refuse(http.StatusLengthRequired, "a body needs a Content-Length")
		case is(f.name, "content-length"):
			n, err := strconv.ParseUint(string(f.value), 10, 62)
			if lengths++; err != nil || lengths > 1 || f.value[0] == '+' {
				return refuse(http.StatusBadRequest, "malformed Content-Length")
			}
			h.body = int64(n)
		case is(f.name, "host"):
			hosts++
		}
	}
	if hosts > 1 || hosts == 0 && h.minor == 1 {
		return refuse(http.StatusBadRequest, "want one Host")
	}
	return nil
}

// field returns the first value of a name in lower case.
func (h *head) field(name string) (value []byte, ok bool) {
	for _, f := range h.fields {
		if is(f.name, name) {
			return f.value, true
		}
	}
	return nil, false
}

// lists reports whether any field of that name has token in its list.
func (h *head) lists(name, token string) bool {
	for _, f := range h.fields {
		if !is(f.name, name) {
			continue
		}
		for v := range bytes.SplitSeq(f.value, []byte(",")) {
			if is(bytes.Trim(v, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// path returns the target without its query.
func (h *head) path() []byte {
	p, _, _ := bytes.Cut(h.target, []byte("?"))
	return p
}

// is compares as names of HTTP are; lower has no capitals.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

func isTarget(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0
}

func isValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
