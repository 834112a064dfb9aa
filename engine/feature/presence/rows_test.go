package presence_test

import (
	"fmt"
	"strings"
	"testing"

	"meerkat/engine/roster"
)

// states are the nine of RFC 6121 Appendix A.1, in its order.
var states = []struct {
	name string
	is   roster.State
}{
	{"None", 0},
	{"None+Out", roster.Ask},
	{"None+In", roster.In},
	{"None+Out+In", roster.Ask | roster.In},
	{"To", roster.To},
	{"To+In", roster.To | roster.In},
	{"From", roster.From},
	{"From+Out", roster.From | roster.Ask},
	{"Both", roster.To | roster.From},
}

// outbound is Appendix A.2: for each state in order, whether the stanza is
// routed ("y") and the new state.
var outbound = map[string]string{
	"subscribe":    "y None+Out, y None+Out, y None+Out+In, y None+Out+In, y To, y To+In, y From+Out, y From+Out, y Both",
	"unsubscribe":  "y None, y None, y None+In, y None+In, y None, y None+In, y From, y From, y From",
	"subscribed":   "n None, n None+Out, y From, y From+Out, n To, y Both, n From, n From+Out, n Both",
	"unsubscribed": "n None, n None+Out, y None, y None+Out, n To, y To, y None, y None+Out, y To",
}

// inbound is Appendix A.3: whether the stanza is delivered ("y"), or answered
// with subscribed in the user's name ("a"), and the new state.
var inbound = map[string]string{
	"subscribe":    "y None+In, y None+Out+In, n None+In, n None+Out+In, y To+In, n To+In, a From, a From+Out, a Both",
	"unsubscribe":  "n None, n None+Out, y None, y None+Out, n To, y To, y None, y None+Out, y To",
	"subscribed":   "n None, y To, n None+In, y To+In, n To, n To+In, n From, y Both, n Both",
	"unsubscribed": "n None, y None, n None+In, y None+In, y None, y None+In, n From, y From, y From",
}

func TestAppendixARowsOverTheWire(t *testing.T) {
	rows := 0
	for way, tables := range map[string]map[string]string{"out": outbound, "in": inbound} {
		for event, table := range tables {
			for i, cell := range strings.Split(table, ", ") {
				rows++
				said, next, _ := strings.Cut(cell, " ")
				before := states[i]
				t.Run(fmt.Sprintf("%s/%s/%s", way, event, before.name), func(t *testing.T) {
					play(t, way, event, before.is, said, stateOf(t, next))
				})
			}
		}
	}
	if rows != 72 {
		t.Errorf("%d rows, Appendix A has 72", rows)
	}
}

func stateOf(t *testing.T, name string) roster.State {
	for _, s := range states {
		if s.name == name {
			return s.is
		}
	}
	t.Fatalf("no state is called %s", name)
	return 0
}

// play lets one of the two send event: romeo, whose state is given, or juliet to
// him. The other's roster is such that the stanza gets through.
func play(t *testing.T, way, event string, before roster.State, said string, next roster.State) {
	w := newWorld(t, 2, "romeo@test", "juliet@test")
	other := roster.Listed | roster.In
	if event == "subscribe" || event == "unsubscribe" {
		other = roster.Listed
	}
	if way == "out" { // whatever comes is news to juliet
		other = map[string]roster.State{"subscribe": 0, "unsubscribe": roster.From,
			"subscribed": roster.Ask, "unsubscribed": roster.Ask}[event] | roster.Listed
	}
	his := roster.Contact{JID: "juliet@test", State: before | roster.Listed}
	if before&roster.In != 0 {
		his.Request = []byte("<presence type='subscribe' from='juliet@test' to='romeo@test'/>")
	}
	w.roster("romeo@test", his)
	w.roster("juliet@test", roster.Contact{JID: "romeo@test", State: other})
	romeo, hisSink := w.login("romeo@test/orchard")
	juliet, herSink := w.login("juliet@test/balcony")
	w.send(romeo, "<presence/>")
	w.send(juliet, "<presence/>")
	hisSink.take()
	herSink.take()
	if way == "out" {
		w.send(romeo, fmt.Sprintf("<presence to='juliet@test' type='%s'/>", event))
		expect(t, herSink.take(), event, "romeo@test", said == "y")
	} else {
		w.send(juliet, fmt.Sprintf("<presence to='romeo@test' type='%s'/>", event))
		expect(t, hisSink.take(), event, "juliet@test", said == "y")
		expect(t, herSink.take(), "subscribed", "romeo@test", said == "a")
	}
	checkState(t, w, next)
}

// expect looks for presence of that type from that bare JID.
func expect(t *testing.T, got, typ, from string, want bool) {
	t.Helper()
	found := false
	for _, line := range strings.Split(got, "\n") {
		found = found || strings.HasPrefix(line, "<presence") &&
			strings.Contains(line, "type='"+typ+"'") && strings.Contains(line, "from='"+from+"'")
	}
	if found != want {
		t.Errorf("%s from %s: got %v, want %v; all that came:\n%s", typ, from, found, want, got)
	}
}

// checkState asks for romeo's roster, and logs in once more to see whether a
// request waits for him.
func checkState(t *testing.T, w *world, want roster.State) {
	t.Helper()
	again, out := w.login("romeo@test/window")
	w.send(again, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	item := "<item jid='juliet@test' subscription='" + want.Subscription() + "'"
	if want&roster.Ask != 0 {
		item += " ask='subscribe'"
	}
	if got := out.take(); !strings.Contains(got, item+"/>") && !strings.Contains(got, item+" approved='true'/>") {
		t.Errorf("the roster is\n%s\nwant %s/>", got, item)
	}
	w.send(again, "<presence/>")
	if got := strings.Contains(out.take(), "type='subscribe'"); got != (want&roster.In != 0) {
		t.Errorf("a request waits: %v, want %v", got, want&roster.In != 0)
	}
}
