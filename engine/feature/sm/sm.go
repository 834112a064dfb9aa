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
	"strconv"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
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
	returned = metric.NewCounter("meerkat_sm_returned_total",
		"Stanzas that no client acknowledged, given to other resources, to the offline store, or back to their senders.")
)

// Feature is stream management on all loops.
type Feature struct{}

// New returns the feature.
func New() (feature.Feature, *Feature) {
	f := &Feature{}
	return feature.Feature{
		Name:   "sm",
		Spec:   "XEP-0198",
		Nonza:  []feature.Nonza{{Space: space, Handle: f.nonza}},
		Resume: &feature.Resumer{Space: space, Resume: f.resume},
		Stream: []feature.StreamFeature{{Bound: true, Append: func(_ *feature.Ctx, b *xml.Builder, _ string) {
			b.Start("sm", space).End()
		}}},
		Unbound: f.unbound,
	}, f
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
	k := &keeper{env: c.Env, sess: c.Session, under: stream}
	if yes(e.Attr("resume")) {
		k.grant(e.Attr("max"))
	}
	c.Session.Received = 0
	stream.Write(k.granted())
	c.Session.SetBottom(k)
	stream.Carry(c.Session, k)
	enabled.Add(c.Shard(), 1)
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
		b.Attr("resume", "true").Attr("id", k.id()).AttrInt("max", int64(k.max))
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

// yes reads an XML boolean.
func yes(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// number reads an unsigned int of 32 bits.
func number(v []byte) (uint32, bool) {
	n, err := strconv.ParseUint(string(v), 10, 32)
	return uint32(n), err == nil
}
