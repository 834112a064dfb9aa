package muc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// ErrNoRoom says that there is no room of that address.
var ErrNoRoom = errors.New("there is no such room")

// Operator is what the operator of a running server does to rooms. Its methods
// wait for loops and disk: they are for any goroutine but a loop's.
type Operator struct {
	f    *service
	envs []atomic.Pointer[feature.Env] // by loop
}

func newOperator(f *service, loops int) *Operator {
	op := &Operator{f: f, envs: make([]atomic.Pointer[feature.Env], loops)}
	f.ops = command.NewHost(loops, op.commands()...)
	return op
}

// Info is a room as an operator sees it.
type Info struct {
	JID         string `json:"jid"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Subject     string `json:"subject,omitempty"`
	Persistent  bool   `json:"persistent"`
	Public      bool   `json:"public"`
	MembersOnly bool   `json:"members_only"`
	Moderated   bool   `json:"moderated"`
	Protected   bool   `json:"protected"` // by a password
	Occupants   int    `json:"occupants"`
	// Affiliations are by bare JID; in a list they are left out.
	Affiliations map[string]string `json:"affiliations,omitempty"`
}

// start takes a loop's surroundings.
func (op *Operator) start(e *feature.Env) { op.envs[e.Shard()].Store(e) }

// env returns the loop of a room of ours.
func (op *Operator) env(room string) (*feature.Env, jid.JID, error) {
	j, err := jid.Parse(room)
	e := op.envs[0].Load()
	switch {
	case err != nil:
		return nil, j, fmt.Errorf("%q is no address: %w", room, err)
	case e == nil:
		return nil, j, errors.New("the server has not started yet")
	case !j.HasLocal() || j.IsFull() || op.f.hosts[j.Domain()] == "":
		return nil, j, fmt.Errorf("%s: %w", room, ErrNoRoom)
	}
	return op.envs[e.Loop.Group().For(j.String()).Index].Load(), j, nil
}

// longest is how long an operator waits for a loop.
const longest = time.Minute

// wait begins something and waits until it calls done.
func wait(begin func(done func(err error))) error {
	ended := make(chan error, 1)
	begin(func(err error) { ended <- err })
	select {
	case err := <-ended:
		return err
	case <-time.After(longest):
		return fmt.Errorf("no answer within %v", longest)
	}
}

// on runs fn on the room's loop, once no other change of it is on its way. It does
// not wait; done is called on any loop, or at once.
func (op *Operator) on(address string, fn func(r *room, done func(err error)), done func(err error)) {
	e, j, err := op.env(address)
	if err != nil {
		done(err)
		return
	}
	e.Loop.Post(func() { e.Router.Run(func() { op.within(e, j, fn, done) }) })
}

func (op *Operator) within(e *feature.Env, j jid.JID, fn func(r *room, done func(err error)), done func(err error)) {
	missing := func() { done(fmt.Errorf("%s: %w", j, ErrNoRoom)) }
	switch r, ok := op.f.find(e, j); {
	case !ok:
		done(fmt.Errorf("%s: what is stored of it cannot be read", j))
	case r == nil:
		missing()
	default:
		r.exclusive(func() {
			if r.gone {
				missing()
				return
			}
			fn(r, done)
		})
		r.rest()
	}
}

// Show returns all there is to know of a room.
func (op *Operator) Show(address string) (info Info, err error) {
	err = wait(func(done func(error)) { op.show(address, &info, done) })
	return info, err
}

func (op *Operator) show(address string, to *Info, done func(error)) {
	op.on(address, func(r *room, done func(error)) {
		*to = r.info()
		to.Affiliations = make(map[string]string, len(r.aff))
		for bare, a := range r.aff {
			to.Affiliations[bare] = a.String()
		}
		done(nil)
	}, done)
}

func (r *room) info() Info {
	i := infoOf(r.jid.String(), &r.set)
	i.Subject, i.Occupants = r.subj.Text, len(r.list)
	return i
}

func infoOf(room string, s *settings) Info {
	return Info{
		JID: room, Name: s.Name, Description: s.Description, Persistent: s.Persistent, Public: s.Public,
		MembersOnly: s.MembersOnly, Moderated: s.Moderated, Protected: s.Protected,
	}
}

// Destroy ends a room, with a reason and another room to go to, if there are any.
func (op *Operator) Destroy(address, reason, venue string) error {
	return wait(func(done func(error)) { op.destroy(address, destruction{venue: venue, reason: reason}, done) })
}

func (op *Operator) destroy(address string, d destruction, done func(error)) {
	if _, err := jid.Parse(d.venue); err != nil && d.venue != "" {
		done(fmt.Errorf("%q is no address: %w", d.venue, err))
		return
	}
	op.on(address, func(r *room, done func(error)) { r.destroyThen(d, done) }, done)
}

// Affiliate makes a user owner, admin, member, outcast or none of a room.
func (op *Operator) Affiliate(address, who, affiliation string) error {
	return wait(func(done func(error)) { op.affiliate(address, who, affiliation, done) })
}

func (op *Operator) affiliate(address, who, affiliation string, done func(error)) {
	j, err := jid.Parse(who)
	a, ok := parseAffiliation(affiliation)
	switch {
	case err != nil || !j.HasLocal():
		done(fmt.Errorf("%q is no user's address", who))
	case !ok:
		done(fmt.Errorf("%q is none of owner, admin, member, none and outcast", affiliation))
	default:
		op.on(address, func(r *room, done func(error)) { r.affiliateByOperator(j.Bare(), a, done) }, done)
	}
}

func (r *room) affiliateByOperator(bare jid.JID, a affiliation, done func(error)) {
	after := map[string]affiliation{bare.String(): a}
	if cond := r.judgeAll(after, r.env.Config.Rooms.Affiliated); cond != stanza.OK {
		done(cond)
		return
	}
	host, _ := jid.Domain(r.jid.Domain()) // it is one
	r.write(r.saveRegistration(after, nil), func(err error) {
		if err == nil {
			r.apply([]change{{bare: bare, aff: &a}}, "", host)
		}
		done(err)
	})
}

// List returns up to n rooms, in order of their addresses, that begin with prefix
// and come after after.
func (op *Operator) List(prefix, after string, n int) (list []Info, err error) {
	l := &census{op: op, prefix: prefix, after: after, most: n}
	err = wait(l.begin)
	return l.page(), err
}

// census is a list of rooms being made: those in the store, then those in the memory
// of one loop after the other, which know more.
type census struct {
	op            *Operator
	prefix, after string
	most          int
	rooms         map[string]Info
}

func (l *census) begin(done func(error)) {
	e := l.op.envs[0].Load()
	if e == nil {
		done(errors.New("the server has not started yet"))
		return
	}
	l.rooms = make(map[string]Info)
	var err error
	if !e.Loop.Work(func() { err = e.Store.View(l.stored) }, func() {
		if err != nil {
			done(err)
			return
		}
		l.loaded(0, done)
	}) {
		done(errors.New("the server is too busy"))
	}
}

func (l *census) wants(room string) bool { return strings.HasPrefix(room, l.prefix) && room > l.after }

func (l *census) stored(tx *store.Tx) error {
	return records.EachFrom(tx, max(l.prefix, l.after), func(room string, v []byte) error {
		if !strings.HasPrefix(room, l.prefix) || len(l.rooms) == l.most {
			return store.ErrStop
		}
		if rec := (record{}); l.wants(room) && json.Unmarshal(v, &rec) == nil {
			l.rooms[room] = infoOf(room, &rec.Settings)
		}
		return nil
	})
}

func (l *census) loaded(loop int, done func(error)) {
	if loop == len(l.op.envs) {
		done(nil)
		return
	}
	l.op.envs[loop].Load().Loop.Post(func() {
		for name, r := range l.op.f.loops[loop] {
			if l.wants(name) && !r.gone {
				l.rooms[name] = r.info()
			}
		}
		l.loaded(loop+1, done)
	})
}

func (l *census) page() []Info {
	list := slices.SortedFunc(maps.Values(l.rooms), func(a, b Info) int { return strings.Compare(a.JID, b.JID) })
	return list[:min(l.most, len(list))]
}

// conditionOf is what an error of an operator means for a client.
func conditionOf(err error) stanza.Condition {
	var cond stanza.Condition
	switch {
	case errors.As(err, &cond):
		return cond
	case errors.Is(err, ErrNoRoom):
		return stanza.ItemNotFound
	}
	return stanza.BadRequest
}
