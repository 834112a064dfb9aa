// Package mam keeps the history of conversations and shows it (XEP-0313 1.1.3,
// XEP-0441 0.2.0), and gives messages the ids they have there (XEP-0359 0.7.0).
//
// A message is in the sender's archive and in the recipient's. Who is told its
// id there is told after the commit: the recipient, who gets the message with it,
// and the sender's other sessions, who get a copy. So what is behind this feature
// in engine/order.go waits for the disk, and all else for the same account waits
// behind it. The rows of one turn are one update, and the updates of all loops
// one commit.
package mam

import (
	"time"

	"meerkat/engine/account"
	"meerkat/engine/archive"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space    = archive.Space
	sidSpace = archive.StanzaID
)

// Feature is the archive: requests, and stages for engine/order.go.
type Feature struct {
	enabled bool
	started time.Time
	born    uint64 // no session of this process has an id from before, see route
	archive *store.Archive
	prefs   account.Slot[prefs]
	unkept  account.Flag // of a Talk: the session's account does not want it in its archive
	loops   []*work
	in, out []feature.Stage // what waits for the commit
}

// New returns the feature. started is when the loops began.
func New(flags *account.Flags, cfg *config.Archive, rows *store.Archive, loops int, started time.Time) (feature.Feature, *Feature) {
	f := &Feature{
		enabled: cfg.Enabled, started: started, archive: rows, born: uint64(time.Now().Unix()),
		prefs: account.NewSlot[prefs](flags), unkept: flags.New("talk unkept"), loops: make([]*work, loops),
	}
	d := feature.Feature{
		Name:         "mam",
		Spec:         "XEP-0313, XEP-0441, XEP-0359, XEP-0334",
		AccountDisco: []string{space, archive.Extended, archive.Groups, sidSpace},
		Start:        f.start,
		Removed:      f.removed,
	}
	if f.enabled {
		d.Inline = &feature.Inline{Space: space, Unasked: true, Handle: f.greet}
	}
	for _, name := range []string{"query", "metadata", "prefs"} {
		d.IQ = append(d.IQ, feature.IQ{Space: space, Local: name, To: feature.Other, Handle: forbidden})
	}
	d.IQ = append(d.IQ,
		feature.GetIQ(feature.Own, space, "query", archive.Fields),
		feature.SetIQ(feature.Own, space, "query", f.query),
		feature.GetIQ(feature.Own, space, "metadata", f.metadata),
		feature.GetIQ(feature.Own, space, "prefs", f.getPrefs),
		feature.SetIQ(feature.Own, space, "prefs", f.setPrefs),
	)
	return d, f
}

// forbidden refuses to show anybody another's archive (XEP-0313 §9.1).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

// start makes what one loop has.
func (f *Feature) start(e *feature.Env) {
	w := &work{f: f, env: e, clock: f.archive.Clock(), lines: make(map[string]*line)}
	w.expiry.Owner = w
	f.loops[e.Shard()] = w
	e.Collects(w.issue)
	w.Timeout(nil)
}

// removed erases once more when the account is gone: rows may have been on their
// way.
func (f *Feature) removed(c *feature.Ctx) func() {
	env, owner := c.Env, c.Owner.Clone().String()
	return func() {
		env.Update(func(tx *store.Tx) error { return f.archive.Erase(tx, owner) }, func(err error) {
			if err != nil {
				env.Log.Error("what came last to a removed account stays in the archive", "err", err)
			}
		})
	}
}

// strip leaves out ids that pretend to be owner's (XEP-0359 §3, rule 2), also
// where no new one is added.
func strip(s *stanza.Stanza, owner string) {
	if !s.Stamped() {
		return
	}
	for e := s.Elem.First(); e.OK(); e = e.Next() {
		if isID(e, owner) {
			also := s.Strip
			s.Strip = func(child xml.Elem) bool { return isID(child, owner) || also != nil && also(child) }
			return
		}
	}
}

// appendID appends the element with a message's id in owner's archive.
func (f *Feature) appendID(dst []byte, owner string, seq uint64) []byte {
	return archive.AppendID(dst, f.archive, owner, seq)
}
