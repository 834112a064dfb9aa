package stanza

import (
	"encoding/binary"

	"meerkat/engine/jid"
	"meerkat/xml"
)

// AppendHead appends what Read has found out about s, for the router of another
// loop, which is given what Append writes with it and need not read that again.
func (s *Stanza) AppendHead(dst []byte) []byte {
	s.Stamped()
	dst = append(dst, byte(s.Kind), byte(s.Type), byte(s.marks))
	dst = s.From.AppendBinary(dst)
	dst = s.To.AppendBinary(dst)
	dst = appendView(dst, s.ID)
	return appendView(dst, s.Lang)
}

// ReadHead fills s from a head, of which it returns what is behind it, and from
// the stanza as Append has written it. s borrows both.
func (s *Stanza) ReadHead(head []byte, e xml.Elem) (rest []byte) {
	*s = Stanza{Elem: e, Kind: Kind(head[0]), Type: Type(head[1]), marks: marks(head[2])}
	s.From, rest = jid.ViewBinary(head[3:])
	s.To, rest = jid.ViewBinary(rest)
	s.ID, rest = view(rest)
	s.Lang, rest = view(rest)
	s.Relayed()
	return rest
}

// appendView appends bytes that may be nil, with their length.
func appendView(dst, v []byte) []byte {
	if v == nil {
		return binary.LittleEndian.AppendUint32(dst, 0)
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(v))+1), v...)
}

func view(b []byte) (v, rest []byte) {
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; n == 0 {
		return nil, b
	}
	return b[: n-1 : n-1], b[n-1:]
}
