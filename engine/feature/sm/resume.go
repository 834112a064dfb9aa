package sm

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Detach keeps the session of a lost connection for its client, if that may
// resume it.
func (k *keeper) Detach() bool {
	if k.state&over != 0 || !k.resumable() {
		return false
	}
	k.under = nil
	k.state &^= asking | filling
	k.set(secondsOf(k.max))
	detached.Add(k.env.Shard(), 1)
	return true
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

func (f *Feature) resumeFrom(r *feature.Resumption, id string, h uint32) {
	k := find(r.Accounts.Get(r.Owner.String()), id)
	switch {
	case k == nil:
		f.refuse(r, stanza.ItemNotFound)
	case h-k.acked > k.out-k.acked:
		k.tooHigh(r.Stream, h)
	default:
		k.attach(r.Stream)
		k.acknowledge(h)
		k.rewind()
		received := k.sess.Received
		k.sess.AfterSettled(func() { r.Done(k.sess, k.resumed(received), k.fill) }, r.Router)
	}
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
	k.state = k.state&^asking | filling
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

// fill gives the stream what it has missed, in portions.
func (k *keeper) fill() {
	for n := 0; k.out != k.sent && n < pace; {
		it, _ := k.queue.at(k.next)
		k.under.Write(it.stanza)
		n += len(it.stanza)
		k.passed()
	}
	if k.out == k.sent {
		k.state &^= filling
		return
	}
	stream := k.under
	stream.Sent(func(ok bool) {
		if ok && k.under == stream && k.state&over == 0 {
			k.fill()
		}
	})
}
