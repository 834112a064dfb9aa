package muc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Rule 21: what a room remembers of an occupant, and shows to all who enter, is
// bounded.
func TestPresenceIsBounded(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.Presence = 1000
	romeo := w.login("romeo@test/x")
	long := "<status>" + strings.Repeat("x", 1000) + "</status>"
	romeo.send("<presence to='r@conference.test/romeo'><x xmlns='http://jabber.org/protocol/muc'/>" + long + "</presence>")
	if got := romeo.take(); !strings.Contains(got, "<policy-violation") {
		t.Fatalf("entering with it is answered with %s", got)
	}
	romeo.join("romeo")
	if got := romeo.take(); !strings.Contains(got, "code='201'") {
		t.Fatalf("the room was made without its creator: %s", got)
	}
	romeo.send("<presence to='r@conference.test/romeo'>" + long + "</presence>")
	if got := romeo.take(); !strings.Contains(got, "<policy-violation") || strings.Contains(got, "<status>") {
		t.Errorf("a change to it is answered with %s", got)
	}
	juliet := w.login("juliet@test/x")
	romeo.configure("")
	juliet.join("juliet")
	romeo.take()
	juliet.send("<presence type='unavailable' to='r@conference.test/juliet'>" + long + "</presence>")
	if got := romeo.take(); !strings.Contains(got, "type='unavailable'") || strings.Contains(got, "<status>") {
		t.Errorf("when somebody leaves with it the others hear %s", got)
	}
}

