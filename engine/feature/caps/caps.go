// Package caps finds out what the clients of our sessions can do (XEP-0115
// 1.6.0): it reads what they advertise in presence, asks where nobody has
// answered for the same verification string before, and keeps what it could
// verify. What is known of a session is in package engine/caps.
package caps

import (
	"strconv"
	"strings"

	"meerkat/engine/account"
	"meerkat/engine/caps"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// prefix begins the ids of our questions.
const prefix = "caps:"

var (
	asked    = metric.NewCounter("meerkat_caps_asked_total", "Clients asked what they can do (XEP-0115).")
	answered = metric.NewCounterVec("meerkat_caps_answers_total",
		"Answers to that: verified; those that do not have the hash that was advertised, or none that can be checked, which count for the session only; ill-formed ones; and errors.",
		"answer", "verified", "unverified", "malformed", "error")
)

// Indexes of answered.
const (
	verified = iota
	unverified
	malformed
	failed
)

// Feature is the capabilities of all sessions.
type Feature struct {
	clients *caps.Clients
	loops   []*cache
	tell    func(c *feature.Ctx, nodes []string)
}

// New returns the feature. tell is called when a session is available and wants
// events of nodes that it did not want before, with these nodes. loops is how
// many there are.
func New(clients *caps.Clients, loops int, tell func(c *feature.Ctx, nodes []string)) (feature.Feature, *Feature) {
	f := &Feature{clients: clients, tell: tell}
	for range loops {
		f.loops = append(f.loops, newCache())
	}
	return feature.Feature{
		Name:    "caps",
		Spec:    "XEP-0115",
		Answer:  f.answer,
		Unbound: func(c *feature.Ctx) { clients.Put(c.Shard(), c.Session, nil) },
		Thaw:    f.thaw,
	}, f
}

// PresenceOut is the stage that reads what a session advertises. It comes after
// presence has been handled.
func (f *Feature) PresenceOut(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case !s.To.IsZero():
	case s.Type == stanza.Available:
		f.note(c, s.Elem)
	case s.Type == stanza.Unavailable:
		if cl := f.clients.Of(c.Session); cl != nil {
			cl.Told = false
		}
	}
	return feature.Continue
}

// note takes over what presence says. Presence that says nothing of it changes
// nothing.
func (f *Feature) note(c *feature.Ctx, presence xml.Elem) {
	cl := f.clients.Of(c.Session)
	a, ok := caps.Read(presence)
	if !ok {
		f.news(c, cl, nil)
		return
	}
	home := f.loops[c.Shard()]
	home.key = a.AppendKey(home.key[:0])
	if cl != nil && cl.Key == string(home.key) { // nearly always
		f.news(c, cl, nil)
		return
	}
	next := &caps.Client{}
	var before *caps.Set
	if cl != nil {
		before, next.Told = cl.Set, cl.Told
	}
	f.clients.Put(c.Shard(), c.Session, next)
	if next.Key, next.Set = home.find(c.Env); next.Set == nil {
		next.Set = before // until we know better
		next.Asks = home.ask(c, c.Session, a)
		return
	}
	f.news(c, next, before)
}

// news has the session told the last events of the nodes it wants, unless it has
// heard them before.
func (f *Feature) news(c *feature.Ctx, cl *caps.Client, before *caps.Set) {
	if cl == nil || cl.Set == nil || cl.Told && before == nil || !c.Session.Available() {
		return
	}
	nodes := cl.Set.Nodes()
	if cl.Told {
		nodes = without(nodes, before)
	}
	if cl.Told = true; len(nodes) > 0 {
		f.tell(c, nodes)
	}
}

func without(nodes []string, had *caps.Set) (left []string) {
	for _, n := range nodes {
		if !had.Wants([]byte(n)) {
			left = append(left, n)
		}
	}
	return left
}

// ask sends the client a question (XEP-0115 §6.2) and returns its number.
func (h *cache) ask(c *feature.Ctx, s *account.Session, a caps.Advert) uint32 {
	if h.asked++; h.asked == 0 {
		h.asked = 1
	}
	var b xml.Builder
	b.Reset(c.Scratch(), stanza.Client).Start("iq", "").Attr("type", "get").
		Attr("id", prefix+strconv.FormatUint(uint64(h.asked), 16)).
		Attr("from", s.JID.Domain()).Attr("to", s.JID.String())
	out := b.Start("query", caps.InfoSpace).Attr("node", string(a.Node)+"#"+string(a.Ver)).End().End().Bytes()
	s.Sink.Write(out)
	c.Keep(out)
	asked.Add(c.Shard(), 1)
	return h.asked
}

// answer takes what a client says to our question (XEP-0115 §5.4).
func (f *Feature) answer(c *feature.Ctx, s *stanza.Stanza) {
	cl := f.clients.Of(c.Session)
	number, ours := strings.CutPrefix(string(s.ID), prefix)
	if n, err := strconv.ParseUint(number, 16, 32); !ours || err != nil || cl == nil || cl.Asks == 0 || uint32(n) != cl.Asks {
		return
	}
	cl.Asks = 0
	q := s.Payload()
	if s.Type != stanza.Result || !q.Is("query", caps.InfoSpace) {
		answered.Add(c.Shard(), failed, 1)
		return
	}
	features, ok := caps.Features(q)
	if !ok {
		answered.Add(c.Shard(), malformed, 1)
		return
	}
	before := cl.Set
	cl.Set = caps.NewSet(features)
	hash, ver, _ := strings.Cut(cl.Key, " ")
	if caps.Verify(caps.Advert{Hash: []byte(hash), Ver: []byte(ver)}, q) {
		answered.Add(c.Shard(), verified, 1)
		f.loops[c.Shard()].learn(c.Env, cl)
	} else {
		answered.Add(c.Shard(), unverified, 1)
	}
	f.news(c, cl, before)
}

// thaw reads what a session advertised before a restart. It may have missed events
// while the server was there and the session was not, so it is told the last ones.
func (f *Feature) thaw(c *feature.Ctx, _ []byte) {
	var doc xml.Doc
	e, err := doc.Parse(c.Session.Presence, stanza.Client)
	if err != nil {
		return
	}
	a, ok := caps.Read(e)
	if !ok {
		return
	}
	home, cl := f.loops[c.Shard()], &caps.Client{}
	home.key = a.AppendKey(home.key[:0])
	f.clients.Put(c.Shard(), c.Session, cl)
	if cl.Key, cl.Set = home.find(c.Env); cl.Set == nil {
		cl.Asks = home.ask(c, c.Session, a)
		return
	}
	f.news(c, cl, nil)
}
