package clients

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load of TestKillLosesNothing.
const (
	senders    = 8
	recipients = 10 // all of them away
	perSender  = 1250
	owners     = 5 // of rosters
	perOwner   = 200
	kills      = 2 // during the load; one more comes behind it
)

// TestKillLosesNothing kills the server with kill -9 under a load of messages
// to absent users and of roster changes. What it had acknowledged must be there
// afterwards, once and in order. Messages are acknowledged by the answer to a
// ping behind them, roster changes by their result.
func TestKillLosesNothing(t *testing.T) {
	s := newServer(t, "limits.bytes_per_second = 0\nlimits.offline_messages = 0\nlimits.scram_iterations = 4096")
	l := newLoad(s)
	for n := 1; n <= kills; n++ {
		l.run(t, n*senders*perSender/(kills+1))
		s.start()
		l.checkRosters(t, s)
	}
	l.run(t, senders*perSender)
	s.start()
	l.checkRosters(t, s)
	l.checkMessages(t, s)
	t.Logf("%d messages sent, %d of them acknowledged; %d roster changes, %d acknowledged",
		senders*perSender, l.messages.Load(), owners*perOwner, l.changes.Load())
}

// load is what clients do to the server, over several lives of it.
type load struct {
	s        *server
	senders  []*sender
	owners   []*owner
	messages atomic.Int64 // acknowledged
	changes  atomic.Int64 // acknowledged
}

func newLoad(s *server) *load {
	l := &load{s: s}
	for i := range senders {
		l.senders = append(l.senders, &sender{load: l, index: i})
		s.add(l.senders[i].name())
	}
	for i := range owners {
		l.owners = append(l.owners, &owner{load: l, index: i, roster: map[string]string{}})
		s.add(l.owners[i].name())
	}
	for i := range recipients {
		s.add(recipient(i))
	}
	return l
}

func recipient(i int) string { return "r" + strconv.Itoa(i) }

// run works until so many messages are acknowledged, or nothing is left to do,
// and then kills the server. Messages flow faster than roster changes, so all
// kills but the last come amid both.
func (l *load) run(t *testing.T, messages int) {
	t.Helper()
	var all sync.WaitGroup
	for _, s := range l.senders {
		c := login(t, l.s, s.name())
		all.Go(func() { s.work(c) })
	}
	for _, o := range l.owners {
		c := login(t, l.s, o.name())
		all.Go(func() { o.work(c) })
	}
	last := messages == senders*perSender
	for end := time.Now().Add(patience); !l.done() && (last || int(l.messages.Load()) < messages); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("only %d messages and %d roster changes are acknowledged after %v", l.messages.Load(), l.changes.Load(), patience)
		}
	}
	l.s.kill()
	all.Wait()
	for _, s := range l.senders {
		if s.err != nil {
			t.Fatalf("%s: %v", s.name(), s.err)
		}
	}
	for _, o := range l.owners {
		if o.err != nil {
			t.Fatalf("%s: %v", o.name(), o.err)
		}
	}
}

// done says that nothing is left to do: what was never acknowledged never will be.
func (l *load) done() bool {
	for _, s := range l.senders {
		if !s.idle.Load() {
			return false
		}
	}
	for _, o := range l.owners {
		if !o.idle.Load() {
			return false
		}
	}
	return true
}

// answers reads what comes for a client until the connection breaks. ids of
// results come out of the channel.
func answers(c *raw, bad *error) <-chan string {
	ids := make(chan string, 64)
	go func() {
		defer close(ids)
		for {
			e, err := c.next()
			switch {
			case err != nil:
				return
			case e.Type == "error":
				*bad = fmt.Errorf("got an error: %+v", e)
				return
			case e.XMLName.Local == "iq" && e.Type == "result":
				ids <- e.ID
			}
		}
	}()
	return ids
}

// sender sends numbered messages to all recipients in turn.
type sender struct {
	load  *load
	index int
	lives []life
	idle  atomic.Bool
	err   error
}

// life is what was sent between two kills: first to sent-1, of which those
// before acked were acknowledged.
type life struct{ first, sent, acked int }

func (s *sender) name() string { return "s" + strconv.Itoa(s.index) }

// to says who gets message n.
func (s *sender) to(n int) int { return (s.index + n) % recipients }

func (s *sender) work(c *raw) {
	v := life{}
	if n := len(s.lives); n > 0 {
		v.first = s.lives[n-1].sent
	}
	v.sent, v.acked = v.first, v.first
	defer func() { s.lives = append(s.lives, v) }()
	ids := answers(c, &s.err)
	random := rand.New(rand.NewPCG(uint64(s.index), uint64(v.first)))
	s.idle.Store(v.sent == perSender)
	var broken error // killed; what was acknowledged may still be read
	for open := 0; ; open-- {
		for ; broken == nil && open < 4 && v.sent < perSender; open++ {
			broken = s.batch(c, &v, 1+random.IntN(40))
		}
		id, alive := <-ids
		if !alive {
			return
		}
		upTo, _ := strconv.Atoi(id)
		s.load.messages.Add(int64(upTo - v.acked))
		if v.acked = upTo; v.acked == perSender {
			s.idle.Store(true)
		}
	}
}

