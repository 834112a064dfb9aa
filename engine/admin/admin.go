// Package admin is the operator's door: HTTP with JSON over a Unix socket in
// the data directory, which only the owner of that directory can open, and
// metrics for Prometheus on a listener of their own. Nothing here can be reached
// from outside unless the configuration puts the metrics there.
//
//	GET    /v1/status                     Status
//	GET    /v1/accounts?prefix&after&limit  Page
//	POST   /v1/accounts                   {"jid", "password"}
//	PUT    /v1/accounts/{jid}/password    {"password"}
//	DELETE /v1/accounts/{jid}/tokens      end the tokens its clients log in by
//	POST   /v1/accounts/{jid}/disable
//	POST   /v1/accounts/{jid}/enable
//	DELETE /v1/accounts/{jid}
//	POST   /v1/invitations                {"jid"}: invite.Link
//	GET    /v1/uploads?prefix&after&limit   UploadPage
//	DELETE /v1/uploads/{jid}              remove the files of an account: depot.Owner
//	GET    /v1/rooms?prefix&after&limit   RoomPage
//	GET    /v1/rooms/{room}               muc.Info
//	DELETE /v1/rooms/{room}               {"reason", "venue"}
//	PUT    /v1/rooms/{room}/affiliations/{jid}  {"affiliation"}
//	POST   /v1/gc                         collect garbage, give memory back: Collected
//	GET    /metrics
//	GET    /debug/pprof/                  Go's profiles of this process
//
// Errors are {"error": "..."} with a status from 400 up.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"meerkat/engine/alarm"
	"meerkat/engine/auth"
	"meerkat/engine/depot"
	"meerkat/engine/invite"
	"meerkat/engine/metric"
)

const (
	maxBody = 64 << 10 // bytes of a request's body
	maxPage = 1000     // accounts in one answer
)

// Accounts is what can be done to accounts: by a running server, on a store that
// nobody serves, and by a Client that asks a server.
type Accounts interface {
	// Add makes an account, or fails with auth.ErrExists.
	Add(jid, password string) error
	// SetPassword ends the account's sessions, or fails with auth.ErrNoAccount.
	SetPassword(jid, password string) error
	// Revoke ends the tokens that the account's clients log in by, or fails with
	// auth.ErrNoAccount.
	Revoke(jid string) error
	// Disable ends the account's sessions and lets nobody in until Enable, or fails
	// with auth.ErrNoAccount.
	Disable(jid string) error
	Enable(jid string) error
	// Remove removes the account with all it owns, or fails with
	// auth.ErrNoAccount.
	Remove(jid string) error
	// List returns up to n accounts that begin with prefix, in order, those after
	// after only.
	List(prefix, after string, n int) ([]string, error)
	// Invite makes an invitation to an account: of that name, or of any at a domain,
	// or at the first if address is "". It fails with auth.ErrExists.
	Invite(address string) (invite.Link, error)
}

// Uploads is what can be done to the files that accounts have uploaded, as
// Accounts to accounts.
type Uploads interface {
	// ListUploads returns up to n accounts with files that begin with prefix, in
	// order, those after after only.
	ListUploads(prefix, after string, n int) ([]depot.Owner, error)
	// RemoveUploads removes the files of an account, and returns what they were.
	RemoveUploads(jid string) (depot.Owner, error)
}

// Status is what a server says of itself.
type Status struct {
	Version string             `json:"version"`
	PID     int                `json:"pid"`
	Started time.Time          `json:"started"`
	Config  string             `json:"config"` // file, "" is none
	Domains []string           `json:"domains"`
	Listen  []string           `json:"listen"`
	Alarms  []Alarm            `json:"alarms"`
	Metrics map[string]float64 `json:"metrics"`
}

