package sm

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// The server asks for an acknowledgement at the end of a turn in which as many
// stanzas wait for one, or if the last question is so long ago; and when that
// time has gone by without a turn. One question at a time.
const (
	askCount = 8
	askAfter = 5 * time.Second
)

// lively is how many ms ago a stanza went to a client that may expect another one
// soon, and patience is how long an acknowledgement waits for that.
const (
	lively   = 500
	patience = 50 * time.Millisecond
)

// pace is how many bytes of what is kept go to a stream before it has to take
// them: the client's own speed sets the pace.
const pace = 128 << 10

// keeper stands between a session and its stream.
//
// Stanzas to the client are numbered from 1; it knows the numbers modulo 2^32.
// Those from acked+1 to sent are in the queue; the client has been given them up
// to out. Of a session that can be resumed, messages go out only once they are in
// the store, and what comes after them waits.
type keeper struct {
	env   *feature.Env
	b     *batch
	sess  *account.Session
	under account.Carrier // nil while detached
	queue queue
	next  int // where the item out+1 is in the queue

	sent, out, acked uint64
	asked            uint64          // out at the last question
	stored           uint64          // the last that has been given to the batch
	safe             uint64          // the last that the batch has stored
	trimmed          uint64          // acked when the store was last told
	rowHash          uint64          // of the row in the store
	sents            []func(ok bool) // callers of Sent, to be told when there is room
	timer            loop.Timer      // attached: of the next question; detached: the end
	askedAt          uint32          // Unix s
	wroteAt          uint32          // Unix ms, modulo 2^32: of the last stanza to the stream
	owed             uint32          // h of the acknowledgement that is owed, see owe
	max              uint32          // s of waiting for the client; 0: can't be resumed
	token            [16]byte
	state            state
}

type state uint16

const (
	asking    state = 1 << iota // <r/> is out, <a/> is not there
	paused                      // Pause
	starting                    // the stream is not to be written to yet
	pacing                      // the stream has enough for now
	touched                     // among those of the batch
	lossy                       // not all is in the store that should be
	owing                       // an acknowledgement is owed
	listed                      // among those that may owe one
	shrinking                   // what is in memory is on its way to where it can be left
	over                        // the session has ended
)

// Write numbers a stanza, keeps it, and sends it on.
func (k *keeper) Write(b []byte) {
	if k.state&over != 0 {
		return
	}
	it := item{stanza: b, at: k.env.Now().UnixMilli(), marks: k.marks(b)}
	k.sent++
	k.queue.push(it)
	switch {
	case it.marks&kept != 0:
		k.stored = k.sent
		k.b.keep(k, k.sent, it)
	case k.under != nil && k.out+1 == k.sent && k.state&(starting|pacing) == 0:
		k.under.Write(b)
		k.passed()
	}
	if k.under == nil && k.b.f.Missed != nil {
		k.b.f.Missed(k.env, k.sess, b)
	}
	k.limit()
}

// unkept notes that the store has not taken what it should have, up to stanza n:
// neither that nor what was to be archived along with it. It goes out without the
// archive's ids.
func (k *keeper) unkept(n uint64) {
	k.state |= lossy
	first, id := k.acked+1, archive.AppendIDStart(nil, k.owner())
	k.queue.rewrite(func(i int, it item) item {
		if at := first + uint64(i); it.marks&kept != 0 && it.marks&away == 0 && at > k.safe && at <= n {
			it.stanza = without(it.stanza, id)
		}
		return it
	})
}

// without returns b without the empty elements that begin with start.
func without(b, start []byte) []byte {
	for i := bytes.Index(b, start); i >= 0; i = bytes.Index(b, start) {
		end := bytes.Index(b[i:], []byte("/>"))
		if end < 0 {
			break
		}
		b = slices.Concat(b[:i], b[i+end+2:])
	}
	return b
}

// Attached reports whether the session has a stream.
func (k *keeper) Attached() bool { return k.under != nil }

// left tells what the client may not have got of a stream that it has lost.
func (k *keeper) left() {
	if k.b.f.Left == nil || k.queue.count == 0 {
		return
	}
	k.b.f.Left(k.env, k.sess, func(yield func(b []byte)) {
		k.queue.each(func(it item) {
			if it.marks&away == 0 {
				yield(it.stanza)
			}
		})
	})
}

