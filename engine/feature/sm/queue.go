package sm

import (
	"encoding/binary"

	"meerkat/engine/loop"
)

// queue holds the stanzas that the client has not acknowledged, oldest first. An
// empty one has no memory.
//
// Each is a head of fixed size and the stanza, one behind the other in one
// buffer, so that keeping a stanza is a copy, and forgetting it is nothing.
type queue struct {
	p      *loop.Packet
	off    int // where the first one begins in p.B
	count  int
	weight int // bytes of the stanzas, those that are away included
}

// item is a stanza of a queue. Its bytes are borrowed from the queue.
type item struct {
	stanza []byte
	at     int64 // Unix ms, when it came
	marks  byte
}

// What an item is marked with.
const (
	shared byte = 1 << iota // other resources of the account got it as well
	kept                    // it is to be in the store before it goes out
	away                    // its bytes are in the store only
)

const headSize = 4 + 8 + 1

func (q *queue) push(it item) {
	if q.p == nil {
		q.p = loop.NewPacket()
	}
	b := binary.LittleEndian.AppendUint32(q.p.B, uint32(len(it.stanza)))
	b = binary.LittleEndian.AppendUint64(b, uint64(it.at))
	b = append(b, it.marks)
	q.p.B = append(b, it.stanza...)
	q.count++
	q.weight += it.weight()
}

// weight returns the bytes of the stanza, wherever they are: what is away has
// left its length here.
func (it *item) weight() int {
	if it.marks&away != 0 {
		return int(binary.LittleEndian.Uint32(it.stanza))
	}
	return len(it.stanza)
}

// size returns the bytes held.
func (q *queue) size() int {
	if q.p == nil {
		return 0
	}
	return len(q.p.B) - q.off
}

// at returns the item that begins off bytes behind the first one's beginning,
// and where the next one begins.
func (q *queue) at(off int) (it item, next int) {
	b := q.p.B[q.off+off:]
	n := int(binary.LittleEndian.Uint32(b))
	it.at = int64(binary.LittleEndian.Uint64(b[4:]))
	it.marks = b[12]
	it.stanza = b[headSize : headSize+n]
	return it, off + headSize + n
}

// pop forgets the first n items and returns the bytes they had.
func (q *queue) pop(n int) (gone int) {
	for range n {
		it, next := q.at(gone)
		q.weight -= it.weight()
		gone = next
	}
	q.off += gone
	if q.count -= n; q.count == 0 {
		q.clear()
		return gone
	}
	if q.off > len(q.p.B)/2 { // what is left moves to the front
		q.p.B = q.p.B[:copy(q.p.B, q.p.B[q.off:])]
		q.off = 0
	}
	return gone
}

// clear forgets everything.
func (q *queue) clear() {
	if q.p != nil {
		q.p.Release()
	}
	*q = queue{}
}

// left returns an item whose bytes are in the store only.
func (it item) left() item {
	if it.marks&away == 0 {
		it.stanza = binary.LittleEndian.AppendUint32(nil, uint32(len(it.stanza)))
		it.marks |= away
	}
	return it
}

// rewrite puts what fn returns in the place of each item; i counts them from 0.
func (q *queue) rewrite(fn func(i int, it item) item) {
	var fresh queue
	i := 0
	q.each(func(it item) {
		fresh.push(fn(i, it))
		i++
	})
	q.clear()
	*q = fresh
}

// each calls fn for every item, oldest first.
func (q *queue) each(fn func(it item)) {
	for i, off := 0, 0; i < q.count; i++ {
		it, next := q.at(off)
		fn(it)
		off = next
	}
}
