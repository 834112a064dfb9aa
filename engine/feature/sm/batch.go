package sm

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/store"
)

// lazily is how long what is not urgent may wait for company on its way to the
// disk: a change of presence, stanzas to be forgotten.
const lazily = time.Second

// batch collects what the sessions of one loop have for the store, so that a
// turn costs one update. What is collected in one turn is issued in the next.
type batch struct {
	f      *Feature
	env    *feature.Env
	timer  loop.Timer
	posted bool
	// failing says that the last update was not stored, and that this was told.
	failing bool
	work
}

// work is one update.
type work struct {
	puts    []put
	touched []*keeper // to be looked at as a whole
	acks    []ack
	ops     []op
	stored  []func() // of Env.Collected
}

// put is a stanza for the store.
type put struct {
	k     *keeper
	n     uint64
	value []byte
	mark  func(*store.Tx) error
}

// ack is an acknowledgement that is to be stored before it is said.
type ack struct {
	k *keeper
	h uint32
}

// op is anything else.
type op struct {
	fn   func(*store.Tx) error
	done func(error)
}

var seed = maphash.MakeSeed()

func newBatch(f *Feature, env *feature.Env) *batch {
	b := &batch{f: f, env: env}
	b.timer.Owner = b
	env.BeforeSettling(b.issue)
	return b
}

// urgent has the batch issued in the next turn.
func (b *batch) urgent() {
	if stored := b.env.Collected(); stored != nil {
		b.stored = append(b.stored, stored)
	}
	if !b.posted {
		b.posted = true
		b.env.Loop.Post(b.issue)
	}
}

// keep stores stanza n of k before it goes out.
func (b *batch) keep(k *keeper, n uint64, it item) {
	b.puts = append(b.puts, put{k, n, value(it), b.env.Once()})
	b.touch(k)
	b.urgent()
}

// value is a stanza in the store: when it came, its marks, itself.
func value(it item) []byte {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 9+len(it.stanza)), uint64(it.at))
	return append(append(v, it.marks), it.stanza...)
}

// ack stores that h stanzas of the client's are acknowledged, and says so.
func (b *batch) ack(k *keeper, h uint32) {
	b.acks = append(b.acks, ack{k, h})
	b.touch(k)
	b.urgent()
}

// do has fn in the update, and done called after it.
func (b *batch) do(fn func(*store.Tx) error, done func(error)) {
	b.ops = append(b.ops, op{fn, done})
	b.urgent()
}

// touch has k's row and queue brought up to date, some time.
func (b *batch) touch(k *keeper) {
	if k.state&touched != 0 || !k.sess.Lasting {
		return
	}
	k.state |= touched
	b.touched = append(b.touched, k)
	if !b.posted && !b.timer.Active() {
		b.env.Loop.Set(&b.timer, lazily)
	}
}

// Timeout is for the loop.
func (b *batch) Timeout(*loop.Timer) { b.issue() }

// issue makes an update of what there is.
func (b *batch) issue() {
	b.posted = false
	if len(b.touched)+len(b.puts)+len(b.acks)+len(b.ops) == 0 {
		return
	}
	w := b.work
	b.work = work{}
	changes := b.changes(w.touched)
	b.env.Update(func(tx *store.Tx) error { return w.store(tx, changes) }, func(err error) { b.done(&w, err) })
}

// change is what became of a session beside its stanzas.
type change struct {
	owner string
	id    uint64
	row   []byte // nil: as it was
	acked uint64 // stanzas up to this one are the client's
	trim  bool
}

func (b *batch) changes(ks []*keeper) (list []change) {
	for _, k := range ks {
		k.state &^= touched
		if k.state&over != 0 {
			continue
		}
		c := change{owner: k.owner(), id: k.sess.ID, acked: k.acked, trim: k.trimmed < k.acked && k.stored > k.trimmed}
		k.trimmed = k.acked
		row := b.f.appendRow(nil, k)
		if h := maphash.Bytes(seed, row); h != k.rowHash {
			k.rowHash, c.row = h, row
		}
		if c.row != nil || c.trim {
			list = append(list, c)
		}
	}
	return list
}

// store is the update.
func (w *work) store(tx *store.Tx, changes []change) error {
	for _, p := range w.puts {
		if err := errors.Join(stanzas.Put(tx, p.k.owner(), stanzaKey(p.k.sess.ID, p.n), p.value), p.mark(tx)); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := c.store(tx); err != nil {
			return err
		}
	}
	for _, a := range w.acks {
		h := binary.BigEndian.AppendUint32(nil, a.h)
		if err := errors.Join(counts.Put(tx, a.k.owner(), key(a.k.sess.ID), h),
			feature.ForgetHandled(tx, a.k.owner(), a.k.sess.ID, a.h)); err != nil {
			return err
		}
	}
	for _, o := range w.ops {
		if err := o.fn(tx); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) store(tx *store.Tx) error {
	if c.row != nil {
		if err := sessions.Put(tx, c.owner, key(c.id), c.row); err != nil {
			return err
		}
	}
	if c.trim {
		return trim(tx, c.owner, c.id, c.acked)
	}
	return nil
}

// done lets go of what waited for the update. What could not be stored goes out
// all the same: a full disk is no reason to keep people from talking.
func (b *batch) done(w *work, err error) {
	if err != nil {
		unstored.Add(b.env.Shard(), uint64(len(w.puts)))
		if !b.failing {
			b.env.Log.Warn("sm: sessions cannot be stored and would not survive a restart", "err", err)
		}
	}
	b.failing = err != nil
	for i := range w.puts {
		w.puts[i].k.safe = w.puts[i].n
		if err != nil {
			w.puts[i].k.state |= lossy
		}
	}
	for i := range w.puts {
		w.puts[i].k.pump()
	}
	for _, a := range w.acks {
		a.k.say("a", a.h)
	}
	for _, o := range w.ops {
		o.done(err)
	}
	for _, stored := range w.stored {
		stored()
	}
}
