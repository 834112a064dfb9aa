// Package sm is stream management (XEP-0198): acknowledgements both ways, and
// sessions that outlive their stream.
//
// A managed session has a keeper between itself and its stream. What the server
// writes passes the keeper, is numbered and kept until the client acknowledges
// it. What the client sends is numbered by Session.Received.
package sm

import (
	"crypto/rand"
	"encoding/base64"
	"hash/maphash"
	"strconv"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space       = "urn:xmpp:sm:3"
	nsCondition = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

var (
	enabled = metric.NewGauge("meerkat_sm_sessions",
		"Sessions with stream management.")
	detached = metric.NewGauge("meerkat_sm_detached",
		"Sessions that have lost their connection and wait for their client to resume them.")
	resumptions = metric.NewCounter("meerkat_sm_resumed_total",
		"Sessions resumed by their clients.")
	refusals = metric.NewCounter("meerkat_sm_refused_total",
		"Requests to enable or resume that were answered with <failed/>.")
	expiries = metric.NewCounter("meerkat_sm_expired_total",
		"Sessions that nobody resumed in limits.resume_time.")
	overflows = metric.NewCounter("meerkat_sm_overflows_total",
		"Sessions ended because of limits.resume_stanzas or limits.resume_bytes.")
	unstored = metric.NewCounter("meerkat_sm_unstored_total",
		"Stanzas that went out without being stored because the store did not take them.")
	returned = metric.NewCounter("meerkat_sm_returned_total",
		"Stanzas that no client acknowledged, given to other resources, to the offline store, or back to their senders.")
)

// Feature is stream management on all loops.
type Feature struct {
	homes    []*home // by loop
	freezers []feature.Feature
	thawers  []feature.Feature

	// Missed, if not nil, hears of every stanza for a session that has lost its
	// stream, Left of a session that loses it, with what its client has not
	// acknowledged. What is yielded is borrowed.
	Missed func(e *feature.Env, s *account.Session, b []byte)
	Left   func(e *feature.Env, s *account.Session, each func(yield func(b []byte)))
}

// New returns the feature. loops is how many there are, others are the features
// that have something to do with sessions that come back after a restart.
func New(loops int, others []feature.Feature) (feature.Feature, *Feature) {
	f := &Feature{homes: make([]*home, loops)}
	for _, o := range others {
		if o.Freeze != nil {
			f.freezers = append(f.freezers, o)
		}
		if o.Thaw != nil {
			f.thawers = append(f.thawers, o)
		}
	}
	return feature.Feature{
		Name:   "sm",
		Spec:   "XEP-0198",
		Nonza:  []feature.Nonza{{Space: space, Handle: f.nonza}},
		Resume: &feature.Resumer{Space: space, Resume: f.resume, Early: early},
		Inline: &feature.Inline{Space: space, Handle: f.inline},
		Stream: []feature.StreamFeature{{Bound: true, Append: func(c *feature.Ctx, b *xml.Builder, _ string) {
			if c.Session == nil || !managed(c.Session) {
				b.Start("sm", space).End()
			}
		}}},
		Start:   func(e *feature.Env) { f.at(e) },
		Bound:   f.bound,
		Unbound: f.unbound,
	}, f
}

// home is what one loop has.
type home struct {
	*batch
	*old
	ended
}

// at returns the home of a loop.
func (f *Feature) at(env *feature.Env) *home {
	h := f.homes[env.Shard()]
	if h == nil {
		h = &home{batch: newBatch(f, env), old: newOld(f, env)}
		f.homes[env.Shard()] = h
	}
	return h
}

// PresenceOut notes that what is to be kept of the session may have changed. It
// is a stage behind the broadcast.
func (f *Feature) PresenceOut(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
	if k, ok := c.Session.Bottom().(*keeper); ok {
		k.b.touch(k)
	}
	return feature.Continue
}

// managed reports whether stream management is enabled.
func managed(s *account.Session) bool {
	_, ok := s.Bottom().(*keeper)
	return ok
}

// nonza takes what a bound session sends in our namespace.
func (f *Feature) nonza(c *feature.Ctx, e xml.Elem) {
	bottom := c.Session.Bottom()
	k, managed := bottom.(*keeper)
	switch local := string(e.Local()); {
	case local == "enable" && !managed:
		f.enable(c, e, bottom)
	case local == "r" && managed:
		k.answer()
	case local == "a" && managed:
		k.hear(e.Attr("h"))
	case local == "enable" && managed:
		k.refuse()
		bottom.Kick("policy-violation", "stream management is enabled already")
	case managed:
		k.refuse()
	default: // of no stream management, or too late
		refusals.Add(c.Shard(), 1)
		bottom.Write(failed(stanza.UnexpectedRequest))
	}
}

// enable takes <enable/> (XEP-0198 §3).
func (f *Feature) enable(c *feature.Ctx, e xml.Elem, bottom account.Sink) {
	stream, ok := bottom.(account.Carrier)
	if !ok {
		refusals.Add(c.Shard(), 1)
		bottom.Write(failed(stanza.FeatureNotImplemented))
		return
	}
	c.Session.Hold()
	s := c.Session
	f.manage(c, e, stream, func(answer []byte) {
		stream.Write(answer)
		s.Release()
	})
}

// inline is enable along with binding (XEP-0198 §9).
func (f *Feature) inline(c *feature.Ctx, e xml.Elem, done func(answer []byte)) {
	stream, ok := c.Session.Bottom().(account.Carrier)
	if !ok || !e.Is("enable", space) {
		refusals.Add(c.Shard(), 1)
		done(failed(stanza.UnexpectedRequest))
		return
	}
	f.manage(c, e, stream, done)
}

// manage puts a keeper below the session, once its row is stored if it has one.
func (f *Feature) manage(c *feature.Ctx, e xml.Elem, stream account.Carrier, done func(answer []byte)) {
	k := &keeper{env: c.Env, b: f.at(c.Env).batch, sess: c.Session, under: stream}
	if !yes(e.Attr("resume")) {
		k.install(stream)
		done(k.granted())
		return
	}
	k.grant(e.Attr("max"))
	f.save(k, func(err error) {
		if k.alive() {
			k.sess.Lasting = err == nil
			k.install(stream)
		}
		done(k.granted())
	})
}

// install puts k between its session and the stream.
func (k *keeper) install(stream account.Carrier) {
	k.sess.Received = 0
	k.sess.SetBottom(k)
	stream.Carry(k.sess, k)
	enabled.Add(k.env.Shard(), 1)
}

// alive reports whether the session is still bound.
func (k *keeper) alive() bool { return k.sess.Account.Find(k.sess.JID.Resource()) == k.sess }

// save stores the row of a session.
func (f *Feature) save(k *keeper, done func(error)) {
	row, owner, id := f.appendRow(nil, k), k.owner(), k.sess.ID
	k.rowHash = maphash.Bytes(seed, row)
	k.b.do(func(tx *store.Tx) error { return feature.Sessions.Put(tx, owner, store.QueueKey(id), row) }, done)
}

// grant allows the session to be resumed within the time that the client wants,
// if it says one, at most that of the options.
func (k *keeper) grant(wanted []byte) {
	limit := time.Duration(k.env.Config.Limits.ResumeTime)
	if n, err := strconv.ParseUint(string(wanted), 10, 32); err == nil && n > 0 {
		limit = min(limit, time.Duration(n)*time.Second)
	}
	k.max = uint32(limit / time.Second)
	rand.Read(k.token[:]) // never fails
}

// granted is the answer to <enable/>.
func (k *keeper) granted() []byte {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("enabled", space)
	if k.resumable() {
		b.Attr("resume", "true").Attr("id", k.id()).AttrInt("max", int64(k.max)).OptAttr("location", k.env.Config.C2S.ResumeLocation)
	}
	return b.End().Bytes()
}

func (k *keeper) resumable() bool { return k.max > 0 }

// id is the session's name for its client, the SM-ID.
func (k *keeper) id() string { return base64.RawURLEncoding.EncodeToString(k.token[:]) }

// failed is the refusal of <enable/> or <resume/> (XEP-0198 §6).
func failed(cond stanza.Condition) []byte {
	var b xml.Builder
	return b.Reset(nil, stanza.Client).Start("failed", space).
		Start(cond.String(), nsCondition).End().End().Bytes()
}

// failedAfter is failed for a session of which the server knows how many stanzas
// of the client's it has handled.
func failedAfter(cond stanza.Condition, h uint32) []byte {
	var b xml.Builder
	return b.Reset(nil, stanza.Client).Start("failed", space).AttrInt("h", int64(h)).
		Start(cond.String(), nsCondition).End().End().Bytes()
}

// early refuses what comes before login (XEP-0198 §3).
func early(e xml.Elem) []byte {
	if l := string(e.Local()); l != "enable" && l != "resume" {
		return nil
	}
	return failed(stanza.UnexpectedRequest)
}

// yes reads an XML boolean.
func yes(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// number reads an unsigned int of 32 bits.
func number(v []byte) (uint32, bool) {
	n, err := strconv.ParseUint(string(v), 10, 32)
	return uint32(n), err == nil
}
