package push

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	idPrefix = "push-"
	// patience is how long the next notification waits for the answer to the last.
	patience = 30 * time.Second
	// maxErrors is how many errors of a kind that may pass end a registration, when
	// nothing else comes between.
	maxErrors = 10
)

// sender publishes for one registration: one notification at a time, as many as
// the options allow, and what comes meanwhile in the next one. It is there while
// it has something to do or to remember.
type sender struct {
	f     *Feature
	env   *feature.Env
	owner jid.JID
	reg   registration

	count      int    // messages to be told of
	asks       bool   // somebody has asked for a subscription
	from, body string // of the last one, as far as it is to be told
	id         string // of the notification that waits for its answer
	errors     int    // in a row
	spent      int    // of push.burst
	since      time.Time
	timer      loop.Timer
}

func (f *Feature) home(e *feature.Env) *home { return f.loops[e.Shard()] }

// sender returns the one of a registration.
func (f *Feature) sender(e *feature.Env, r *registration, owner jid.JID) *sender {
	all, key := f.home(e).senders, r.key()
	s := all[owner.String()][key]
	if s == nil {
		s = &sender{f: f, env: e, owner: owner.Clone(), since: e.Now()}
		s.timer.Owner = s
		if all[s.owner.String()] == nil {
			all[s.owner.String()] = make(map[string]*sender)
		}
		all[s.owner.String()][key] = s
	}
	s.reg = *r
	return s
}

// add has one more message, or a request, told of.
func (s *sender) add(n news) {
	if s.pending() {
		coalesced.Add(s.env.Shard(), 1)
	}
	if n.asks {
		s.asks = true
	} else {
		s.count++
		s.from, s.body = n.summary(s.env)
	}
	s.pump()
}

func (s *sender) pending() bool { return s.count > 0 || s.asks }

// pump sends if it may, or has itself called when it may.
func (s *sender) pump() {
	s.refill()
	switch opt := &s.env.Config.Push; {
	case s.id != "": // the answer calls, or the timer
	case !s.pending() && s.spent == 0:
		if s.errors == 0 {
			s.end()
		}
	case s.pending() && s.spent < opt.Burst:
		s.send()
	default:
		s.env.Loop.Set(&s.timer, s.since.Add(time.Duration(opt.Interval)).Sub(s.env.Now()))
	}
}

// refill gives back one of the burst for each interval that has gone by.
func (s *sender) refill() {
	interval := time.Duration(s.env.Config.Push.Interval)
	n := int(s.env.Now().Sub(s.since) / interval)
	if s.spent = max(0, s.spent-n); s.spent == 0 {
		s.since = s.env.Now()
		return
	}
	s.since = s.since.Add(time.Duration(n) * interval)
}

// Timeout is for the loop: an answer does not come, or more may be sent.
func (s *sender) Timeout(*loop.Timer) {
	if s.id != "" {
		unanswered.Add(s.env.Shard(), 1)
		s.answered()
	}
	s.pump()
}

func (s *sender) answered() {
	delete(s.f.home(s.env).waiting, s.id)
	s.env.Loop.Stop(&s.timer)
	s.id = ""
}

// end forgets the sender.
func (s *sender) end() {
	s.answered()
	mine, owner := s.f.home(s.env).senders, s.owner.String()
	if delete(mine[owner], s.reg.key()); len(mine[owner]) == 0 {
		delete(mine, owner)
	}
}

// send publishes (XEP-0357 §7).
func (s *sender) send() {
	var r [12]byte
	rand.Read(r[:]) // never fails
	s.id = idPrefix + base64.RawURLEncoding.EncodeToString(r[:])
	s.f.home(s.env).waiting[s.id] = s
	s.spent++
	s.env.Loop.Set(&s.timer, patience)
	published.Add(s.env.Shard(), 1)
	b := s.publish(s.env.Scratch())
	s.count, s.asks, s.from, s.body = 0, false, "", ""
	s.env.Router.Send(s.reg.server, b)
	s.env.Keep(b)
}

