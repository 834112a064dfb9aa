// Package report takes what users report of those they block (XEP-0377 0.4.1): it is
// logged, counted, and sent to whom the operator says.
package report

import (
	"slices"
	"strings"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const (
	space    = "urn:xmpp:reporting:1"
	sidSpace = "urn:xmpp:sid:0"

	maxText   = 1 << 10 // bytes of what somebody says
	maxReason = 128     // bytes of a reason's name
	maxIDs    = 20      // messages of one report
	maxID     = 256     // bytes of who has named one, and of its name
)

// reasons are those that XEP-0377 §4 defines, and any other.
var reasons = []string{"spam", "abuse", "other"}

var (
	taken = metric.NewCounterVec("meerkat_reports_total",
		"Reports by users of those they blocked.", "reason", reasons...)
	excess = metric.NewCounter("meerkat_reports_limited_total",
		"Reports not looked at because of reports.per_user.")
	forwarded = metric.NewCounter("meerkat_reports_forwarded_total",
		"Messages with reports, to the addresses of reports.forward.")
)

// report is one.
type report struct {
	jid    string // who is blocked
	reason string
	text   string
	ids    []string // of messages, as by and id with a blank between
	raw    []byte   // the element, for the namespace of blocking
}

// Feature is reporting.
type Feature struct{ hours []hour }

// hour has how many reports the accounts of one loop have made since its begin.
type hour struct {
	begin time.Time
	count map[string]int
}

// New returns the feature. loops is how many loops there are.
func New(loops int) (feature.Feature, *Feature) {
	return feature.Feature{Name: "report", Spec: "XEP-0377", Disco: []string{space}}, &Feature{make([]hour, loops)}
}

// Read reads the reports in a <block/>. What it returns is to be called when the
// block is stored; nil is for none.
func (f *Feature) Read(c *feature.Ctx, block xml.Elem) (blocked func(), cond stanza.Condition) {
	var list []report
	for it := block.First(); it.OK(); it = it.Next() {
		e := it.Child("report", space)
		if !e.OK() {
			continue
		}
		r, ok := read(e, string(it.Attr("jid")))
		if !ok {
			return nil, stanza.BadRequest
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, stanza.OK
	}
	env, by := c.Env, c.Owner
	return func() {
		for i := range list {
			f.take(env, by, &list[i])
		}
	}, stanza.OK
}

func read(e xml.Elem, jid string) (r report, ok bool) {
	r = report{jid: jid, reason: string(e.Attr("reason")), raw: e.AppendTo(nil, "urn:xmpp:blocking")}
	for c := e.First(); c.OK(); c = c.Next() {
		switch {
		case c.Is("text", space) && r.text == "":
			r.text = string(c.Text())
		case c.Is("stanza-id", sidSpace) && len(r.ids) < maxIDs:
			r.ids = append(r.ids, cut(string(c.Attr("by")), maxID)+" "+cut(string(c.Attr("id")), maxID))
		}
	}
	r.text = cut(r.text, maxText)
	return r, r.reason != "" && len(r.reason) <= maxReason
}

// cut shortens s to at most most bytes of whole letters: the log is no place for all
// that a client may send.
func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// take deals with a report, unless there are too many.
func (f *Feature) take(e *feature.Env, by jid.JID, r *report) {
	if !f.allows(e, by.String()) {
		excess.Add(e.Shard(), 1)
		return
	}
	taken.Add(e.Shard(), r.kind(), 1)
	e.Log.Info("reported", "jid", r.jid, "reason", r.reason, "text", r.text, "messages", r.ids, "by", by.String())
	for _, a := range e.Config.Reports.Forward {
		to, err := jid.Parse(a)
		if err != nil || !e.Router.Local(to.Domain()) {
			e.Log.Warn("a report cannot be sent there", "to", a, "do", "mend [reports] forward")
			continue
		}
		b := r.message(e.Scratch(), by, to)
		e.Router.Send(to, b)
		e.Keep(b)
		forwarded.Add(e.Shard(), 1)
	}
}

// kind is the index of the reason in reasons.
func (r *report) kind() int {
	i := slices.IndexFunc(reasons, func(name string) bool { return r.reason == "urn:xmpp:reporting:"+name })
	if i < 0 {
		return len(reasons) - 1
	}
	return i
}

// allows counts a report of an account, and reports whether it is to be looked at.
func (f *Feature) allows(e *feature.Env, by string) bool {
	h := &f.hours[e.Shard()]
	if now := e.Now(); h.count == nil || now.Sub(h.begin) >= time.Hour {
		*h = hour{now, make(map[string]int)}
	}
	h.count[by]++
	limit := e.Config.Reports.PerUser
	return limit == 0 || h.count[by] <= limit
}

// message says it to people, and has the report as it came for programs.
func (r *report) message(dst []byte, by, to jid.JID) []byte {
	text := by.String() + " has blocked " + r.jid + ": " + reasons[r.kind()]
	if r.text != "" {
		text += "\n" + r.text
	}
	var b xml.Builder
	b.Reset(dst, stanza.Client).Start("message", "").Attr("type", "normal").Attr("from", by.Domain()).Attr("to", to.String())
	b.Start("subject", "").Text("Report of "+r.jid).End().Start("body", "").Text(text).End()
	b.Start("block", "urn:xmpp:blocking").Start("item", "").Attr("jid", r.jid).Raw(r.raw).End().End()
	return b.End().Bytes()
}
