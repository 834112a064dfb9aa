package load

// Job is what a Crowd shall be doing from now on; what is nil is not done.
type Job struct {
	Login    *LoginJob
	Message  *MessageJob
	Presence *PresenceJob
	Room     *RoomJob
	Ping     *PingJob
	Friends  *FriendsJob
}

// LoginJob brings users online, in the order of their numbers.
type LoginJob struct {
	Users    int     // how many of the crowd's are wanted online
	Rate     float64 // logins a second; 0: as fast as Parallel allows
	Parallel int     // logins in flight at most
	Churn    bool    // log out again at once, for ever
}

// MessageJob has each user talk with its neighbour.
type MessageJob struct {
	Users  int     // the crowd's first, an even number
	Window int     // messages in flight in each pair, each answered by the next: a closed loop
	Rate   float64 // or messages a second, whatever comes back: an open loop
	Body   int     // bytes
	Bare   bool    // address bare JIDs, not full ones
}

// PresenceJob has users change their presence, which the server tells their
// contacts.
type PresenceJob struct {
	Users  int     // the crowd's first
	Window int     // changes in flight, each followed by one of another user: a closed loop
	Rate   float64 // or changes a second: an open loop
	Size   int     // bytes of the stanza at least
}

// RoomJob has users enter or leave a room, one after the other, until the
// crowd's first so many are in it, and talk there. They are of one loop.
type RoomJob struct {
	Room    string // its address; another one is another room, in which they are too
	Users   int    // who is to be in it
	Window  int    // messages in flight to all of them, once they are: a closed loop
	Body    int    // bytes
	Size    int    // of a stanza in all, where clients are raw
	Hush    bool   // the room, when it is made, tells only of moderators who is there
	Lasting bool   // and stays when it is empty
}

// PingJob has a user ping the server.
type PingJob struct {
	User int
	Rate float64 // pings a second, whatever comes back
}

// FriendsJob has users who are online become contacts of each other, as the
// layout says: by the protocol, where the server's store is not to be had.
type FriendsJob struct {
	Users  int // the crowd's first
	Window int // contacts that each asks at a time
}

// Part is the part of j that some of the users do. Who is wanted is taken from
// the front; rates and windows are shared by how many are wanted of each part.
func (j Job) Part(p Part) Job {
	if l := j.Login; l != nil {
		own := *l
		if own.Users = p.of(l.Users); own.Users > 0 {
			share := float64(own.Users) / float64(l.Users)
			own.Rate *= share
			own.Parallel = atLeast1(l.Parallel, share)
		}
		j.Login = some(own, own.Users)
	}
	if m := j.Message; m != nil {
		own := *m
		own.Users = p.of(m.Users)
		own.Rate *= float64(own.Users) / float64(m.Users)
		j.Message = some(own, own.Users)
	}
	if c := j.Presence; c != nil {
		own := *c
		if own.Users = p.of(c.Users); own.Users > 0 {
			share := float64(own.Users) / float64(c.Users)
			own.Rate *= share
			own.Window = atLeast1(c.Window, share)
		}
		j.Presence = some(own, own.Users)
	}
	if p.First > 0 {
		j.Room = nil
	}
	if f := j.Friends; f != nil {
		own := *f
		own.Users = p.of(f.Users)
		j.Friends = some(own, own.Users)
	}
	if g := j.Ping; g != nil {
		own := *g
		own.User -= p.First
		j.Ping = some(own, p.of(g.User+1)-p.of(g.User))
	}
	return j
}

// of is how many of the first n users are p's.
func (p Part) of(n int) int { return min(max(n-p.First, 0), p.Users) }

func atLeast1(n int, share float64) int { return max(1, int(float64(n)*share)) }

// some is j if it is for anyone.
func some[J any](j J, users int) *J {
	if users == 0 {
		return nil
	}
	return &j
}