// Rule 20: invitations, refusals, requests for voice and registrations are paced
// like whatever else reaches many.
func TestAllThatReachesOthersHasAPace(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.UserMessages, w.cfg.Rooms.UserChanges = 1, 1
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	nurse := w.login("nurse@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.affiliate("a", "nurse@test", "member")
	w.settle()
	refusals(romeo)
	to := func(c *client, times int, text string) int {
		for range times {
			c.send(text)
		}
		w.settle()
		return refusals(c)
	}
	guests := strings.Repeat("<invite to='juliet@test'/>", 5)
	invite := "<message id='m' to='r@conference.test'><x xmlns='http://jabber.org/protocol/muc#user'>" + guests + "</x></message>"
	if n := to(romeo, 4, invite); n != 2 {
		t.Errorf("of 4 times 5 invitations %d are refused, want 2", n)
	}
	decline := "<message id='m' to='r@conference.test'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='romeo@test'/></x></message>"
	if n := to(juliet, 12, decline); n != 2 {
		t.Errorf("of 12 refusals %d are refused, want 2", n)
	}
	register := "<iq type='set' id='%d' to='r@conference.test'><query xmlns='jabber:iq:register'>%s</query></iq>"
	form := "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field><field var='muc#register_roomnick'><value>nurse</value></field></x>"
	nurse.join("nurse") // a change, too
	n := to(nurse, 1, "<presence to='r@conference.test/nurse'/>")
	for i := range 5 {
		n += to(nurse, 1, fmt.Sprintf(register, i, form)) + to(nurse, 1, fmt.Sprintf(register, i, "<remove/>"))
	}
	if n != 1 { // there is nothing to remove then
		t.Errorf("of 12 changes with registrations %d are told to wait, want 1", n)
	}
}

// A moderator's request counts as many times as everybody here is told something.
func TestRequestsOfModeratorsArePacedByTheRoom(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	juliet.join("juliet")
	w.settle()
	romeo.take()
	w.cfg.Rooms.Changes = 1
	ask := func(items string) string {
		romeo.send("<iq type='set' id='q' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#admin'>" + items + "</query></iq>")
		w.settle()
		return romeo.take()
	}
	toggle := "<item nick='juliet' role='visitor'/><item nick='juliet' role='participant'/>"
	if got := ask(strings.Repeat(toggle, 6)); !strings.Contains(got, "<resource-constraint") || strings.Contains(got, "visitor") {
		t.Errorf("twelve changes at once: %s", got)
	}
	w.wait(11 * time.Second)
	if got := ask(toggle); !strings.Contains(got, "type='result'") {
		t.Errorf("two changes: %s", got)
	}
}

// So do the settings of a room, and its card.
func TestSettingsArePacedByTheRoom(t *testing.T) {
	w := newWorld(t)
	romeo := w.login("romeo@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.take()
	w.wait(11 * time.Second)
	w.cfg.Rooms.Changes = 1
	for i := range 6 {
		romeo.configure("<field var='muc#roomconfig_roomname'><value>" + fmt.Sprint(i) + "</value></field>")
		romeo.send("<iq type='set' id='v' to='r@conference.test'><vCard xmlns='vcard-temp'><FN>" + fmt.Sprint(i) + "</FN></vCard></iq>")
		w.settle()
	}
	if n := refusals(romeo); n != 2 {
		t.Errorf("%d of 12 changes are refused, want 2", n)
	}
}

// One request writes to a few who are not here, not to thousands.
func TestOneRequestTellsFewWhoAreAbsent(t *testing.T) {
	w := newWorld(t)
	romeo := w.login("romeo@test/x")
	romeo.join("romeo")
	romeo.configure("")
	var others []*client
	items := ""
	for i := range 30 {
		others = append(others, w.login(fmt.Sprintf("user%d@test/x", i)))
		items += fmt.Sprintf("<item jid='user%d@test' affiliation='member'/>", i)
	}
	for _, o := range others {
		o.s.Presence = []byte("<presence/>")
	}
	romeo.send("<iq type='set' id='q' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#admin'>" + items + "</query></iq>")
	w.settle()
	told := 0
	for _, o := range others {
		told += strings.Count(o.take(), "code='101'")
	}
	if told != 20 || !strings.Contains(romeo.take(), "type='result'") {
		t.Errorf("%d of 30 are told, want 20", told)
	}
}

// Where everybody becomes a member by asking, members see no more addresses than
// everybody.
func TestStrangersDoNotRegisterToSeeAddresses(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.affiliate("a", "juliet@test", "member")
	w.settle()
	ask := func() string {
		juliet.take()
		juliet.send("<iq type='get' id='q' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query></iq>")
		w.settle()
		return juliet.take()
	}
	if got := ask(); !strings.Contains(got, "<forbidden") {
		t.Errorf("a member of an open room that hides addresses: %s", got)
	}
	romeo.configure("<field var='muc#roomconfig_membersonly'><value>1</value></field>")
	w.settle()
	if got := ask(); !strings.Contains(got, "romeo@test") {
		t.Errorf("a member of a room of members: %s", got)
	}
}

// Who is banned reaches nobody, not by refusing an invitation either.
func TestBannedUsersDeclineNothing(t *testing.T) {
	w := newWorld(t)
	romeo, tybalt := w.login("romeo@test/x"), w.login("tybalt@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.affiliate("b", "tybalt@test", "outcast")
	w.settle()
	romeo.take()
	tybalt.take()
	tybalt.send("<message id='m' to='r@conference.test'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='romeo@test'><reason>boo</reason></decline></x></message>")
	w.settle()
	if got := tybalt.take(); !strings.Contains(got, "<forbidden") {
		t.Errorf("tybalt hears %s", got)
	}
	if got := romeo.take(); strings.Contains(got, "boo") {
		t.Errorf("romeo hears %s", got)
	}
}

// What a closed room talks about is not for who is kept out.
func TestSubjectOfAClosedRoomIsNotForStrangers(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.send("<message type='groupchat' to='r@conference.test'><subject>the tomb</subject></message>")
	ask := func(c *client) string {
		w.settle()
		c.take()
		c.send("<iq type='get' id='i' to='r@conference.test'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
		w.settle()
		return c.take()
	}
	if got := ask(juliet); !strings.Contains(got, "the tomb") {
		t.Errorf("of an open room a stranger sees %s", got)
	}
	romeo.configure("<field var='muc#roomconfig_membersonly'><value>1</value></field>")
	if got := ask(juliet); strings.Contains(got, "the tomb") || !strings.Contains(got, "muc_membersonly") {
		t.Errorf("of a closed room a stranger sees %s", got)
	}
	if got := ask(romeo); !strings.Contains(got, "the tomb") {
		t.Errorf("of its room an owner sees %s", got)
	}
}