// marks tells whether others get what the session gets, when it is for the bare
// JID, and whether it is to be stored.
func (k *keeper) marks(b []byte) (m byte) {
	if len(k.sess.Account.Sessions) > 1 && others(k.sess) {
		m = shared
	}
	if k.resumable() && lasts(b) {
		m |= kept
	}
	return m
}

// lasts reports whether a stanza means something to a client that comes back
// after a restart: a message that is more than the news that somebody types, or
// that has an id in an archive, which is not to be told before it is stored.
// Presence does not, for everybody says theirs again; requests and answers do
// not outlive those who asked.
func lasts(b []byte) bool {
	return bytes.HasPrefix(b, []byte("<message")) && (bytes.Contains(b, []byte("<body")) ||
		!bytes.Contains(b, []byte("http://jabber.org/protocol/chatstates")) || bytes.Contains(b, []byte(archive.StanzaID)))
}

// others reports whether another resource takes the account's messages.
func others(s *account.Session) bool {
	for _, o := range s.Account.Sessions {
		if o != s && o.Available() && o.Priority >= 0 {
			return true
		}
	}
	return false
}

// passed notes that the first item that was not has been written.
func (k *keeper) passed() {
	k.out++
	_, k.next = k.queue.at(k.next)
	k.wroteAt = uint32(k.env.Now().UnixMilli())
	k.pay()
}

// owe acknowledges h stanzas of the client's, which are stored. Where stanzas go to
// the client all the time, it waits a moment for one to go out with: a write less,
// on both sides.
func (k *keeper) owe(h uint32) {
	if k.under == nil || k.state&starting != 0 {
		return // the stream that it was for is gone: <resumed/> says as much or more
	}
	if k.owed = h; k.state&owing != 0 {
		return
	}
	if uint32(k.env.Now().UnixMilli())-k.wroteAt > lively {
		k.say("a", h)
		return
	}
	k.state |= owing
	k.b.debts.owe(k)
}

// pay says what is owed.
func (k *keeper) pay() {
	if k.state&owing != 0 {
		k.state &^= owing
		k.say("a", k.owed)
	}
}

// limit ends the session of a client that is away and gets too much, or that is
// there and does not acknowledge what it gets (rule of outgoing bytes).
func (k *keeper) limit() {
	lim := &k.env.Config.Limits
	tooMany := k.queue.count > lim.ResumeStanzas && (k.under == nil || k.silent())
	if !tooMany && k.queue.weight <= int(lim.ResumeBytes) {
		return
	}
	overflows.Add(k.env.Shard(), 1)
	k.Kick("policy-violation", "a session may have "+strconv.Itoa(lim.ResumeStanzas)+" stanzas of "+
		lim.ResumeBytes.String()+" together that are not acknowledged")
}

// silent reports that the client was asked long ago.
func (k *keeper) silent() bool {
	return k.state&asking != 0 && k.env.Now().Unix()-int64(k.askedAt) > int64(time.Duration(k.env.Config.Limits.OutputStall)/time.Second)
}

// Flush asks for an acknowledgement if it is time to.
func (k *keeper) Flush() {
	waiting := k.out - k.asked
	if waiting == 0 || k.under == nil || k.state&(asking|over) != 0 {
		return
	}
	now := k.env.Now()
	if waiting >= askCount || now.Unix()-int64(k.askedAt) >= int64(askAfter/time.Second) {
		k.ask()
	} else if !k.timer.Active() {
		k.set(askAfter)
	}
}

func (k *keeper) ask() {
	k.state |= asking
	k.asked, k.askedAt = k.out, uint32(k.env.Now().Unix())
	k.under.Write([]byte("<r xmlns='" + space + "'/>"))
}

func (k *keeper) set(d time.Duration) {
	k.timer.Owner = k
	k.env.Loop.Set(&k.timer, d)
}

// Timeout asks a client that is there, and ends the session of one that is away.
func (k *keeper) Timeout(*loop.Timer) {
	switch {
	case k.state&over != 0:
	case k.under == nil:
		expiries.Add(k.env.Shard(), 1)
		k.env.Router.Unbind(k.sess)
	case k.out != k.asked && k.state&asking == 0:
		k.ask()
	}
}

