package sm

import (
	"bytes"
	"encoding/binary"
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
// turn costs one update, together with what other features have.
type batch struct {
	f     *Feature
	env   *feature.Env
	timer loop.Timer
	// failing says that the last update was not stored, and that this was told.
	failing bool
	touched []*keeper
	work
	spare []*store.Records
	row   []byte // scratch
	debts debts
}

// work is one update.
type work struct {
	records *store.Records
	puts    []put
	acks    []ack
	ops     []op
	stored  []func() // of Env.Collected
}

// put is a stanza for the store.
type put struct {
	k *keeper
	n uint64
}

// ack is an acknowledgement that is to be stored before it is said.
type ack struct {
	k *keeper
	h uint32
}

// op is anything else; fn may be nil.
type op struct {
	fn   func(*store.Tx) error
	done func(error)
}

var seed = maphash.MakeSeed()

func newBatch(f *Feature, env *feature.Env) *batch {
	b := &batch{f: f, env: env, debts: debts{loop: env.Loop}}
	b.timer.Owner = b
	b.work = b.empty()
	env.Collects(b.issue)
	return b
}

// empty is the work there is at first: none.
func (b *batch) empty() (w work) {
	w.records = new(store.Records)
	if n := len(b.spare); n > 0 {
		w.records, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	return w
}

// urgent has the batch issued in the next turn.
func (b *batch) urgent() {
	if stored := b.env.Collected(); stored != nil {
		b.stored = append(b.stored, stored)
	}
}

// lazy has it issued within lazily.
func (b *batch) lazy() {
	if !b.timer.Active() {
		b.env.Loop.Set(&b.timer, lazily)
	}
}

// noted looks at the error of a change of records: an address or a stanza that is
// too long for the store, which the limits of streams keep from happening.
func (b *batch) noted(err error) {
	if err != nil {
		b.env.Log.Error("sm: cannot be stored", "err", err)
	}
}

// keep stores stanza n of k before it goes out.
func (b *batch) keep(k *keeper, n uint64, it item) {
	var head [itemHead]byte
	it.putHead(head[:])
	b.noted(stanzas.Put(b.records, k.owner(), k.sess.ID, n, head[:], it.stanza))
	b.noted(b.env.Mark(b.records))
	b.puts = append(b.puts, put{k, n})
	b.urgent()
	if b.records.Bytes() >= feature.FullUpdate {
		b.env.JoinFull()
	}
}

// itemHead is what a stanza in the store begins with: when it came, and its marks.
const itemHead = 9

func (it *item) putHead(b []byte) {
	binary.BigEndian.PutUint64(b, uint64(it.at))
	b[8] = it.marks
}

// value is a stanza as it is in the store.
func value(it item) []byte {
	v := make([]byte, itemHead, itemHead+len(it.stanza))
	it.putHead(v)
	return append(v, it.stanza...)
}

// itemOf reads what value has made. It borrows v.
func itemOf(v []byte) (it item, ok bool) {
	if len(v) < itemHead {
		return it, false
	}
	return item{at: int64(binary.BigEndian.Uint64(v)), marks: v[8], stanza: v[itemHead:]}, true
}

// ack stores that h stanzas of the client's are acknowledged, and says so.
func (b *batch) ack(k *keeper, h uint32) {
	b.count(k, h)
	b.acks = append(b.acks, ack{k, h})
	b.touch(k)
}

// count stores that h stanzas of the client's are acknowledged.
func (b *batch) count(k *keeper, h uint32) {
	b.noted(feature.CountHandled(b.records, k.owner(), k.sess.ID, h))
	b.urgent()
}

// forget has what the client has acknowledged removed from the store, some time.
func (b *batch) forget(k *keeper) {
	if k.sess.Lasting && k.stored > k.trimmed {
		k.trimmed = k.acked
		b.noted(stanzas.Forget(b.records, k.owner(), k.sess.ID, k.acked))
		b.lazy()
	}
}

// do has fn, if not nil, in the update, and done called after it.
func (b *batch) do(fn func(*store.Tx) error, done func(error)) {
	b.ops = append(b.ops, op{fn, done})
	b.urgent()
}

// touch has k's row brought up to date, some time: with the next update.
func (b *batch) touch(k *keeper) {
	if k.state&touched != 0 || !k.sess.Lasting {
		return
	}
	k.state |= touched
	b.touched = append(b.touched, k)
	b.lazy()
}

// Timeout is for the loop.
func (b *batch) Timeout(*loop.Timer) { b.env.Join() }

// issue makes an update of what there is.
func (b *batch) issue() {
	changes := b.changes()
	if len(changes)+len(b.acks)+len(b.ops)+b.records.Bytes() == 0 {
		return
	}
	w := b.work
	b.work = b.empty()
	b.env.Update(func(tx *store.Tx) error { return w.store(tx, changes) }, func(err error) { b.done(&w, changes, err) })
}

// change is another row of a session.
type change struct {
	k     *keeper // of the loop
	owner string
	id    uint64
	row   []byte
}

// changes are those of the sessions that have been touched.
func (b *batch) changes() (list []change) {
	for _, k := range b.touched {
		k.state &^= touched
		if k.state&over != 0 {
			continue
		}
		b.row = b.f.appendRow(b.row[:0], k)
		if h := maphash.Bytes(seed, b.row); h != k.rowHash {
			k.rowHash = h
			list = append(list, change{k, k.owner(), k.sess.ID, bytes.Clone(b.row)})
		}
	}
	clear(b.touched)
	b.touched = b.touched[:0]
	return list
}

// store is the update.
func (w *work) store(tx *store.Tx, changes []change) error {
	for _, c := range changes {
		if err := feature.Sessions.Put(tx, c.owner, store.QueueKey(c.id), c.row); err != nil {
			return err
		}
	}
	for _, o := range w.ops {
		if o.fn == nil {
			continue
		}
		if err := o.fn(tx); err != nil {
			return err
		}
	}
	return tx.Journal(w.records)
}

// done lets go of what waited for the update. What could not be stored goes out
// all the same: a full disk is no reason to keep people from talking.
func (b *batch) done(w *work, changes []change, err error) {
	if err != nil {
		unstored.Add(b.env.Shard(), uint64(len(w.puts)))
		if !b.failing {
			b.env.Log.Warn("sm: sessions cannot be stored and would not survive a restart", "err", err)
		}
	}
	b.failing = err != nil
	w.records.Reset(4 * feature.FullUpdate)
	if len(b.spare) < 8 {
		b.spare = append(b.spare, w.records)
	}
	if err != nil {
		w.unkept()
		for _, c := range changes { // to be stored another time
			c.k.rowHash = 0
			b.touch(c.k)
		}
	}
	for i := range w.puts {
		w.puts[i].k.safe = w.puts[i].n
	}
	for i := range w.puts {
		w.puts[i].k.pump()
	}
	for _, a := range w.acks {
		a.k.owe(a.h)
	}
	for _, o := range w.ops {
		o.done(err)
	}
	for _, stored := range w.stored {
		stored()
	}
}

// unkept notes that the stanzas of w are not in the store.
func (w *work) unkept() {
	last := make(map[*keeper]uint64)
	for _, p := range w.puts {
		last[p.k] = p.n
	}
	for k, n := range last {
		k.unkept(n)
	}
}
