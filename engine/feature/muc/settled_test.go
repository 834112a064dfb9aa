package muc

import (
	"testing"

	"meerkat/store"
)

// What somebody else sends with the id of a room's message does not keep from a
// session what it has missed in the room.
func TestOnlyTheRoomSaysWhatWasHeard(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	a, room := st.Archive(), "r@conference.test"
	message := func(from string, seq uint64) []byte {
		return []byte("<message to='romeo@test/x' from='" + from + "' type='groupchat'><body> from='" + room + "/x'</body><stanza-id xmlns='urn:xmpp:sid:0' by='" + room + "' id='" + a.Name(room, seq) + "'/></message>")
	}
	got := (&service{}).lastHeard(a, [][]byte{message(room+"/juliet", 3), message(room, 2), message("tybalt@test/x", 9), message(room+"x/y", 8)})
	if len(got) != 1 || got[room] != 3 {
		t.Errorf("got %v, want message 3 of the room", got)
	}
}
