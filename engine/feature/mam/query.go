package mam

import (
	"meerkat/engine/archive"
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
	src := f.source(c)
	l, cond := src.Read(q.Payload())
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	p := &archive.Page{Source: src, To: c.Session.JID.String(), Filter: l}
	env, session, req := c.Env, c.Session, c.Later(q)
	env.WhenSettled(func() { // what came before the query is in its answer
		var cond stanza.Condition
		f.read(env, req, func(tx *store.Tx) (err error) {
			cond, err = p.Make(tx)
			return err
		}, func() {
			if cond != stanza.OK {
				req.Fail(cond, "")
				return
			}
			p.Send(session.Sink.Write)
			shown.Add(env.Shard(), uint64(p.Len()))
			req.Result(p.Fin)
		})
	})
}

// source is the archive of who asks.
func (f *Feature) source(c *feature.Ctx) archive.Source {
	cfg := &c.Config.Archive
	return archive.Source{
		Archive: f.archive, Owner: c.Owner.Clone().String(),
		Oldest: archive.Oldest(cfg, c.Owner.Domain(), c.Now()), Page: cfg.Page,
	}
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
	src := f.source(c)
	env, req := c.Env, c.Later(q)
	env.WhenSettled(func() {
		var first, last uint64
		f.read(env, req, func(tx *store.Tx) (err error) {
			first, last, err = src.Ends(tx)
			return err
		}, func() {
			req.Result(func(b *xml.Builder) { src.AppendEnds(b, first, last) })
		})
	})
}

// greet tells a session that is bound along with its login where its archive begins
// and ends (XEP-0386 §3.2.1). What comes later comes to the session.
func (f *Feature) greet(c *feature.Ctx, _ xml.Elem, done func(answer []byte)) {
	src, env := f.source(c), c.Env
	env.WhenSettled(func() {
		var first, last uint64
		var err error
		ok := env.Loop.Work(func() {
			err = env.Store.View(func(tx *store.Tx) (err error) { first, last, err = src.Ends(tx); return err })
		}, func() {
			if err != nil {
				env.Log.Error("an archive cannot be read", "account", src.Owner, "err", err)
				done(nil)
				return
			}
			var b xml.Builder
			src.AppendEnds(b.Reset(nil, stanza.Client), first, last)
			done(b.Bytes())
		})
		if !ok {
			busy.Add(env.Shard(), 1)
			done(nil)
		}
	})
}
