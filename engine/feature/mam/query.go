package mam

import (
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	queries = metric.NewCounter("meerkat_archive_queries_total",
		"Queries for archived messages.")
	shown = metric.NewCounter("meerkat_archive_shown_total",
		"Archived messages sent to clients that asked.")
	busy = metric.NewCounter("meerkat_archive_busy_total",
		"Queries refused because too much other work waits.")
)

// query sends a page of the archive and then says that it is over (XEP-0313 §4).
// Reading is done off the loop: it may have to wait for the disk.
func (f *Feature) query(c *feature.Ctx, q *stanza.Stanza) {
	queries.Add(c.Shard(), 1)
	l, cond := f.readFilter(c, q.Payload())
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	p := &page{archive: f.archive, owner: c.Owner.Clone().String(), to: c.Session.JID.String(), f: l}
	since := oldest(&c.Config.Archive, c.Owner.Domain(), c.Now())
	env, session, req := c.Env, c.Session, c.Later(q)
	env.WhenSettled(func() { // what came before the query is in its answer
		var cond stanza.Condition
		f.read(env, req, func(tx *store.Tx) (err error) {
			cond, err = p.make(tx, since)
			return err
		}, func() {
			if cond != stanza.OK {
				req.Fail(cond, "")
				return
			}
			p.send(session.Sink.Write)
			shown.Add(env.Shard(), uint64(len(p.ends)))
			req.Result(p.fin)
		})
	})
}

// read runs fn off the loop with a transaction, and then done on the loop; or it
// answers req with why not.
func (f *Feature) read(env *feature.Env, req *feature.Request, fn func(tx *store.Tx) error, done func()) {
	var err error
	ok := env.Loop.Work(func() { err = env.Store.View(fn) }, func() {
		env.Router.Run(func() {
			if err != nil {
				req.Error(err)
				return
			}
			done()
		})
	})
	if !ok {
		busy.Add(env.Shard(), 1)
		req.Fail(stanza.ResourceConstraint, "")
	}
}

// metadata says where the archive begins and ends (XEP-0313 §5).
func (f *Feature) metadata(c *feature.Ctx, q *stanza.Stanza) {
	owner := c.Owner.Clone().String()
	since := oldest(&c.Config.Archive, c.Owner.Domain(), c.Now())
	env, req := c.Env, c.Later(q)
	env.WhenSettled(func() {
		var first, last uint64
		f.read(env, req, func(tx *store.Tx) error {
			r, err := f.archive.Read(tx, owner)
			if err != nil {
				return err
			}
			if i := r.Search(since); i < r.Len() {
				first, _ = r.At(i)
				last, _ = r.At(r.Len() - 1)
			}
			return nil
		}, func() {
			req.Result(func(b *xml.Builder) {
				b.Start("metadata", space)
				if first != 0 {
					f.end(b, "start", owner, first)
					f.end(b, "end", owner, last)
				}
				b.End()
			})
		})
	})
}

func (f *Feature) end(b *xml.Builder, name, owner string, seq uint64) {
	b.Start(name, "").Attr("id", f.archive.Name(owner, seq)).
		Attr("timestamp", store.TimeOf(seq).Format(stamp)).End()
}
