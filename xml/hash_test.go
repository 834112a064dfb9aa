package xml

import "testing"

// commonTags are attributes that stand together in the tags of real traffic.
var commonTags = [][]string{
	{"to", "from", "type", "id", "xml:lang", "xmlns"},
	{"xmlns", "hash", "node", "ver", "ext"},
	{"xmlns", "by", "id", "to"},
	{"xmlns", "from", "stamp", "id", "queryid", "complete", "stable"},
	{"jid", "name", "subscription", "ask", "approved"},
	{"affiliation", "role", "jid", "nick", "code"},
	{"xmlns", "sid", "rid", "prekey", "kex", "namespace", "name"},
	{"category", "type", "name", "xml:lang", "var", "label", "node", "xmlns"},
	{"xmlns", "node", "action", "sessionid", "status", "id", "publisher", "subid"},
	{"xmlns", "h", "previd", "resume", "max", "location", "id"},
	{"xmlns", "since", "seconds", "version", "mechanism", "index"},
	{"component", "foundation", "generation", "id", "ip", "network", "port", "priority", "protocol", "type", "rel-addr", "rel-port"},
	{"id", "bytes", "height", "width", "type", "url", "size", "filename", "xmlns"},
	{"xmlns", "sid", "action", "initiator", "responder", "creator", "name", "senders", "media"},
}

// key8 is what attrBit gets for a name.
func key8(name string) uint64 {
	var b [8]byte
	copy(b[:], name)
	return load8(b[:])
}

// A collision is no fault, but costs a look at all names of the tag.
func TestCommonAttributesDoNotCollide(t *testing.T) {
	for _, tag := range commonTags {
		seen := map[uint64]string{}
		for _, name := range tag {
			bit := attrBit(key8(name), len(name))
			if other, ok := seen[bit]; ok {
				t.Errorf("%s and %s", other, name)
			}
			seen[bit] = name
		}
	}
}
