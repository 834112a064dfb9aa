package blocking

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// get answers with the names of all lists, or with one list (XEP-0016 §2.3).
func (f *Feature) get(c *feature.Ctx, q *stanza.Stanza) {
	c.Session.Set(f.lister)
	l := f.lists.Of(c.Account.Slots)
	e := q.Payload().First()
	if !e.OK() {
		c.Result(q, func(b *xml.Builder) { f.appendNames(b, c.Session, l) })
		return
	}
	if !e.Is("list", privacySpace) || e.Next().OK() {
		c.Fail(q, stanza.BadRequest, "")
		return
	}
	d := l.find(string(e.Attr("name")))
	if d == nil {
		c.Fail(q, stanza.ItemNotFound, "")
		return
	}
	c.Result(q, func(b *xml.Builder) { d.append(b) })
}

func (f *Feature) appendNames(b *xml.Builder, s *account.Session, l *lists) {
	b.Start("query", privacySpace)
	if name := f.active.Of(s.Slots); name != nil && *name != "" {
		b.Start("active", "").Attr("name", *name).End()
	}
	if d := l.fallback(); d != nil {
		b.Start("default", "").Attr("name", d.Name).End()
	}
	if l != nil {
		for i := range l.Lists {
			b.Start("list", "").Attr("name", l.Lists[i].Name).End()
		}
	}
	b.End()
}

// kindNames are the children of an item, by bit.
var kindNames = [...]string{"message", "iq", "presence-in", "presence-out"}

func (d *list) append(b *xml.Builder) {
	b.Start("query", privacySpace).Start("list", "").Attr("name", d.Name)
	for i := range d.Items {
		it := &d.Items[i]
		action := "allow"
		if it.Deny {
			action = "deny"
		}
		b.Start("item", "").OptAttr("type", it.Type).OptAttr("value", it.Value).
			Attr("action", action).AttrInt("order", int64(it.Order))
		for bit, name := range kindNames {
			if it.Kinds&(1<<bit) != 0 {
				b.Start(name, "").End()
			}
		}
		b.End()
	}
	b.End().End()
}

// set chooses the active or the default list, or changes a list; exactly one of
// these (XEP-0016 §2.4-§2.8).
func (f *Feature) set(c *feature.Ctx, q *stanza.Stanza) {
	c.Session.Set(f.lister)
	e := q.Payload().First()
	switch {
	case e.Next().OK():
		c.Fail(q, stanza.BadRequest, "")
	case e.Is("active", privacySpace):
		f.setActive(c, q, e.Attr("name"))
	case e.Is("default", privacySpace):
		f.setDefault(c, q, string(e.Attr("name")))
	case e.Is("list", privacySpace):
		f.setList(c, q, e)
	default:
		c.Fail(q, stanza.BadRequest, "")
	}
}

// setActive is for this session alone and dies with it.
func (f *Feature) setActive(c *feature.Ctx, q *stanza.Stanza, name []byte) {
	n := string(name)
	if n != "" && f.lists.Of(c.Account.Slots).find(n) == nil {
		c.Fail(q, stanza.ItemNotFound, "")
		return
	}
	before := f.inForce(c.Account)
	if name == nil {
		f.active.Put(&c.Session.Slots, nil)
	} else {
		f.active.Put(&c.Session.Slots, &n)
	}
	f.guard(c)
	c.Result(q, nil)
	f.announce(c.Env, c.Account, before)
}

// guard has each session judge for itself, where one has an active list.
func (f *Feature) guard(c *feature.Ctx) {
	for _, s := range c.Account.Sessions {
		s.Refuses = nil
		if hasActive(c.Account, f) {
			s.Refuses = f.refuses(c.Env, s)
		}
	}
}

// Bits of what is kept of a session over a restart.
const (
	keptWants = 1 << iota
	keptLister
	keptActive // the name follows
)

func (f *Feature) freeze(s *account.Session, b []byte) []byte {
	var bits byte
	if s.Has(f.wants) {
		bits |= keptWants
	}
	if s.Has(f.lister) {
		bits |= keptLister
	}
	name := f.active.Of(s.Slots)
	if name == nil {
		if bits == 0 {
			return b
		}
		return append(b, bits)
	}
	return append(append(b, bits|keptActive), *name...)
}

// thaw runs before presence comes back, which an active list may hide from some.
func (f *Feature) thaw(c *feature.Ctx, b []byte) {
	if len(b) == 0 {
		return
	}
	if b[0]&keptWants != 0 {
		c.Session.Set(f.wants)
	}
	if b[0]&keptLister != 0 {
		c.Session.Set(f.lister)
	}
	name := string(b[1:])
	if b[0]&keptActive != 0 && (name == "" || f.lists.Of(c.Account.Slots).find(name) != nil) {
		f.active.Put(&c.Session.Slots, &name)
		f.guard(c)
	}
}

// relies reports whether another session goes by the list name.
func (f *Feature) relies(a *account.Account, but *account.Session, l *lists, name string) bool {
	for _, s := range a.Sessions {
		if s == but {
			continue
		}
		active := f.active.Of(s.Slots)
		if active != nil && *active == name || active == nil && l != nil && l.Default == name {
			return true
		}
	}
	return false
}

// setDefault takes effect for every session without an active list; it may not
// be changed under another's feet (XEP-0016 §2.5).
func (f *Feature) setDefault(c *feature.Ctx, q *stanza.Stanza, name string) {
	l := f.lists.Of(c.Account.Slots)
	switch {
	case name != "" && l.find(name) == nil:
		c.Fail(q, stanza.ItemNotFound, "")
		return
	case l != nil && l.Default != "" && l.Default != name && f.relies(c.Account, c.Session, l, l.Default):
		c.Fail(q, stanza.Conflict, "")
		return
	}
	f.store(c, q, "", func(_ *store.Tx, l *lists) error { l.Default = name; return nil })
}