// answer takes <r/>: all that the client has sent so far is handled once it is
// stored, and that it is.
func (k *keeper) answer() {
	h := k.sess.Received
	k.sess.AfterSettled(func() {
		switch {
		case k.state&over != 0:
		case k.sess.Lasting:
			k.b.ack(k, h)
		default:
			k.say("a", h)
		}
	}, k.env.Router)
}

// say writes a nonza with a count, if somebody is there to hear it. A stream that
// has yet to be resumed has not asked.
func (k *keeper) say(local string, h uint32) {
	if k.under == nil || k.state&(starting|over) != 0 {
		return
	}
	b := append(k.env.Scratch(), '<')
	b = append(append(b, local...), " xmlns='"+space+"' h='"...)
	b = append(strconv.AppendUint(b, uint64(h), 10), "'/>"...)
	k.under.Write(b)
	k.env.Keep(b)
}

// hear takes <a/> (XEP-0198 §4).
func (k *keeper) hear(h []byte) {
	n, ok := number(bytes.TrimSpace(h))
	switch {
	case !ok:
		k.Kick("invalid-xml", "an acknowledgement has a number h")
	case !k.plausible(n):
		k.tooHigh(k.under, n)
	default:
		k.state &^= asking
		k.acknowledge(n)
		k.Flush()
	}
}

// plausible reports whether the client can have got as many.
func (k *keeper) plausible(h uint32) bool {
	return k.behind(h) || uint64(h-uint32(k.acked)) <= k.out-k.acked
}

// behind reports that the client has acknowledged more than h before. Clients
// that begin to count late do that; there is nothing that could be sent again.
func (k *keeper) behind(h uint32) bool { return int32(h-uint32(k.acked)) < 0 }

// acknowledge forgets what the client has.
func (k *keeper) acknowledge(h uint32) {
	if k.behind(h) {
		return
	}
	n := h - uint32(k.acked)
	k.next -= k.queue.pop(int(n))
	k.acked += uint64(n)
	k.asked = max(k.asked, k.acked)
	k.b.forget(k)
	k.makeRoom()
}

// tooHigh ends a stream whose client acknowledges what it was not sent
// (XEP-0198 §6).
func (k *keeper) tooHigh(stream account.Carrier, h uint32) {
	var b xml.Builder
	app := b.Reset(nil, stanza.Client).Start("handled-count-too-high", space).
		AttrInt("h", int64(h)).AttrInt("send-count", int64(uint32(k.out))).End().Bytes()
	stream.Fail("undefined-condition", "more is acknowledged than was sent", app)
}

// refuse says that a request comes at the wrong time.
func (k *keeper) refuse() {
	refusals.Add(k.env.Shard(), 1)
	if k.under != nil {
		k.under.Write(failed(stanza.UnexpectedRequest))
	}
}

// Pause and Resume are the stream's, whichever it is.
func (k *keeper) Pause() {
	k.state |= paused
	if k.under != nil {
		k.under.Pause()
	}
}

func (k *keeper) Resume() {
	k.state &^= paused
	if k.under != nil {
		k.under.Resume()
	}
}

// Kick ends the session, and its stream if there is one.
func (k *keeper) Kick(condition, text string) {
	if k.under != nil {
		k.under.Kick(condition, text)
		return
	}
	k.env.Loop.Post(func() { k.env.Router.Unbind(k.sess) })
}

// Sent calls done as soon as there is room for more: what is kept here is on
// its way to the client, or goes back to where it came from.
func (k *keeper) Sent(done func(ok bool)) {
	if k.state&over != 0 {
		done(false)
		return
	}
	k.sents = append(k.sents, done)
	k.env.Loop.Post(k.makeRoom)
}

func (k *keeper) makeRoom() {
	for len(k.sents) > 0 && (k.queue.weight <= pace || k.state&over != 0) {
		done := k.sents[0]
		if k.sents = k.sents[1:]; len(k.sents) == 0 {
			k.sents = nil
		}
		done(true)
	}
}

func (k *keeper) owner() string { return k.sess.Account.JID.String() }
