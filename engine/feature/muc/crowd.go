package muc

import (
	"cmp"
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"unique"

	"meerkat/engine/jid"
)

// crowd is who is in a room. Two lists are sorted and searched by halves: an
// occupant costs a pointer in each, where an entry of a map costs five times
// that, and a message walks them in a row.
type crowd struct {
	list   []*occupant // in the order they came
	nicks  []*occupant // by nick
	seats  []*seat     // by full JID, so that those of a user stand together
	serial uint32      // of the last seat
}

// occupant is somebody in the room under a nick: one user, with one session or
// several (§7.2.9).
type occupant struct {
	nick string
	last *seat // the newest of those it has
	look unique.Handle[look]
	id   occupantID
	standing
}

// look is what an occupant's last presence showed. Many show the same, and share
// it.
type look struct {
	content string // children, XML
	lang    string
}

// idBytes is the length of what tells occupants apart (XEP-0421 §3.1 leaves it
// open): 96 bits are never the same by chance in one room.
const idBytes = 12

type occupantID [idBytes]byte

// append appends the element that tells it.
func (id *occupantID) append(dst []byte) []byte {
	dst = append(dst, "<occupant-id xmlns='"+occupantSpace+"' id='"...)
	return append(base64.RawURLEncoding.AppendEncode(dst, id[:]), "'/>"...)
}

func (id *occupantID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// seat is a session in the room.
type seat struct {
	*occupant
	before *seat   // of the same occupant, older
	jid    jid.JID // full, real
	serial uint32  // tells it from others in ids of IQs

	lasting bool // its client can resume it after a restart
	away    bool // that has been, and it is not back
}

// bare returns the address of the user that o is; it has a seat.
func (o *occupant) bare() jid.JID { return o.last.jid.Bare() }

// seats yields o's sessions, the newest first. What it has yielded may be
// dropped.
func (o *occupant) seats() iter.Seq[*seat] {
	return func(yield func(*seat) bool) {
		for st := o.last; st != nil; {
			before := st.before
			if !yield(st) {
				return
			}
			st = before
		}
	}
}

// shows notes what o's presence shows from now on.
func (o *occupant) shows(content []byte, lang []byte) {
	o.look = unique.Make(look{string(content), string(lang)})
}

func (c *crowd) findNick(nick string) (int, bool) {
	return slices.BinarySearchFunc(c.nicks, nick, func(o *occupant, nick string) int { return cmp.Compare(o.nick, nick) })
}

func (c *crowd) findSeat(full string) (int, bool) {
	return slices.BinarySearchFunc(c.seats, full, func(st *seat, full string) int { return cmp.Compare(st.jid.String(), full) })
}

// named returns the occupant of that nick, or nil.
func (c *crowd) named(nick string) *occupant {
	if i, ok := c.findNick(nick); ok {
		return c.nicks[i]
	}
	return nil
}

// seat returns the seat of a session, or nil.
func (c *crowd) seat(full jid.JID) *seat {
	if i, ok := c.findSeat(full.String()); ok {
		return c.seats[i]
	}
	return nil
}

// of returns the occupants that a user is.
func (c *crowd) of(bare string) (list []*occupant) {
	i, _ := c.findSeat(bare + "/")
	for ; i < len(c.seats) && strings.HasPrefix(c.seats[i].jid.String(), bare+"/"); i++ {
		if o := c.seats[i].occupant; !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list
}

// sit gives a session a seat, as the occupant o, which may be new.
func (c *crowd) sit(o *occupant, full jid.JID) *seat {
	if o.last == nil {
		c.list = append(c.list, o)
		c.index(o)
	}
	c.serial++
	st := &seat{occupant: o, before: o.last, jid: full.Clone(), serial: c.serial}
	o.last = st
	i, _ := c.findSeat(st.jid.String())
	c.seats = slices.Insert(c.seats, i, st)
	return st
}

func (c *crowd) index(o *occupant) {
	i, _ := c.findNick(o.nick)
	c.nicks = slices.Insert(c.nicks, i, o)
}

func (c *crowd) unindex(o *occupant) {
	if i, ok := c.findNick(o.nick); ok {
		c.nicks = slices.Delete(c.nicks, i, i+1)
	}
}

// stand takes a seat away, and its occupant with the last one.
func (c *crowd) stand(st *seat) {
	o := st.occupant
	for at := &o.last; *at != nil; at = &(*at).before {
		if *at == st {
			*at = st.before
			break
		}
	}
	if i, ok := c.findSeat(st.jid.String()); ok {
		c.seats = slices.Delete(c.seats, i, i+1)
	}
	if o.last == nil {
		c.unindex(o)
		i := slices.Index(c.list, o)
		c.list = slices.Delete(c.list, i, i+1)
	}
}

// rename gives o another nick, which nobody has.
func (c *crowd) rename(o *occupant, nick string) {
	c.unindex(o)
	o.nick = strings.Clone(nick)
	c.index(o)
}
