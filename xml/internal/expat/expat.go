//go:build expat

// Package expat runs libexpat, in namespace mode, over the same input as package
// xml, for comparison in tests. It needs cgo and libexpat's header.
package expat

/*
#cgo LDFLAGS: -lexpat
#include <expat.h>
#include <stdlib.h>
#include <string.h>

// An event log: kind, then zero-ended strings.
typedef struct { char *b; size_t n, cap; int off, depth, restricted; } elog;

static void put(elog *l, char kind, const char *s, size_t n) {
	if (l->off) { l->n++; return; }
	if (l->n + n + 2 > l->cap) {
		l->cap = 2 * l->cap + n + 2;
		l->b = realloc(l->b, l->cap);
	}
	l->b[l->n++] = kind;
	memcpy(l->b + l->n, s, n);
	l->n += n;
	l->b[l->n++] = 0;
}
static void start(void *u, const XML_Char *name, const XML_Char **at) {
	elog *l = u;
	put(l, 'S', name, l->off ? 0 : strlen(name));
	if (!l->off)
		for (; at[0]; at += 2) { put(l, 'A', at[0], strlen(at[0])); put(l, 'V', at[1], strlen(at[1])); }
}
static void end(void *u, const XML_Char *name) { put(u, 'E', "", 0); }
static void text(void *u, const XML_Char *s, int n) { put(u, 'T', s, ((elog*)u)->off ? 0 : n); }
static void restricted(elog *l) { l->restricted = 1; }
static void comment(void *u, const XML_Char *s) { restricted(u); }
static void pi(void *u, const XML_Char *t, const XML_Char *s) { restricted(u); }
static void doctype(void *u, const XML_Char *a, const XML_Char *b, const XML_Char *c, int d) { restricted(u); }

static XML_Parser open_parser(elog *l) {
	XML_Parser p = XML_ParserCreateNS("UTF-8", '\1');
	XML_SetUserData(p, l);
	XML_SetElementHandler(p, start, end);
	XML_SetCharacterDataHandler(p, text);
	XML_SetCommentHandler(p, comment);
	XML_SetProcessingInstructionHandler(p, pi);
	XML_SetStartDoctypeDeclHandler(p, doctype);
	return p;
}
static int feed(XML_Parser p, const char *b, size_t n, size_t chunk) {
	for (size_t i = 0; i < n; i += chunk)
		if (XML_Parse(p, b + i, n - i < chunk ? n - i : chunk, 0) != XML_STATUS_OK)
			return XML_GetErrorCode(p);
	return 0;
}
*/
import "C"

import "unsafe"

// Parser is one stream.
type Parser struct {
	p C.XML_Parser
	l *C.elog
}

// New opens a stream. Without events it only counts them, for benchmarks.
func New(events bool) *Parser {
	l := (*C.elog)(C.calloc(1, C.sizeof_elog))
	if !events {
		l.off = 1
	}
	return &Parser{C.open_parser(l), l}
}

// Feed pushes b in pieces of chunk bytes. It returns libexpat's error number.
func (p *Parser) Feed(b []byte, chunk int) int {
	if len(b) == 0 {
		return 0
	}
	return int(C.feed(p.p, (*C.char)(unsafe.Pointer(&b[0])), C.size_t(len(b)), C.size_t(chunk)))
}

// Events returns what was logged since the last call: for each a letter and a
// string, ended by a zero byte. Names are "namespace\x01local".
func (p *Parser) Events() []byte {
	b := C.GoBytes(unsafe.Pointer(p.l.b), C.int(p.l.n))
	p.l.n = 0
	return b
}

// Restricted tells whether there was a comment, a processing instruction or a DOCTYPE.
func (p *Parser) Restricted() bool { return p.l.restricted != 0 }

// InToken ends the stream and tells whether that cut a tag, a character or
// another token, in which libexpat may not have looked for faults.
func (p *Parser) InToken() bool {
	if C.XML_Parse(p.p, nil, 0, 1) == C.XML_STATUS_OK {
		return false
	}
	code := C.XML_GetErrorCode(p.p)
	return code == C.XML_ERROR_UNCLOSED_TOKEN || code == C.XML_ERROR_PARTIAL_CHAR || code == C.XML_ERROR_UNCLOSED_CDATA_SECTION
}

// Close frees the parser.
func (p *Parser) Close() {
	C.XML_ParserFree(p.p)
	C.free(unsafe.Pointer(p.l.b))
	C.free(unsafe.Pointer(p.l))
}
