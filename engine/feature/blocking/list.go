package blocking

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// doc has each account's lists, as JSON: they are few, small and seldom read.
var doc = store.NewDoc("privacy")

// lists are an account's privacy lists (XEP-0016). The blocklist of XEP-0191 is
// part of the default one, so that the two cannot disagree.
type lists struct {
	Default string `json:"default,omitempty"` // name of the default list, "" is none
	Lists   []list `json:"lists"`             // in order of name
}

// list is one of them.
type list struct {
	Name  string `json:"name"`
	Items []item `json:"items"` // in order of Order
}

// kinds are what an item is about (XEP-0016 §2.1); none set means everything,
// in both directions.
type kinds uint8

const (
	messages kinds = 1 << iota // inbound
	iqs                        // inbound
	presenceIn
	presenceOut
)

// item is one rule.
type item struct {
	Type  string `json:"type,omitempty"` // jid, group, subscription, or "" for everybody
	Value string `json:"value,omitempty"`
	Deny  bool   `json:"deny,omitempty"`
	Order uint32 `json:"order"`
	Kinds kinds  `json:"kinds,omitempty"`
}

// load reads an account's lists; nil if it has none. What cannot be read is an
// error: it must not be taken for none, and written over.
func load(tx *store.Tx, owner string) (*lists, error) {
	v := doc.Get(tx, owner)
	if v == nil {
		return nil, nil
	}
	l := new(lists)
	if err := json.Unmarshal(v, l); err != nil {
		return nil, fmt.Errorf("blocking: the lists of %s cannot be read: %w", owner, err)
	}
	return l, nil
}

// loadLogged is load on a loop, for filters.
func loadLogged(e *feature.Env, owner string) (l *lists) {
	e.View(func(tx *store.Tx) {
		var err error
		if l, err = load(tx, owner); err != nil {
			e.Log.Error("blocking is off for an account", "err", err)
		}
	})
	return l
}

// edit reads the lists to change them; none are an empty set.
func edit(tx *store.Tx, owner string) (*lists, error) {
	l, err := load(tx, owner)
	if l == nil && err == nil {
		l = new(lists)
	}
	return l, err
}

// save stores them, or nothing if there are none.
func (l *lists) save(tx *store.Tx, owner string) error {
	if len(l.Lists) == 0 {
		return doc.Delete(tx, owner)
	}
	v, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return doc.Put(tx, owner, v)
}

// find returns the list of that name, nil if there is none.
func (l *lists) find(name string) *list {
	if l == nil || name == "" {
		return nil
	}
	for i := range l.Lists {
		if l.Lists[i].Name == name {
			return &l.Lists[i]
		}
	}
	return nil
}

// fallback returns the default list, nil if there is none.
func (l *lists) fallback() *list {
	if l == nil {
		return nil
	}
	return l.find(l.Default)
}

// put adds a list or replaces the one of its name.
func (l *lists) put(n list) {
	i, found := slices.BinarySearchFunc(l.Lists, n.Name, func(a list, name string) int { return strings.Compare(a.Name, name) })
	if found {
		l.Lists[i] = n
		return
	}
	l.Lists = slices.Insert(l.Lists, i, n)
}

// blocks reports whether i is an item of the blocklist (XEP-0191 §4).
func (i *item) blocks() bool { return i.Type == "jid" && i.Deny && i.Kinds == 0 }

// blocked returns the JIDs of the blocklist.
func (l *lists) blocked() (jids []string) {
	if d := l.fallback(); d != nil {
		for i := range d.Items {
			if d.Items[i].blocks() {
				jids = append(jids, d.Items[i].Value)
			}
		}
	}
	return jids
}

// block adds JIDs to the front of the default list, which is made if need be.
func (l *lists) block(jids []string) {
	d := l.fallback()
	if d == nil {
		l.Default = l.unused("blocklist")
		l.put(list{Name: l.Default})
		d = l.fallback()
	}
	had := set(l.blocked())
	var fresh []item
	for _, j := range jids {
		if !had[j] {
			had[j] = true
			fresh = append(fresh, item{Type: "jid", Value: j, Deny: true})
		}
	}
	d.Items = slices.Concat(fresh, d.Items)
	d.renumber()
}

func set(jids []string) map[string]bool {
	m := make(map[string]bool, len(jids))
	for _, j := range jids {
		m[j] = true
	}
	return m
}

// unused returns name, or one like it that no list has.
func (l *lists) unused(name string) string {
	free := name
	for i := 2; l.find(free) != nil; i++ {
		free = name + " " + strconv.Itoa(i)
	}
	return free
}

// unblock takes JIDs off, all if none are named.
func (l *lists) unblock(jids []string) {
	if d := l.fallback(); d != nil {
		named := set(jids)
		d.Items = slices.DeleteFunc(d.Items, func(i item) bool {
			return i.blocks() && (len(jids) == 0 || named[i.Value])
		})
	}
}

// renumber keeps orders unique behind an insertion at the front.
func (d *list) renumber() {
	for i := range d.Items {
		d.Items[i].Order = uint32(i + 1)
	}
}

// who is what rules look at of somebody else.
type who struct {
	jid    jid.JID
	kind   kinds // the bit that this stanza is
	roster func() (roster.Contact, bool)
}

// denies reports what the first item that fits says; without any, all is
// allowed (XEP-0016 §2.1).
func (d *list) denies(w *who) bool {
	if d == nil {
		return false
	}
	for i := range d.Items {
		if it := &d.Items[i]; (it.Kinds == 0 || it.Kinds&w.kind != 0) && it.fits(w) {
			return it.Deny
		}
	}
	return false
}

func (i *item) fits(w *who) bool {
	switch i.Type {
	case "":
		return true
	case "jid":
		return matches(i.Value, w.jid)
	}
	it, ok := w.roster()
	if i.Type == "subscription" {
		if !ok {
			return i.Value == "none"
		}
		return it.State.Subscription() == i.Value
	}
	return ok && slices.Contains(it.Groups, i.Value)
}

// matches follows XEP-0191 §6: user@domain/resource, user@domain,
// domain/resource, domain.
func matches(value string, j jid.JID) bool {
	if value == j.String() || value == j.BareString() || value == j.Domain() {
		return true
	}
	resource, ok := strings.CutPrefix(value, j.Domain())
	return ok && len(resource) > 1 && resource[0] == '/' && resource[1:] == j.Resource()
}

// kindOf returns the bit of a stanza; 0 has no bit of its own: what goes out and
// is no presence.
func kindOf(s *stanza.Stanza, out bool) kinds {
	switch {
	case s.Kind == stanza.Presence && (s.Type == stanza.Available || s.Type == stanza.Unavailable):
		if out {
			return presenceOut
		}
		return presenceIn
	case out || s.Kind == stanza.Presence:
		return 0 // subscriptions are not "presence notifications" (XEP-0016 §2.9)
	case s.Kind == stanza.Message:
		return messages
	}
	return iqs
}
