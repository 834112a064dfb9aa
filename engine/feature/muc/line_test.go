package muc_test

import (
	"strings"
	"testing"

	"meerkat/store"
)

// kept is a world in which rooms have archives, and romeo and juliet are in one.
func kept(t *testing.T) (w *world, romeo, juliet *client) {
	w = newWorld(t)
	w.cfg.Rooms.Archive = true
	romeo, juliet = w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	juliet.join("juliet")
	w.settle()
	romeo.take()
	juliet.take()
	return w, romeo, juliet
}

func (c *client) say(id, more string) {
	c.send("<message id='" + id + "' type='groupchat' to='r@conference.test'>" + more + "</message>")
}

// Rule 23: nobody is told the id of a message that is not on disk yet. Messages
// that come meanwhile go to the disk as well; what changes the room waits, and so
// does what comes behind that: everybody gets everything in one order.
func TestWhatIsArchivedWaits(t *testing.T) {
	w, romeo, juliet := kept(t)
	release := w.pause()
	romeo.say("1", "<body>one</body>")
	juliet.say("2", "<body>two</body>")
	juliet.say("3", "<composing xmlns='http://jabber.org/protocol/chatstates'/>")
	juliet.send("<presence to='r@conference.test/j'/>")
	juliet.say("4", "<body>four</body>")
	romeo.send("<iq type='get' id='5' to='r@conference.test/romeo'><ping xmlns='urn:xmpp:ping'/></iq>")
	if got := romeo.take() + juliet.take(); got != "" {
		t.Errorf("before the commit they hear %s", got)
	}
	release()
	want := []string{"id='1'", "id='2'", "id='3'", "code='303'", "from='r@conference.test/j'", "id='4'"}
	inOrder(t, juliet.take(), want...)
	inOrder(t, romeo.take(), append(want, "id='5'")...)
}

func inOrder(t *testing.T, got string, parts ...string) {
	t.Helper()
	rest := got
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			t.Fatalf("no %s in order in %s", p, got)
		}
		rest = rest[i:]
	}
}

// A store that takes nothing keeps nobody from talking, but then there is no id
// to be found by.
func TestWhatCannotBeArchivedGoesOn(t *testing.T) {
	w, romeo, juliet := kept(t)
	w.store.Close()
	romeo.say("1", "<body>one</body>")
	w.group.Turn()
	got := juliet.take()
	if !strings.Contains(got, "<body>one</body>") || strings.Contains(got, "stanza-id") {
		t.Errorf("juliet hears %s", got)
	}
}

// What is said while the room is being destroyed is not in the archive of the
// one that comes after it.
func TestNothingIsLeftOfARoom(t *testing.T) {
	w, romeo, juliet := kept(t)
	romeo.say("1", "<body>one</body>")
	w.settle()
	release := w.pause()
	romeo.send("<iq type='set' id='d' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>")
	juliet.say("2", "<body>two</body>")
	release()
	err := w.store.View(func(tx *store.Tx) error {
		r, err := w.store.Archive().Read(tx, "r@conference.test")
		if err == nil && r.Len() > 0 {
			t.Errorf("%d messages are left", r.Len())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A room that nobody waits in costs nothing more than before.
func TestNothingWaitsWithoutAnArchive(t *testing.T) {
	w, romeo, juliet := kept(t)
	romeo.configure("<field var='muc#roomconfig_enablearchiving'><value>0</value></field>")
	w.settle()
	juliet.take()
	release := w.pause()
	defer release()
	romeo.say("1", "<body>one</body>")
	if got := juliet.take(); !strings.Contains(got, "<stanza-id xmlns='urn:xmpp:sid:0' by='r@conference.test'") {
		t.Errorf("juliet hears %q", got)
	}
}

// A disk that does not keep up makes senders wait, not the server's memory grow.
func TestWhatWaitsIsBounded(t *testing.T) {
	w, romeo, juliet := kept(t)
	w.cfg.Rooms.UserMessages, w.cfg.Rooms.Messages = 0, 0
	release := w.pause()
	body := "<body>" + strings.Repeat("x", 1<<20) + "</body>"
	for range 12 {
		romeo.say("big", body)
	}
	if got := strings.Count(romeo.take(), "<resource-constraint"); got < 2 || got > 4 {
		t.Errorf("%d of 12 messages of 1 MB are refused", got)
	}
	release()
	romeo.say("small", "<body>y</body>")
	w.settle()
	if got := juliet.take(); !strings.Contains(got, "<body>y</body>") {
		t.Error("nothing goes on afterwards")
	}
}

// BenchmarkArchivedMessage500 is BenchmarkMessage500 in a room with an archive, 32
// messages a commit.
func BenchmarkArchivedMessage500(b *testing.B) {
	w := newWorld(b)
	w.cfg.Rooms.Archive = true
	w.cfg.Rooms.UserMessages, w.cfg.Rooms.Messages, w.cfg.Rooms.UserChanges, w.cfg.Rooms.Changes = 0, 0, 0, 0
	first, _ := w.crowd(500)
	first.configure(lasting)
	w.settle()
	text := "<message type='groupchat' id='m' to='r@conference.test'><body>" + strings.Repeat("x", 100) + "</body></message>"
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		first.send(text)
		if n++; n%32 == 0 {
			w.settle()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/delivery")
}