// Alarm is an alarm that is up.
type Alarm struct {
	Kind  string    `json:"kind"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
	Type  string    `json:"type"` // what to type
	Since time.Time `json:"since"`
}

// Alarms are those of a board.
func Alarms(b *alarm.Board) []Alarm {
	list := []Alarm{}
	for _, a := range b.Active() {
		list = append(list, Alarm{a.Kind.String(), a.Level.String(), a.Text, a.Type, a.Since})
	}
	return list
}

// Collected is what a collection has left.
type Collected struct {
	Heap uint64 `json:"heap"` // bytes that live
}

// Page is a part of the accounts. After it comes what is after the last one.
type Page struct {
	Accounts []string `json:"accounts"`
}

// UploadPage is a part of the accounts with files, as Page of all accounts.
type UploadPage struct {
	Uploads []depot.Owner `json:"uploads"`
}

// Server answers requests. Its fields do not change while it serves.
type Server struct {
	Accounts Accounts
	Uploads  Uploads
	Rooms    Rooms // nil: it has none to show
	Status   func() Status
	Open     func() (int, error) // counts the open files, for the metrics
	Log      *slog.Logger
}

// Serve answers on ln until ctx ends, then closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return serve(ctx, ln, s.routes())
}

// ServeMetrics shows the metrics on ln until ctx ends, then closes ln. open counts
// the open files.
func ServeMetrics(ctx context.Context, ln net.Listener, open func() (int, error)) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metric.Handler(open))
	return serve(ctx, ln, mux)
}

// serve bounds what a client may take. Whoever is on either listener is a
// program on this box or in the operator's own network.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      5 * time.Minute, // removing a large account waits for the disk
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// routes are all there is; every other path is 404, every other method 405.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/accounts", s.list)
	mux.HandleFunc("POST /v1/accounts", s.add)
	mux.HandleFunc("PUT /v1/accounts/{jid}/password", s.password)
	mux.HandleFunc("DELETE /v1/accounts/{jid}/tokens", s.revoke)
	mux.HandleFunc("POST /v1/accounts/{jid}/disable", s.disable)
	mux.HandleFunc("POST /v1/accounts/{jid}/enable", s.enable)
	mux.HandleFunc("DELETE /v1/accounts/{jid}", s.remove)
	mux.HandleFunc("POST /v1/invitations", s.invite)
	if s.Rooms != nil {
		s.roomRoutes(mux)
	}
	mux.HandleFunc("GET /v1/uploads", s.uploads)
	mux.HandleFunc("DELETE /v1/uploads/{jid}", s.removeUploads)
	mux.HandleFunc("POST /v1/gc", s.gc)
	mux.Handle("GET /metrics", metric.Handler(s.Open))
	profiles(mux)
	return mux
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.Status())
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	limit, ok := pageLimit(w, r)
	if !ok {
		return
	}
	accounts, err := s.Accounts.List(r.FormValue("prefix"), r.FormValue("after"), limit)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, Page{append([]string{}, accounts...)}) // [], not null
}

// pageLimit reads how many rows a client wants, or refuses the request.
func pageLimit(w http.ResponseWriter, r *http.Request) (int, bool) {
	text := r.FormValue("limit")
	if text == "" {
		return maxPage, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		refuse(w, http.StatusBadRequest, "limit is a number from 1 to "+strconv.Itoa(maxPage))
		return 0, false
	}
	return n, true
}

// request is the body of those routes that have one.
type request struct {
	JID      string `json:"jid,omitempty"`
	Password string `json:"password"`
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	if req, ok := body(w, r); ok {
		s.did(w, http.StatusCreated, "added", req.JID, s.Accounts.Add(req.JID, req.Password))
	}
}

func (s *Server) password(w http.ResponseWriter, r *http.Request) {
	if req, ok := body(w, r); ok {
		jid := r.PathValue("jid")
		s.did(w, http.StatusOK, "given a new password", jid, s.Accounts.SetPassword(jid, req.Password))
	}
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	jid := r.PathValue("jid")
	s.did(w, http.StatusOK, "left without tokens", jid, s.Accounts.Revoke(jid))
}

func (s *Server) disable(w http.ResponseWriter, r *http.Request) {
	jid := r.PathValue("jid")
	s.did(w, http.StatusOK, "disabled", jid, s.Accounts.Disable(jid))
}

func (s *Server) enable(w http.ResponseWriter, r *http.Request) {
	jid := r.PathValue("jid")
	s.did(w, http.StatusOK, "enabled", jid, s.Accounts.Enable(jid))
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	jid := r.PathValue("jid")
	s.did(w, http.StatusOK, "removed", jid, s.Accounts.Remove(jid))
}

func (s *Server) invite(w http.ResponseWriter, r *http.Request) {
	req, ok := body(w, r)
	if !ok {
		return
	}
	link, err := s.Accounts.Invite(req.JID)
	if err != nil {
		s.did(w, http.StatusOK, "invited", req.JID, err)
		return
	}
	s.Log.Info("account invited", "jid", req.JID, "by", "admin socket") // without the link
	answer(w, http.StatusCreated, link)
}

// did logs what an administrator did and answers how it went.
func (s *Server) did(w http.ResponseWriter, code int, what, jid string, err error) {
	switch {
	case err == nil:
		s.Log.Info("account "+what, "jid", jid, "by", "admin socket")
		answer(w, code, struct{}{})
	case errors.Is(err, auth.ErrNoAccount):
		refuse(w, http.StatusNotFound, err.Error())
	case errors.Is(err, auth.ErrExists):
		refuse(w, http.StatusConflict, err.Error())
	default:
		refuse(w, http.StatusUnprocessableEntity, err.Error())
	}
}

func (s *Server) gc(w http.ResponseWriter, _ *http.Request) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	answer(w, http.StatusOK, Collected{Heap: m.HeapAlloc})
}

// body reads a request, or refuses it and returns false.
func body(w http.ResponseWriter, r *http.Request) (req request, ok bool) {
	return req, read(w, r, &req)
}

// read is body for any value.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not as expected: "+err.Error())
		return false
	}
	return true
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has gone
}

func refuse(w http.ResponseWriter, code int, text string) {
	answer(w, code, map[string]string{"error": text})
}
