package muc_test

import (
	"strings"
	"testing"
	"time"

	"meerkat/engine/feature"
	"meerkat/store"
)

// crash is a new server on the same store.
func (w *world) crash() *world {
	w.settle()
	next := serve(w.t, w.cfg, w.store, w.group.At(0).Now().Add(time.Minute))
	next.settle()
	return next
}

// lasting logs in as a session that can be resumed after a restart.
func (w *world) lasting(full string) *client {
	c := w.login(full)
	c.s.Lasting = true
	return c
}

// back is a session that has been in the room and is resumed now, with what was
// stored for it.
func (w *world) back(full string, stored ...string) *client {
	c := w.lasting(full)
	c.s.Direct("r@conference.test/romeo")
	home := w.routers[w.group.For(c.s.Account.JID.String()).Index]
	ctx := &feature.Ctx{Env: home.Env(), Owner: c.s.Account.JID, Account: c.s.Account, Session: c.s}
	for _, s := range stored {
		ctx.Stored = append(ctx.Stored, []byte(s))
	}
	home.Run(func() { w.rooms.Thaw(ctx, nil) })
	w.settle()
	return c
}

// lost is a room with an archive, and a message in it that was written to the disk
// and went to nobody before the crash.
func lost(t *testing.T) *world {
	w := newWorld(t)
	w.cfg.Rooms.Archive = true
	romeo, juliet := w.lasting("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	juliet.join("juliet")
	juliet.say("1", "<body>one</body>")
	w.settle()
	if got := romeo.take(); !strings.Contains(got, "<body>one</body>") {
		t.Fatalf("romeo hears %s", got)
	}
	clock := w.store.Archive().Clock()
	var rows store.Rows
	row := "<message from='r@conference.test/juliet' id='2' type='groupchat'><body>two</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='juliet@test/x'/></x></message>"
	if err := rows.Add("r@conference.test", clock.Next(w.group.At(0).Now()), 0, []byte(row)); err != nil {
		t.Fatal(err)
	}
	if err := w.store.UpdateWait(func(tx *store.Tx) error { return w.store.Archive().Append(tx, "", &rows) }); err != nil {
		t.Fatal(err)
	}
	return w.crash()
}

// What was archived right before a crash and did not reach a session goes to it
// when it is back, and what did does not come again.
func TestWhatDidNotArriveIsReplayed(t *testing.T) {
	w := lost(t)
	got := w.back("romeo@test/x").take()
	if !strings.Contains(got, "<body>two</body>") || strings.Contains(got, "<body>one</body>") || strings.Contains(got, "jid='juliet@test/x'") {
		t.Errorf("romeo, who is back, hears %s", got)
	}
}

func TestWhatArrivedIsNotReplayed(t *testing.T) {
	w := lost(t)
	id := ""
	_ = w.store.View(func(tx *store.Tx) error {
		r, err := w.store.Archive().Read(tx, "r@conference.test")
		if err == nil {
			seq, _ := r.At(r.Len() - 1)
			id = w.store.Archive().Name("r@conference.test", seq)
		}
		return err
	})
	got := w.back("romeo@test/x", "<message from='r@conference.test/juliet' type='groupchat'><body>two</body><stanza-id xmlns='urn:xmpp:sid:0' by='r@conference.test' id='"+id+"'/></message>").take()
	if got != "" {
		t.Errorf("romeo, who is back, hears %s", got)
	}
}

// What is sent again because nobody acknowledged it, and is in the archive, is
// taken once; what is not there is taken.
func TestNothingIsSaidTwice(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.Archive = true
	romeo := w.lasting("romeo@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	romeo.say("1", "<body>one</body>")
	w = w.crash()
	romeo = w.back("romeo@test/x")
	romeo.take()
	romeo.say("1", "<body>one</body>")
	romeo.say("2", "<body>two</body>")
	romeo.say("1", "<body>one, later</body>")
	w.settle()
	got := romeo.take()
	if strings.Contains(got, "<body>one</body>") {
		t.Errorf("what was said before the crash comes again: %s", got)
	}
	inOrder(t, got, "<body>two</body>", "<body>one, later</body>")
}

// Who misses more than limits.resume_stanzas is out of the room, and is told.
func TestWhoMissesTooMuch(t *testing.T) {
	w := newWorld(t)
	w.cfg.Limits.ResumeStanzas = 3
	romeo, juliet := w.lasting("romeo@test/x"), w.lasting("juliet@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	juliet.join("juliet")
	w = w.crash()
	juliet = w.back("juliet@test/x")
	for range 5 {
		juliet.say("1", "<body>one</body>")
	}
	juliet.take()
	romeo = w.back("romeo@test/x")
	if got := romeo.take(); strings.Contains(got, "<body>") || !strings.Contains(got, "type='unavailable'") || !strings.Contains(got, "code='333'") {
		t.Errorf("romeo, who is back, hears %s", got)
	}
	if got := juliet.take(); !strings.Contains(got, "from='r@conference.test/romeo'") {
		t.Errorf("juliet hears %s", got)
	}
}

// A session of the same name that was not resumed is another one.
func TestAnotherSessionIsNotInTheRoom(t *testing.T) {
	w := newWorld(t)
	romeo := w.lasting("romeo@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w = w.crash()
	romeo = w.lasting("romeo@test/x")
	romeo.say("1", "<body>one</body>")
	w.settle()
	if got := romeo.take(); !strings.Contains(got, "<not-acceptable") {
		t.Errorf("romeo hears %s", got)
	}
}
