package stream

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"unique"

	"meerkat/engine/jid"
	"meerkat/xml"
)

// idBytes is how random a stream id is (RFC 6120 §4.7.3, RFC 4086).
const idBytes = 12

// header answers the client's stream header with ours and the features
// (RFC 6120 §4.2, §4.3.2), or with an error.
func (s *Stream) header(e xml.Elem) {
	l := s.login
	if lang := e.Lang(); len(lang) > 0 && len(lang) <= maxLang {
		l.lang = unique.Make(string(lang)).Value()
	}
	if condition, text := s.judge(e); condition != "" {
		s.fail(condition, text)
		return
	}
	s.sayHeader(peer(e.Attr("from")))
	b := s.at.builder()
	s.appendFeatures(b)
	s.say(b)
}

// maxLang bounds what is kept of xml:lang for as long as the session lives.
// RFC 5646 §4.4.1 has no sensible tag longer than 35 characters.
const maxLang = 35

// judge holds a header against RFC 6120 §4.7 and §4.8, and notes the domain.
func (s *Stream) judge(e xml.Elem) (condition, text string) {
	switch {
	case s.w.Framed():
	case string(e.Space()) != nsStreams:
		return "invalid-namespace", "a stream is in the namespace " + nsStreams
	case string(e.Local()) != "stream":
		return "bad-format", "a stream begins with the element stream"
	case string(e.Default()) != nsClient:
		return "invalid-namespace", "the content of this stream is in the default namespace " + nsClient
	}
	// The domain first: the answer to the wrong version comes from it.
	host := s.hostOf(e.Attr("to"))
	switch {
	case host == "":
		return "host-unknown", ""
	case s.login.host != "" && s.login.host != host:
		return "host-unknown", "this connection is for " + s.login.host
	}
	s.login.host = host
	if from, err := jid.Parse(string(e.Attr("from"))); err == nil {
		s.login.from = from.Bare()
	}
	if !modern(e.Attr("version")) {
		return "unsupported-version", ""
	}
	return "", ""
}

// hostOf returns the domain of ours that the attribute to names, "" if none.
func (s *Stream) hostOf(to []byte) string {
	j, err := jid.View(to)
	if err != nil || j.HasLocal() || j.IsFull() {
		return ""
	}
	return s.at.sh.host(j.Domain())
}

// peer returns what our header says as its to: the client's own address, if it
// gave one (RFC 6120 §4.7.2).
func peer(from []byte) string {
	if len(from) == 0 {
		return ""
	}
	j, err := jid.View(from)
	if err != nil {
		return ""
	}
	return j.String()
}

// modern reports whether a version is 1.0 or above: two numbers with a dot,
// leading zeros ignored (RFC 6120 §4.7.5).
func modern(version []byte) bool {
	major, minor, ok := bytes.Cut(version, []byte("."))
	if !ok || !digits(major) || !digits(minor) {
		return false
	}
	return len(bytes.TrimLeft(major, "0")) > 0
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// sayHeader opens our side of the stream.
func (s *Stream) sayHeader(to string) {
	s.flags |= answered
	b := s.at.builder()
	begin, end := "<?xml version='1.0'?><stream:stream from='", " xmlns='"+nsClient+"' xmlns:stream='"+nsStreams+"'>"
	if s.w.Framed() {
		begin, end = "<open xmlns='"+nsFraming+"' from='", "/>"
	}
	b.B = append(b.B, begin...)
	b.B = xml.AppendEscapedString(b.B, s.domain())
	if to != "" {
		b.B = append(b.B, "' to='"...)
		b.B = xml.AppendEscapedString(b.B, to)
	}
	b.B = append(b.B, "' id='"...)
	b.B = appendID(b.B)
	b.B = append(b.B, "' version='1.0' xml:lang='en'"...)
	b.B = append(b.B, end...)
	s.say(b)
}

// domain is whom the stream is with; before the client has said it, the first
// domain there is.
func (s *Stream) domain() string {
	if l := s.login; l != nil && l.host != "" {
		return l.host
	}
	return s.at.sh.domains[0]
}

func appendID(dst []byte) []byte {
	var id [idBytes]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.AppendEncode(dst, id[:])
}

// restart makes s await a new header, after TLS or SASL (RFC 6120 §4.3.3).
func (s *Stream) restart() {
	if !s.w.Framed() {
		s.xml.Restart()
	}
	s.flags &^= answered
}
