package load

import "bytes"

// event is what next found at the front of a stream.
type event uint8

const (
	incomplete event = iota // more bytes are needed
	header                  // <stream:stream ...>
	element                 // a whole top-level element
	streamEnd               // </stream:stream>
	malformed               // not a stream
)

// next finds the first event in b and the offset behind it. It trusts the
// server to be well-formed where that costs time to check; what it cannot
// follow is malformed. It is no relation of the parser of the server under
// test, so that the two cannot share a mistake.
func next(b []byte) (event, []byte, int) {
	i := skipSpace(b, 0)
	if i == len(b) {
		return incomplete, nil, i
	}
	if b[i] != '<' {
		return malformed, nil, i
	}
	if bytes.HasPrefix(b[i:], []byte("<?")) {
		end := bytes.Index(b[i:], []byte("?>"))
		if end < 0 {
			return incomplete, nil, i
		}
		i = skipSpace(b, i+end+2)
	}
	switch {
	case bytes.HasPrefix(b[i:], []byte("<stream:stream")):
		return upTo(b, i, tagEnd(b, i), header)
	case bytes.HasPrefix(b[i:], []byte("</")):
		return upTo(b, i, tagEnd(b, i), streamEnd)
	}
	return upTo(b, i, elementEnd(b, i), element)
}

// upTo makes next's answer from an end that is -1 if it has not come yet.
func upTo(b []byte, from, end int, e event) (event, []byte, int) {
	if end < 0 {
		return incomplete, nil, from
	}
	return e, b[from:end], end
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// tagEnd is the offset behind the '>' of the tag that opens at i, or -1.
func tagEnd(b []byte, i int) int {
	for quote := byte(0); i < len(b); i++ {
		switch c := b[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// elementEnd is the offset behind the element that opens at i, or -1.
func elementEnd(b []byte, i int) int {
	for depth := 0; ; {
		if bytes.HasPrefix(b[i:], []byte("<![CDATA[")) {
			end := bytes.Index(b[i:], []byte("]]>"))
			if end < 0 {
				return -1
			}
			i += end
		} else {
			end := tagEnd(b, i)
			if end < 0 {
				return -1
			}
			switch {
			case b[i+1] == '/':
				depth--
			case b[end-2] != '/':
				depth++
			}
			i = end
		}
		if depth == 0 {
			return i
		}
		lt := bytes.IndexByte(b[i:], '<')
		if lt < 0 {
			return -1
		}
		i += lt
	}
}

// is reports whether element el has this name, prefix included.
func is(el []byte, name string) bool {
	if len(el) < len(name)+2 || string(el[1:1+len(name)]) != name {
		return false
	}
	c := el[1+len(name)]
	return c == ' ' || c == '>' || c == '/' || c == '\n' || c == '\t' || c == '\r'
}

// attr is the value of an attribute of el's start-tag, as it stands; nil if
// there is none.
func attr(el []byte, name string) []byte {
	tag := el[:tagEnd(el, 0)]
	for {
		i := bytes.Index(tag, []byte(name))
		if i < 1 {
			return nil
		}
		rest := tag[i+len(name):]
		if before := tag[i-1]; (before == ' ' || before == '\n' || before == '\t') && len(rest) > 2 && rest[0] == '=' {
			end := bytes.IndexByte(rest[2:], rest[1])
			if end < 0 {
				return nil
			}
			return rest[2 : 2+end]
		}
		tag = rest
	}
}

// text is what stands between the first <name ...> and </name> inside el; nil
// if there is none.
func text(el []byte, name string) []byte {
	i := bytes.Index(el, []byte("<"+name))
	if i < 0 {
		return nil
	}
	start := tagEnd(el, i)
	if start < 0 {
		return nil
	}
	end := bytes.Index(el[start:], []byte("</"+name+">"))
	if end < 0 {
		return nil
	}
	return el[start : start+end]
}

// condition is the name of the first child of el's <error/> (RFC 6120 8.3.2),
// or of el itself if it is a failure or a stream error.
func condition(el []byte) string {
	i := bytes.Index(el, []byte("<error"))
	if i < 0 {
		i = 0
	}
	open := tagEnd(el, i)
	if open < 0 || open >= len(el) || el[open] != '<' {
		return "undefined-condition"
	}
	end := open + 1
	for end < len(el) && el[end] != ' ' && el[end] != '/' && el[end] != '>' {
		end++
	}
	return string(el[open+1 : end])
}
