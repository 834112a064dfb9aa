// Package archive answers queries for archived messages (XEP-0313 1.1.3), of
// accounts and of rooms, and says which messages are worth to be kept and for how
// long. It keeps none itself: package store does.
package archive

import (
	"meerkat/store"
	"meerkat/xml"
)

// Namespaces of XEP-0313 and what goes with it.
const (
	Space      = "urn:xmpp:mam:2"
	Extended   = "urn:xmpp:mam:2#extended"
	Groups     = "urn:xmpp:mam:2#groupchat-field"
	StanzaID   = "urn:xmpp:sid:0" // XEP-0359
	hintsSpace = "urn:xmpp:hints"
)

// AppendID appends the element with the id that a message has in owner's archive,
// a bare JID: XEP-0359.
func AppendID(dst []byte, a *store.Archive, owner string, seq uint64) []byte {
	return append(a.AppendName(AppendIDStart(dst, owner), owner, seq), "'/>"...)
}

// AppendIDStart appends what AppendID begins with for every message in owner's
// archive, and no other element.
func AppendIDStart(dst []byte, owner string) []byte {
	dst = append(dst, "<stanza-id xmlns='"+StanzaID+"' by='"...)
	return append(append(dst, owner...), "' id='"...) // bare JIDs have nothing to escape (RFC 7622 §3.3.1)
}

// Ends returns the sequence numbers of the first and the last message that is
// shown; 0 if there is none.
func (a *Source) Ends(tx *store.Tx) (first, last uint64, err error) {
	r, err := a.Archive.Read(tx, a.Owner)
	if err != nil {
		return 0, 0, err
	}
	if i := r.Search(a.Oldest); i < r.Len() {
		first, _ = r.At(i)
		last, _ = r.At(r.Len() - 1)
	}
	return first, last, nil
}

// AppendEnds says where the archive begins and ends (XEP-0313 §5).
func (a *Source) AppendEnds(b *xml.Builder, first, last uint64) {
	b.Start("metadata", Space)
	if first != 0 {
		a.appendEnd(b, "start", first)
		a.appendEnd(b, "end", last)
	}
	b.End()
}

func (a *Source) appendEnd(b *xml.Builder, name string, seq uint64) {
	b.Start(name, "").Attr("id", a.Archive.Name(a.Owner, seq)).
		Attr("timestamp", store.TimeOf(seq).Format(Stamp)).End()
}
