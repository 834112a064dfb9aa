package load

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// friends are the contacts that a user asks: those of the layout with a higher
// number. The lower ones ask it.
type friends struct {
	left  []int // not asked yet
	asked []int // not mutual yet
}

// setFriends makes contacts of those who are to be some (RFC 6121 §2.3, §3.1).
func (l *loop) setFriends(j *FriendsJob) {
	l.job.Friends, l.friends = j, nil
	if j == nil {
		return
	}
	l.friends = make([]friends, j.Users)
	for i := range l.friends {
		n := l.first + i
		l.t.Layout.Of(n, func(contact int) {
			if contact > n {
				l.friends[i].left = append(l.friends[i].left, contact)
			}
		})
		l.befriend(&l.conns[i])
		l.flush(&l.conns[i])
	}
}

// Pairs is how many pairs the first so many users are in with their contacts.
func (l Layout) Pairs(users int) (n int) {
	for i := range users {
		l.Of(i, func(contact int) {
			if contact > i {
				n++
			}
		})
	}
	return n
}

// befriend has c ask as many contacts as it may at a time.
func (l *loop) befriend(c *conn) {
	f := &l.friends[c.i]
	for c.phase == online && len(f.left) > 0 && len(f.asked) < l.job.Friends.Window {
		f.asked = append(f.asked, f.left[0])
		l.sayFriend(f.left[0])
		f.left = f.left[1:]
	}
}

// sayFriend puts a contact in the roster and asks for its presence.
func (l *loop) sayFriend(contact int) {
	name := User(contact)
	l.out = fmt.Appendf(l.out, "<iq type='set' id='%s'><query xmlns='jabber:iq:roster'><item jid='%s@%s' name='%[2]s'>"+
		"<group>Friends</group></item></query></iq><presence type='subscribe' to='%[2]s@%[3]s'/>", friendID, name, l.t.Domain)
}

const friendID = "friend"

// asked answers who wants to see c's presence: yes, and the same to you.
func (l *loop) asked(c *conn, el []byte) {
	if by, ok := l.numberOf(attr(el, "from")); ok && l.job.Friends != nil {
		l.out = fmt.Appendf(l.out, "<presence type='subscribed' to='%s@%s'/>", User(by), l.t.Domain)
		if by < l.first+int(c.i) {
			l.sayFriend(by)
		}
	}
}

// pushed takes what the server tells of a contact in c's roster (RFC 6121 §2.1.6).
func (l *loop) pushed(c *conn, el []byte) {
	i := bytes.Index(el, []byte("<item"))
	if int(c.i) >= len(l.friends) || i < 0 || string(attr(el[i:], "subscription")) != "both" {
		return
	}
	f := &l.friends[c.i]
	contact, ok := l.numberOf(attr(el[i:], "jid"))
	if at := slices.Index(f.asked, contact); ok && at >= 0 {
		f.asked = slices.Delete(f.asked, at, at+1)
		l.stats.Befriended++
		l.befriend(c)
	}
}

// numberOf reads a user's number in its bare JID.
func (l *loop) numberOf(bare []byte) (n int, ok bool) {
	local, domain, _ := strings.Cut(string(bare), "@")
	n, err := strconv.Atoi(strings.TrimPrefix(local, "u"))
	return n, err == nil && domain == l.t.Domain
}
