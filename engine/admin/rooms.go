package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"meerkat/engine/auth"
	"meerkat/engine/feature/muc"
	"meerkat/engine/stanza"
)

// Rooms is what can be done to rooms, by a running server and by a Client that
// asks it.
type Rooms interface {
	// List returns up to n rooms that begin with prefix, in order, those after
	// after only; without their affiliations.
	List(prefix, after string, n int) ([]muc.Info, error)
	// Show returns all of a room, or fails with muc.ErrNoRoom.
	Show(room string) (muc.Info, error)
	// Destroy ends a room, or fails with muc.ErrNoRoom. reason and venue, another
	// room, may be "".
	Destroy(room, reason, venue string) error
	// Affiliate makes a user owner, admin, member, none or outcast of a room, or fails
	// with muc.ErrNoRoom.
	Affiliate(room, who, affiliation string) error
}

// RoomPage is a part of the rooms, as Page of accounts.
type RoomPage struct {
	Rooms []muc.Info `json:"rooms"`
}

// ending is the body of the end of a room.
type ending struct {
	Reason string `json:"reason,omitempty"`
	Venue  string `json:"venue,omitempty"`
}

// affiliating is the body of a new affiliation.
type affiliating struct {
	Affiliation string `json:"affiliation"`
}

func (s *Server) roomRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/rooms", s.listRooms)
	mux.HandleFunc("GET /v1/rooms/{room}", s.showRoom)
	mux.HandleFunc("DELETE /v1/rooms/{room}", s.destroyRoom)
	mux.HandleFunc("PUT /v1/rooms/{room}/affiliations/{jid}", s.affiliate)
}

func (s *Server) listRooms(w http.ResponseWriter, r *http.Request) {
	limit, ok := pageLimit(w, r)
	if !ok {
		return
	}
	rooms, err := s.Rooms.List(r.FormValue("prefix"), r.FormValue("after"), limit)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, RoomPage{append([]muc.Info{}, rooms...)}) // [], not null
}

func (s *Server) showRoom(w http.ResponseWriter, r *http.Request) {
	info, err := s.Rooms.Show(r.PathValue("room"))
	if err != nil {
		refuseRoom(w, err)
		return
	}
	answer(w, http.StatusOK, info)
}

func (s *Server) destroyRoom(w http.ResponseWriter, r *http.Request) {
	var e ending
	if !read(w, r, &e) {
		return
	}
	room := r.PathValue("room")
	s.didToRoom(w, "destroyed", room, "", s.Rooms.Destroy(room, e.Reason, e.Venue))
}

func (s *Server) affiliate(w http.ResponseWriter, r *http.Request) {
	var a affiliating
	if !read(w, r, &a) {
		return
	}
	room, who := r.PathValue("room"), r.PathValue("jid")
	s.didToRoom(w, "has one more "+a.Affiliation, room, who, s.Rooms.Affiliate(room, who, a.Affiliation))
}

// didToRoom logs what an administrator did and answers how it went.
func (s *Server) didToRoom(w http.ResponseWriter, what, room, who string, err error) {
	if err != nil {
		refuseRoom(w, err)
		return
	}
	s.Log.Info("room "+what, "room", room, "who", who, "by", "admin socket")
	answer(w, http.StatusOK, struct{}{})
}

func refuseRoom(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, muc.ErrNoRoom):
		refuse(w, http.StatusNotFound, err.Error())
	case errors.Is(err, stanza.Conflict):
		refuse(w, http.StatusUnprocessableEntity, "a room needs an owner: make somebody else one first")
	default:
		refuse(w, http.StatusUnprocessableEntity, err.Error())
	}
}

// RoomClient asks a server about its rooms. It is a Rooms.
type RoomClient struct{ *Client }

// List is Rooms'.
func (c RoomClient) List(prefix, after string, n int) ([]muc.Info, error) {
	q := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(min(n, maxPage))}}
	var p RoomPage
	err := c.do("GET", "/v1/rooms?"+q.Encode(), nil, &p)
	return p.Rooms, err
}

// Show is Rooms'.
func (c RoomClient) Show(room string) (i muc.Info, err error) {
	return i, noRoom(c.do("GET", "/v1/rooms/"+url.PathEscape(room), nil, &i))
}

// Destroy is Rooms'.
func (c RoomClient) Destroy(room, reason, venue string) error {
	return noRoom(c.do("DELETE", "/v1/rooms/"+url.PathEscape(room), ending{reason, venue}, nil))
}

// Affiliate is Rooms'.
func (c RoomClient) Affiliate(room, who, affiliation string) error {
	path := "/v1/rooms/" + url.PathEscape(room) + "/affiliations/" + url.PathEscape(who)
	return noRoom(c.do("PUT", path, affiliating{affiliation}, nil))
}

// noRoom says of what is not found that it is a room.
func noRoom(err error) error {
	if r := (*refused)(nil); errors.As(err, &r) && r.kind == auth.ErrNoAccount {
		r.kind = muc.ErrNoRoom
	}
	return err
}