// setList creates or replaces a list, or removes it if no items are given
// (XEP-0016 §2.6-§2.8).
func (f *Feature) setList(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	name := string(e.Attr("name"))
	items, cond := readItems(e)
	if name == "" || len(name) > maxName {
		cond = stanza.BadRequest
	}
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	if len(items) == 0 {
		f.removeList(c, q, name)
		return
	}
	limits := &c.Config.Limits
	owner := c.Owner.String()
	f.store(c, q, name, func(tx *store.Tx, l *lists) error {
		if limits.Blocklist > 0 && len(items) > limits.Blocklist || len(l.Lists) >= maxLists && l.find(name) == nil {
			return stanza.ResourceConstraint
		}
		if !groupsExist(tx, owner, items) {
			return stanza.ItemNotFound
		}
		l.put(list{name, items})
		return nil
	})
}

// maxName bounds names of lists, maxLists how many an account has.
const (
	maxName  = 1023
	maxLists = 50
)

func (f *Feature) removeList(c *feature.Ctx, q *stanza.Stanza, name string) {
	l := f.lists.Of(c.Account.Slots)
	switch {
	case l.find(name) == nil:
		c.Fail(q, stanza.ItemNotFound, "")
		return
	case f.relies(c.Account, c.Session, l, name):
		c.Fail(q, stanza.Conflict, "")
		return
	}
	f.store(c, q, name, func(_ *store.Tx, l *lists) error {
		l.Lists = slices.DeleteFunc(l.Lists, func(d list) bool { return d.Name == name })
		if l.Default == name {
			l.Default = ""
		}
		return nil
	})
}

// store applies change, answers, and tells the resources which list has changed.
func (f *Feature) store(c *feature.Ctx, q *stanza.Stanza, name string, change func(*store.Tx, *lists) error) {
	env, owner, a, req := c.Env, c.Owner, c.Account, c.Later(q)
	var l *lists
	env.Update(func(tx *store.Tx) (err error) {
		if l, err = edit(tx, owner.String()); err != nil {
			return err
		}
		if err := change(tx, l); err != nil {
			return err
		}
		return l.save(tx, owner.String())
	}, func(err error) {
		if err != nil {
			if errors.Is(err, stanza.ResourceConstraint) {
				limited.Add(env.Shard(), 1)
			}
			req.Error(err)
			return
		}
		before := f.inForce(a)
		f.keep(a, l)
		req.Result(nil)
		f.pushList(env, a, name, true)
		f.announce(env, a, before)
	})
}

// pushList is the push of XEP-0016 §2.6, the name alone, to all resources; but
// a change by the blocking command is news only to those that use lists.
func (f *Feature) pushList(e *feature.Env, a *account.Account, name string, all bool) {
	if name == "" {
		return
	}
	for _, s := range a.Sessions {
		if all || s.Has(f.lister) {
			pushIQ(e, s, func(b *xml.Builder) {
				b.Start("query", privacySpace).Start("list", "").Attr("name", name).End().End()
			})
		}
	}
}

func readItems(e xml.Elem) (items []item, c stanza.Condition) {
	for x := e.First(); x.OK(); x = x.Next() {
		it, cond := readItem(x)
		if cond != stanza.OK {
			return nil, cond
		}
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.Order, b.Order) })
	for i := 1; i < len(items); i++ {
		if items[i].Order == items[i-1].Order {
			return nil, stanza.BadRequest
		}
	}
	return items, stanza.OK
}

// readItem judges one rule by XEP-0016 §2.1.
func readItem(e xml.Elem) (it item, c stanza.Condition) {
	it.Type, it.Value = string(e.Attr("type")), string(e.Attr("value"))
	action := string(e.Attr("action"))
	order, err := strconv.ParseUint(string(e.Attr("order")), 10, 32)
	if !e.Is("item", privacySpace) || err != nil || action != "allow" && action != "deny" {
		return it, stanza.BadRequest
	}
	it.Order, it.Deny = uint32(order), action == "deny"
	switch it.Type {
	case "":
		it.Value = ""
	case "jid":
		j, err := jid.Parse(it.Value)
		if err != nil {
			return it, stanza.JIDMalformed
		}
		it.Value = j.String()
	case "group":
		if it.Value == "" {
			return it, stanza.BadRequest
		}
	case "subscription":
		if !slices.Contains([]string{"both", "to", "from", "none"}, it.Value) {
			return it, stanza.BadRequest
		}
	default:
		return it, stanza.BadRequest
	}
	for k := e.First(); k.OK(); k = k.Next() {
		bit := slices.Index(kindNames[:], string(k.Local()))
		if bit < 0 {
			return it, stanza.BadRequest
		}
		it.Kinds |= 1 << bit
	}
	if it.Kinds == 1<<len(kindNames)-1 {
		it.Kinds = 0 // XEP-0016 §2.1: all four are as none
	}
	return it, stanza.OK
}

// groupsExist reports whether the roster has every group that items name
// (XEP-0016 §2.6).
func groupsExist(tx *store.Tx, owner string, items []item) bool {
	have := map[string]bool{}
	for it := range roster.Load(tx, owner).All() {
		for g := range it.Groups() {
			have[string(g)] = true
		}
	}
	for i := range items {
		if items[i].Type == "group" && !have[items[i].Value] {
			return false
		}
	}
	return true
}
