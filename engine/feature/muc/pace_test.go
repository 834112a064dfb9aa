package muc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"meerkat/engine/metric"
)

// wait moves the clock, and has all loops look at it.
func (w *world) wait(d time.Duration) {
	w.group.Advance(d)
	for i := range w.group.Len() {
		w.group.At(i).Post(func() {})
	}
	w.group.Turn()
}

// refusals counts what a client has been told to wait for since the last call.
func refusals(c *client) (n int) {
	for _, got := range c.got {
		if strings.Contains(got, "type='error'") && strings.Contains(got, "type='wait'><resource-constraint") {
			n++
		}
	}
	c.got = nil
	return n
}

// Rule 20: a flood of messages is for its sender to wait with, not for others,
// and is forgotten in time.
func TestMessagesHaveAPace(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.UserMessages = 2
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	juliet.join("juliet")
	say := func(c *client) {
		c.send("<message type='groupchat' id='m' to='r@conference.test'><body>x</body></message>")
	}
	w.settle()
	juliet.got = nil
	hits := hitsOf(t, "user_messages")
	for range 30 {
		say(romeo)
	}
	w.settle()
	if n := refusals(romeo); n != 10 {
		t.Errorf("of 30 messages at once %d are refused, want 10: two a second for ten seconds pass", n)
	}
	if got := hitsOf(t, "user_messages") - hits; got != 10 {
		t.Errorf("the metric counts %v, want 10", got)
	}
	say(juliet)
	w.settle()
	if n := len(juliet.got); n != 21 || refusals(juliet) != 0 {
		t.Errorf("juliet gets %d messages, want 20 of romeo's and hers", n)
	}
	w.wait(2 * time.Second)
	for range 5 {
		say(romeo)
	}
	w.settle()
	if n := refusals(romeo); n != 1 {
		t.Errorf("two seconds later %d of 5 are refused, want 1", n)
	}
}

// Who comes and goes, or changes nick or presence, all the time is told to wait;
// it may always go.
func TestChangesHaveAPace(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.UserChanges = 1
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.quiet = true
	for i := range 3 { // 2 of them are counted
		juliet.join("juliet")
		juliet.join(fmt.Sprintf("juliet%d", i))
		juliet.send("<presence to='r@conference.test/juliet" + fmt.Sprint(i) + "'><show>away</show></presence>")
		juliet.send("<presence type='unavailable' to='r@conference.test/juliet'/>")
	}
	w.settle()
	if n := refusals(juliet); n != 0 {
		t.Errorf("%d of 9 changes are refused, want none", n)
	}
	juliet.join("juliet")
	juliet.join("julia")
	juliet.send("<presence to='r@conference.test/juliet'><show>dnd</show></presence>")
	if n := refusals(juliet); n != 2 {
		t.Errorf("%d of 3 more are refused, want 2", n)
	}
	juliet.send("<presence type='unavailable' to='r@conference.test/juliet'/>")
	if got := juliet.take(); !strings.Contains(got, "type='unavailable'") || strings.Contains(got, "error") {
		t.Errorf("leaving is answered with %s", got)
	}
	juliet.join("juliet")
	if n := refusals(juliet); n != 1 {
		t.Errorf("entering again: %d refused, want 1", n)
	}
	w.wait(11 * time.Second)
	juliet.join("juliet")
	if n := refusals(juliet); n != 0 {
		t.Error("ten seconds later nobody may enter")
	}
}

// A room as a whole has a pace, however many there are in it.
func TestRoomsHaveAPace(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.Messages, w.cfg.Rooms.Changes = 1, 1
	var all []*client
	for i := range 12 {
		c := w.login(fmt.Sprintf("user%d@test/x", i))
		c.join(fmt.Sprintf("n%d", i))
		all = append(all, c)
		if i == 0 {
			c.configure("")
		}
	}
	refused := 0
	for _, c := range all {
		refused += refusals(c)
	}
	if refused != 2 {
		t.Errorf("%d of 12 may not enter, want 2", refused)
	}
	refused = 0
	for _, c := range all[:6] {
		for range 2 {
			c.send("<message type='groupchat' id='m' to='r@conference.test'><body>x</body></message>")
		}
	}
	w.settle()
	for _, c := range all[:6] {
		refused += refusals(c)
	}
	if refused != 2 {
		t.Errorf("%d of 12 messages are refused, want 2", refused)
	}
}

// hitsOf reads one limit's counter.
func hitsOf(t *testing.T, limit string) float64 {
	t.Helper()
	all, label := metric.Snapshot(), `{limit="`+limit+`"}`
	return all["meerkat_muc_full_total"+label] + all["meerkat_muc_too_fast_total"+label]
}

// Limits of who may be in a room and who may make one: the condition, and the
// metric.
func TestLimitsOfRooms(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.Occupants, w.cfg.Rooms.PerUser = 2, 1
	romeo, juliet, nurse := w.login("romeo@test/x"), w.login("juliet@test/x"), w.login("nurse@test/x")
	romeo.join("romeo")
	romeo.configure("")
	juliet.join("juliet")
	check := func(what, limit, condition string, c *client, stanza string) {
		t.Helper()
		before := hitsOf(t, limit)
		c.take()
		c.send(stanza)
		if got := c.take(); !strings.Contains(got, "<"+condition) {
			t.Errorf("%s: got %s, want %s", what, got, condition)
		}
		if got := hitsOf(t, limit) - before; got != 1 {
			t.Errorf("%s: the metric counts %v, want 1", what, got)
		}
	}
	enter := func(room, nick string) string {
		return "<presence to='" + room + "@conference.test/" + nick + "'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
	}
	check("a third occupant", "occupants", "service-unavailable", nurse, enter("r", "nurse"))
	check("a second room", "per_user", "resource-constraint", romeo, enter("another", "romeo"))
	w.cfg.Rooms.Create = "admins"
	check("a room of nobody in particular", "create", "not-allowed", juliet, enter("another", "juliet"))
	romeo.affiliate("a", "nurse@test", "admin")
	nurse.take()
	nurse.send(enter("r", "nurse"))
	if got := nurse.take(); !strings.Contains(got, "code='110'") {
		t.Errorf("an admin enters a full room (XEP-0045 §7.2.9): got %s", got)
	}
}