// batch sends n messages and a ping, whose id is how many messages there were.
func (s *sender) batch(c *raw, v *life, n int) error {
	for n = min(n, perSender-v.sent); n > 0; n-- {
		err := c.write("<message to='%s@%s' type='chat'><body>%s %d</body></message>", recipient(s.to(v.sent)), domain, s.name(), v.sent)
		v.sent++ // also if it failed: some of it may have gone out
		if err != nil {
			return err
		}
	}
	return c.send("<iq type='get' id='%d' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", v.sent, domain)
}

// owner changes its roster.
type owner struct {
	load   *load
	index  int
	roster map[string]string // name by contact, after all changes before first
	life   life              // since the last kill
	idle   atomic.Bool
	err    error
}

func (o *owner) name() string { return "o" + strconv.Itoa(o.index) }

// change is number n: one contact of 40 gets a name, or is removed.
func change(n int) (contact, name string) {
	contact = "c" + strconv.Itoa(n*7%40) + "@" + domain
	if n%5 == 4 {
		return contact, ""
	}
	return contact, "name " + strconv.Itoa(n)
}

func (o *owner) work(c *raw) {
	ids := answers(c, &o.err)
	v := &o.life
	o.idle.Store(v.sent == perOwner)
	var broken error
	for {
		for broken == nil && v.sent < perOwner && v.sent < v.acked+3 {
			contact, name := change(v.sent)
			attr := "name='" + name + "'"
			if name == "" {
				attr = "subscription='remove'"
				if _, there := o.after(v.sent)[contact]; !there {
					attr = "name=''" // what is not there cannot be removed
				}
			}
			v.sent++
			broken = c.send("<iq type='set' id='%d'><query xmlns='jabber:iq:roster'><item jid='%s' %s/></query></iq>", v.sent, contact, attr)
		}
		id, alive := <-ids
		if !alive {
			return
		}
		v.acked, _ = strconv.Atoi(id)
		if o.load.changes.Add(1); v.acked == perOwner {
			o.idle.Store(true)
		}
	}
}

// after is the roster after all changes before n.
func (o *owner) after(n int) map[string]string {
	r := maps.Clone(o.roster)
	for i := o.life.first; i < n; i++ {
		contact, name := change(i)
		if _, there := r[contact]; name == "" && there {
			delete(r, contact)
		} else {
			r[contact] = name
		}
	}
	return r
}

// checkRosters wants each roster as it was after the last change that was
// acknowledged, or after one that was sent behind it.
func (l *load) checkRosters(t *testing.T, s *server) {
	t.Helper()
	for _, o := range l.owners {
		c := login(t, s, o.name())
		c.send("<iq type='get' id='all'><query xmlns='jabber:iq:roster'/></iq>")
		all := c.until(t, "its roster", func(e *element) bool { return e.ID == "all" })
		got := map[string]string{}
		for _, it := range all[len(all)-1].Items {
			got[it.JID] = it.Name
		}
		v := &o.life
		n := v.acked
		for n <= v.sent && !maps.Equal(got, o.after(n)) {
			n++
		}
		if n > v.sent {
			t.Errorf("roster of %s: got %v, want %v (%d changes acknowledged, %d sent)", o.name(), got, o.after(v.acked), v.acked, v.sent)
		}
		o.roster = got
		o.life = life{first: v.sent, sent: v.sent, acked: v.sent}
		c.logout(t)
	}
}

// checkMessages lets all recipients log in, twice: there is nothing to get the
// second time.
func (l *load) checkMessages(t *testing.T, s *server) {
	t.Helper()
	for i := range recipients {
		got := map[string][]int{} // numbers by sender
		for _, m := range receive(t, s, recipient(i)) {
			name, n, _ := strings.Cut(m.Body, " ")
			number, err := strconv.Atoi(n)
			if err != nil || m.Delay == nil || user(m.From) != name {
				t.Fatalf("%s got a message that nobody sent: %+v", recipient(i), m)
			}
			got[name] = append(got[name], number)
		}
		for _, from := range l.senders {
			from.check(t, i, got[from.name()])
		}
		if again := receive(t, s, recipient(i)); len(again) > 0 {
			t.Errorf("%s got %d messages a second time, the first is %+v", recipient(i), len(again), again[0])
		}
	}
}

// receive logs in and returns all messages that were stored. One to itself, sent
// behind its presence, comes after them.
func receive(t *testing.T, s *server, name string) []element {
	t.Helper()
	c := login(t, s, name)
	c.send("<presence/><message to='%s' type='chat'><body>end</body></message>", c.jid)
	var messages []element
	for _, e := range c.until(t, "its messages", func(e *element) bool { return e.Body == "end" }) {
		if e.XMLName.Local == "message" && e.Body != "end" {
			messages = append(messages, e)
		}
	}
	c.logout(t)
	return messages
}

// check looks at the numbers that recipient r got from s. Of each life a
// beginning must be there that has all that was acknowledged, and nothing else.
func (s *sender) check(t *testing.T, r int, got []int) {
	t.Helper()
	all := got
	for _, v := range s.lives {
		for n := v.first; n < v.sent; n++ {
			if s.to(n) != r {
				continue
			}
			if len(got) > 0 && got[0] == n {
				got = got[1:]
				continue
			}
			if n < v.acked {
				t.Errorf("%s got %v from %s: number %d was acknowledged and is not there, or not in order", recipient(r), all, s.name(), n)
				return
			}
			break
		}
	}
	if len(got) > 0 {
		t.Errorf("%s got %v from %s: from number %d on they are doubled, not in order, or have a gap", recipient(r), all, s.name(), got[0])
	}
}