func (s *sender) publish(dst []byte) []byte {
	var b xml.Builder
	b.Reset(dst, stanza.Client).Start("iq", "").Attr("type", "set").Attr("id", s.id).
		Attr("from", s.owner.String()).Attr("to", s.reg.server.String())
	b.Start("pubsub", pubsubSpace).Start("publish", "").OptAttr("node", s.reg.node).Start("item", "")
	b.Start("notification", space)
	w := form.Start(&b, form.Submit, summaryType)
	if s.count > 0 {
		w.Value("message-count", strconv.Itoa(s.count))
	}
	if s.asks {
		w.Value("pending-subscription-count", strconv.Itoa(s.requests()))
	}
	if s.from != "" {
		w.Value("last-message-sender", s.from)
	}
	if s.body != "" {
		w.Value("last-message-body", s.body)
	}
	w.End()
	b.End().End().End()
	if len(s.reg.options) > 0 {
		b.Start("publish-options", "").Raw(s.reg.options).End()
	}
	return b.End().End().Bytes()
}

// requests returns how many others wait for an answer: one at least, who may not be
// stored yet.
func (s *sender) requests() (n int) {
	s.env.View(func(tx *store.Tx) {
		for it := range roster.Load(tx, s.owner.String()).All() {
			if it.State&roster.In != 0 {
				n++
			}
		}
	})
	return max(1, n)
}

// FilterIn is a stage for what reaches an account: the answers of app servers, and
// their word that they want to hear no more.
func (f *Feature) FilterIn(c *feature.Ctx, q *stanza.Stanza) feature.Verdict {
	if q.Kind == stanza.Message && q.Type == stanza.Normal && !q.To.IsFull() && q.Elem.First().Is("pubsub", pubsubSpace) {
		return f.stopped(c, q)
	}
	if q.Kind != stanza.IQ || q.Request() || q.To.IsFull() || !strings.HasPrefix(string(q.ID), idPrefix) {
		return feature.Continue
	}
	s := f.home(c.Env).waiting[string(q.ID)]
	switch {
	case s == nil || s.owner != c.Owner:
	case q.From != s.reg.server:
		forged.Add(c.Shard(), 1)
	case q.Type == stanza.Error:
		s.answered()
		s.fail(q)
	default:
		s.answered()
		s.errors = 0
		s.pump()
	}
	return feature.Done
}

// stopped takes the news of an app server that the account may not publish to a node of
// its any more (§8): the registration ends.
func (f *Feature) stopped(c *feature.Ctx, m *stanza.Stanza) feature.Verdict {
	p := m.Elem.First()
	a := p.Child("affiliation", pubsubSpace)
	switch string(a.Attr("affiliation")) {
	case "none", "outcast", "member":
	default:
		return feature.Continue
	}
	if string(a.Attr("jid")) != c.Owner.String() {
		return feature.Continue
	}
	r := registration{server: m.From, node: string(p.Attr("node"))}
	key := r.key()
	if !has(f.of(c.Env, c.Account, c.Owner.String()), key) {
		return feature.Continue
	}
	dropped.Add(c.Shard(), 1)
	f.drop(c.Env, c.Owner.Clone().String(), key)
	return feature.Done
}

// drop ends a registration without its client.
func (f *Feature) drop(e *feature.Env, owner, key string) {
	f.update(e, owner, func(tx *store.Tx) error { return docs.Delete(tx, owner, key) }, func(err error) {
		if err != nil {
			e.Log.Warn("a push registration could not be removed", "account", owner, "err", err)
		}
	})
}

// fail takes an error (§7.1): one that may pass is borne some times.
func (s *sender) fail(q *stanza.Stanza) {
	failed.Add(s.env.Shard(), 1)
	e := q.Elem.Child("error", stanza.Client)
	if s.errors++; string(e.Attr("type")) == "wait" && s.errors < maxErrors {
		s.pump()
		return
	}
	dropped.Add(s.env.Shard(), 1)
	s.env.Log.Debug("push ended: the app server answers with errors", "account", s.owner.String(),
		"app_server", s.reg.server.String(), "node", s.reg.node, "condition", string(e.First().Local()))
	owner, key := s.owner.String(), s.reg.key()
	s.end()
	s.f.drop(s.env, owner, key)
}
