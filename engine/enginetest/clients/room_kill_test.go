package clients

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meerkat/engine/enginetest"
)

// Occupants of a room talk while the server is killed with kill -9 over and over.
// They resume their sessions and are still in the room: nobody is told that it is
// not. Everybody gets everything, once, in the order of who says it, and so does the
// archive.
func TestRoomsSurviveKills(t *testing.T) {
	const members, messages, deaths = 3, 200, 3
	s := newServer(t, "c2s.require_tls = false\nlimits.bytes_per_second = 0\nrooms.user_messages = 0\nrooms.messages = 0\nlimits.scram_iterations = 4096")
	room := "hall@conference." + domain
	s.add("owner")
	owner := login(t, s, "owner")
	owner.send("<presence to='%s/owner'><x xmlns='http://jabber.org/protocol/muc'/></presence><iq type='set' id='c' to='%s'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query></iq>", room, room)
	owner.until(t, "its room", func(e *element) bool { return e.ID == "c" })

	var addr atomic.Value
	addr.Store(s.starttls)
	var all []*enginetest.Managed
	for i := range members {
		name := "m" + strconv.Itoa(i)
		s.add(name)
		m := &enginetest.Managed{
			Addr: func() string { return addr.Load().(string) }, User: name, Resource: "x", To: room, Type: "groupchat",
			First:  "<presence to='" + room + "/" + name + "'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
			Domain: domain, Password: password,
		}
		all = append(all, m)
		go m.Run()
		defer m.Stop()
	}
	end := time.Now().Add(3 * time.Minute)
	settle := func(most int) {
		for _, m := range all {
			for waitingOf(t, m, end) > most || !m.Online() {
				m.Ask()
				time.Sleep(2 * time.Millisecond)
			}
		}
	}
	settle(0)
	for i := range messages {
		for _, m := range all {
			m.Send(m.User + "-" + strconv.Itoa(i))
		}
		settle(10)
		if i > 0 && i%(messages/(deaths+1)) == 0 {
			s.kill()
			s.start()
			addr.Store(s.starttls)
		}
	}
	settle(0)
	time.Sleep(200 * time.Millisecond) // for what still comes
	for _, m := range all {
		got, _, err := m.Result()
		resumed, lost := m.Resumes()
		if err != nil || lost > 0 {
			t.Errorf("%s: resumed %d times, lost %d: %v", m.User, resumed, lost, err)
		}
		if err := ascending(got); err != nil {
			t.Errorf("%s: %v", m.User, err)
		}
		t.Logf("%s resumed %d times and got %d of %d messages", m.User, resumed, len(got), members*messages)
		if len(got) != members*messages {
			t.Errorf("%s got %d messages, want %d", m.User, len(got), members*messages)
		}
	}
	got := archived(t, s, "owner", room)
	if err := ascending(got); err != nil || len(got) != members*messages {
		t.Errorf("the archive has %d messages, want %d: %v", len(got), members*messages, err)
	}
}

// ascending reports what is twice or out of order among messages NAME-NUMBER.
func ascending(got []string) error {
	last := map[string]int{}
	for _, s := range got {
		name, number, _ := strings.Cut(s, "-")
		n, err := strconv.Atoi(number)
		if before, ok := last[name]; err != nil || ok && n <= before {
			return fmt.Errorf("%s comes behind %d: %v", s, before, err)
		}
		last[name] = n
	}
	return nil
}

// archived returns the bodies of all messages in an archive, that user may read.
func archived(t *testing.T, s *server, user, room string) (bodies []string) {
	bodies, _ = archivedAs(t, s, user, room)
	return bodies
}

// archivedAs returns the ids as well, by body.
func archivedAs(t *testing.T, s *server, user, room string) (all []string, ids map[string]string) {
	ids = make(map[string]string)
	c := login(t, s, user)
	after := ""
	for {
		c.send("<iq type='set' id='q' to='%s'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>100</max>%s</set></query></iq>", room, after)
		page := c.until(t, "the end of a page", func(e *element) bool { return e.ID == "q" })
		for _, e := range page[:len(page)-1] {
			all = append(all, e.Archived.Body)
			ids[e.Archived.Body] = e.Archived.ID
		}
		fin := page[len(page)-1].Fin
		if fin.Complete {
			return all, ids
		}
		after = "<after>" + fin.Last + "</after>"
	}
}
