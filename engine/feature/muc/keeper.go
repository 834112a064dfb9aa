package muc

import (
	"time"

	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/store"
	"meerkat/xml"
)

// keeper is what one loop has for the archives of its rooms (XEP-0313). What is
// said in one turn is one update, issued in the next turn or when somebody asks
// whether all is stored; the updates of all loops are one commit.
type keeper struct {
	f       *service
	env     *feature.Env
	archive *store.Archive
	clock   *store.Clock // of the ids of messages, in rooms with an archive or without
	batch   *batch
	marks   map[*room]bool // whose settled is to be stored with it
	failing bool           // the last update was not stored, and that was told
	tail    []byte
	row     []byte
	doc     xml.Doc // of a stanza that has waited
	free    []*store.Rows

	timer loop.Timer           // of the sweep, see Timeout
	from  string               // where it goes on
	asked map[string]time.Time // requests to admins, see mayAsk
	swept bool                 // who is not back after the restart is gone
}

// batch is one update.
type batch struct {
	pools  []pool
	said   []*saying
	stored []func() // of Env.Collected
}

type pool struct {
	name string
	rows *store.Rows
}

// keeper returns that of a loop, made when it is needed first.
func (f *service) keeper(e *feature.Env) *keeper {
	k := f.keepers[e.Shard()]
	if k == nil {
		k = newKeeper(f, e)
		f.keepers[e.Shard()] = k
	}
	return k
}

func newKeeper(f *service, e *feature.Env) *keeper {
	k := &keeper{f: f, env: e, archive: e.Store.Archive()}
	k.clock = k.archive.Clock()
	k.timer.Owner = k
	e.Loop.Set(&k.timer, time.Duration(e.Config.Limits.ResumeTime)+grace)
	e.Collects(k.issue)
	return k
}

// add has a message stored as row, tagged with who says it.
func (k *keeper) add(poolName, owner string, it *saying, tag uint32, row []byte) {
	if k.batch == nil {
		k.batch = new(batch)
	}
	b := k.batch
	rows := k.rowsOf(b, poolName)
	if err := rows.Add(owner, it.seq, tag, row); err != nil {
		k.env.Log.Error("a message to a room cannot be archived", "room", owner, "err", err) // the limits of stanzas keep it from happening
	}
	b.said = append(b.said, it)
	if stored := k.env.Collected(); stored != nil {
		b.stored = append(b.stored, stored)
	}
	if rows.Bytes() >= feature.FullUpdate {
		k.env.JoinFull()
	}
}

func (k *keeper) rowsOf(b *batch, name string) *store.Rows {
	for _, p := range b.pools {
		if p.name == name {
			return p.rows
		}
	}
	rows := new(store.Rows)
	if n := len(k.free); n > 0 {
		rows, k.free = k.free[n-1], k.free[:n-1]
	}
	b.pools = append(b.pools, pool{name, rows})
	return rows
}

// issue makes an update of the batch.
func (k *keeper) issue() {
	b := k.batch
	if b == nil && len(k.marks) == 0 {
		return
	}
	if b == nil {
		b = new(batch)
	}
	k.batch = nil
	marks := k.takeMarks()
	k.env.Update(func(tx *store.Tx) error {
		if err := saveMarks(tx, marks); err != nil {
			return err
		}
		for _, p := range b.pools {
			if err := k.archive.Append(tx, p.name, p.rows); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) { k.done(b, err) })
}

// done has the rooms say what waited for b. A disk that is full is no reason to
// keep people from talking: what could not be archived goes on without an id.
func (k *keeper) done(b *batch, err error) {
	if err != nil {
		unarchived.Add(k.env.Shard(), uint64(len(b.said)))
		if !k.failing {
			k.env.Log.Warn("messages to rooms cannot be archived, they go on without", "err", err)
		}
	} else {
		archived.Add(k.env.Shard(), uint64(len(b.said)))
	}
	k.failing = err != nil
	for _, p := range b.pools {
		if len(k.free) < 8 {
			p.rows.Reset(4 * feature.FullUpdate)
			k.free = append(k.free, p.rows)
		}
	}
	for _, it := range b.said {
		it.ready = true
		if err != nil {
			it.b = unnamed(it.b, k.archive, it.room.jid.String(), it.seq)
		}
	}
	for _, it := range b.said {
		it.room.advance()
	}
	for _, stored := range b.stored {
		stored()
	}
	k.settle(b)
}

// name returns the element with the id of a message of room, lent until the next
// call.
func (k *keeper) name(room string, seq uint64) []byte {
	k.tail = archive.AppendID(k.tail[:0], k.archive, room, seq)
	return k.tail
}
