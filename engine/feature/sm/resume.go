package sm

import (
	"errors"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Detach keeps the session of a lost connection for its client, if that may
// resume it.
func (k *keeper) Detach() bool {
	if k.state&over != 0 || !k.resumable() {
		return false
	}
	k.under = nil
	k.state &^= asking | starting | pacing | owing
	k.set(secondsOf(k.max))
	detached.Add(k.env.Shard(), 1)
	k.b.touch(k)
	k.b.urgent()
	k.left()
	k.shrink()
	return true
}

// roomy is how many bytes a session that is away may have in memory, before what
// is in the store is left to the store.
const roomy = 8 << 10

// shrink puts what has been in the journal where it can be read, and then leaves
// it there.
func (k *keeper) shrink() {
	if k.under != nil || k.queue.size() <= roomy || k.state&(lossy|shrinking|over) != 0 {
		return
	}
	owner, id, from := k.owner(), k.sess.ID, k.acked+1
	list := k.heavy()
	if len(list) == 0 {
		return
	}
	k.state |= shrinking
	k.b.do(func(tx *store.Tx) (err error) {
		for _, h := range list {
			err = errors.Join(err, stanzas.Keep(tx, owner, id, from+uint64(h.i), h.value))
		}
		return err
	}, func(err error) {
		if k.state &^= shrinking; err == nil && k.under == nil && k.state&over == 0 {
			k.leave(list, int(k.acked+1-from))
			k.shrink()
		}
	})
}

// heavyItem is item i of the queue, as the store is to have it.
type heavyItem struct {
	i     int
	value []byte
}

// heavy returns what is in memory and may be in the store only.
func (k *keeper) heavy() (list []heavyItem) {
	i, first := 0, k.acked+1
	k.queue.each(func(it item) {
		if it.marks&kept != 0 && it.marks&away == 0 && first+uint64(i) <= k.safe {
			list = append(list, heavyItem{i, value(it)})
		}
		i++
	})
	return list
}

// leave forgets the bytes of what is in the store now. So many items have left the
// queue meanwhile.
func (k *keeper) leave(list []heavyItem, gone int) {
	k.queue.rewrite(func(i int, it item) item {
		for len(list) > 0 && list[0].i < i+gone {
			list = list[1:]
		}
		if len(list) > 0 && list[0].i == i+gone {
			return it.left()
		}
		return it
	})
	k.rewind()
}

// resume takes <resume/> (XEP-0198 §5), on the loop of the account.
func (f *Feature) resume(r *feature.Resumption, e xml.Elem) {
	h, ok := number(e.Attr("h"))
	switch {
	case string(e.Local()) != "resume":
		f.refuse(r, stanza.UnexpectedRequest)
	case !ok:
		f.refuse(r, stanza.BadRequest)
	default:
		f.resumeFrom(r, string(e.Attr("previd")), h)
	}
}

func (f *Feature) refuse(r *feature.Resumption, cond stanza.Condition) {
	refusals.Add(r.Shard(), 1)
	r.Done(nil, failed(cond), nil)
}

// unknown refuses to resume what is not there, or not any more.
func (f *Feature) unknown(r *feature.Resumption, id string) {
	h, ok := f.at(r.Env).ended.find(r.Owner, id)
	if !ok {
		f.refuse(r, stanza.ItemNotFound)
		return
	}
	refusals.Add(r.Shard(), 1)
	r.Done(nil, failedAfter(stanza.ItemNotFound, h), nil)
}

func (f *Feature) resumeFrom(r *feature.Resumption, id string, h uint32) {
	k := find(r.Accounts.Get(r.Owner.String()), id)
	switch {
	case k == nil:
		f.thaw(r, id, h)
	case !k.plausible(h):
		k.tooHigh(r.Stream, h)
	default:
		k.attach(r.Stream)
		k.acknowledge(h)
		k.rewind()
		k.reply(r)
	}
}

// reply tells the client how far its own stanzas got. What it hears is stored
// first, as in answer.
func (k *keeper) reply(r *feature.Resumption) {
	h := k.sess.Received
	done := func(error) { r.Done(k.sess, k.resumed(h), k.start) }
	k.sess.AfterSettled(func() {
		k.b.count(k, h)
		k.b.do(nil, done)
	}, k.env.Router)
}

// find returns the account's session of that SM-ID, or nil.
func find(a *account.Account, id string) *keeper {
	if a == nil {
		return nil
	}
	for _, s := range a.Sessions {
		if k, ok := s.Bottom().(*keeper); ok && k.resumable() && k.id() == id {
			return k
		}
	}
	return nil
}

// attach gives the session another stream. One that it still has is ended: the
// client has lost it.
func (k *keeper) attach(stream account.Carrier) {
	if old := k.under; old != nil {
		old.Carry(nil, nil)
		old.Kick("conflict", "the session has been resumed elsewhere")
	} else {
		detached.Add(k.env.Shard(), -1)
	}
	k.env.Loop.Stop(&k.timer)
	k.under = stream
	k.state = k.state&^(asking|pacing|owing) | starting
	stream.Carry(k.sess, k)
	if k.state&paused != 0 {
		stream.Pause()
	}
}

// rewind has all that is not acknowledged sent again, and asked for soon.
func (k *keeper) rewind() { k.out, k.next, k.asked, k.askedAt = k.acked, 0, k.acked, 0 }

func (k *keeper) resumed(h uint32) []byte {
	var b xml.Builder
	resumptions.Add(k.env.Shard(), 1)
	return b.Reset(nil, stanza.Client).Start("resumed", space).
		AttrInt("h", int64(h)).Attr("previd", k.id()).End().Bytes()
}

// start lets the stream have what it has missed.
func (k *keeper) start() {
	k.state &^= starting
	k.sess.Wake()
	k.pump()
}

// pump gives the stream what it has not been given yet and may have, in portions.
func (k *keeper) pump() {
	if k.under == nil {
		k.shrink()
		return
	}
	if k.out == k.sent || k.state&(starting|pacing|over) != 0 {
		return
	}
	n := 0
	for k.out != k.sent && n < pace && k.mayPass() {
		n += k.pass()
	}
	if n >= pace {
		k.pauseFor(k.under)
	}
}

// mayPass reports whether the next item need not wait for the store.
func (k *keeper) mayPass() bool {
	it, _ := k.queue.at(k.next)
	return it.marks&kept == 0 || k.out < k.safe
}

// pass writes the next item and returns its size.
func (k *keeper) pass() int {
	it, _ := k.queue.at(k.next)
	if it.marks&away == 0 {
		k.under.Write(it.stanza)
	} else {
		k.env.View(func(tx *store.Tx) { k.under.Write(k.fetch(tx, k.out+1)) })
	}
	k.passed()
	return it.weight()
}

// fetch reads a stanza that is away.
func (k *keeper) fetch(tx *store.Tx, n uint64) []byte {
	if it, ok := itemOf(stanzas.Get(tx, k.owner(), k.sess.ID, n)); ok {
		return it.stanza
	}
	k.env.Log.Error("sm: a stanza is not in the store any more", "session", k.sess.JID.String())
	return nil
}

// pauseFor goes on when the stream has taken what it has.
func (k *keeper) pauseFor(stream account.Carrier) {
	k.state |= pacing
	stream.Sent(func(ok bool) {
		if k.under == stream && k.state&over == 0 {
			k.state &^= pacing
			if ok {
				k.pump()
			}
		}
	})
}
