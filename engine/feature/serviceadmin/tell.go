package serviceadmin

import (
	"slices"
	"strconv"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// maxList is how many accounts one answer lists.
const maxList = 5000

// aboutAccount is a command that reads about one account, on its loop, and shows
// what look returns.
func (f *feat) aboutAccount(title string, def form.Def, look func(e *feature.Env, tx *store.Tx, j jid.JID) func(b *xml.Builder, w *form.Writer)) command.Step {
	return func(r *command.Run) {
		ask(r, title, func(r *command.Run) {
			if r.Form.Field(def.Var).Len() > 1 {
				r.Refuse("one account at a time")
				return
			}
			j, ok := named(r, def.Var)
			if !ok {
				return
			}
			f.on(j, r, func(e *feature.Env) {
				var fields func(b *xml.Builder, w *form.Writer)
				e.View(func(tx *store.Tx) {
					if e.Users.Exists(tx, j) {
						fields = look(e, tx, j)
					}
				})
				post(r.Env, func() { tell(r, j, def.Var, fields) })
			})
		}, def)
	}
}

func tell(r *command.Run, j jid.JID, field string, fields func(b *xml.Builder, w *form.Writer)) {
	if fields == nil {
		r.Fail(stanza.ItemNotFound, "there is no account "+j.String())
		return
	}
	r.Show(func(b *xml.Builder) {
		w := form.Start(b, form.Result, space).Value(field, j.String())
		fields(b, w)
		w.End()
	})
}

// oneOfMany is a field that holds several addresses by the registry of forms, but
// answers are about one.
var oneOfMany = form.Def{Var: accountJIDs.Var, Type: accountJIDs.Type, Label: accountJID.Label, Required: true}

// tellRoster shows a roster (XEP-0133 §4.8).
func (f *feat) tellRoster(r *command.Run) {
	f.aboutAccount("Show the roster of a user", oneOfMany, func(_ *feature.Env, tx *store.Tx, j jid.JID) func(*xml.Builder, *form.Writer) {
		var contacts []roster.Contact
		for it := range roster.Load(tx, j.String()).All() {
			contacts = append(contacts, it.Clone())
		}
		return func(b *xml.Builder, _ *form.Writer) {
			b.Start("query", "jabber:iq:roster")
			for _, c := range contacts {
				if c.State&roster.Listed != 0 {
					appendContact(b, &c)
				}
			}
			b.End()
		}
	})(r)
}

func appendContact(b *xml.Builder, c *roster.Contact) {
	b.Start("item", "").Attr("jid", c.JID).OptAttr("name", c.Name).Attr("subscription", c.State.Subscription())
	for _, g := range c.Groups {
		b.Start("group", "").Text(g).End()
	}
	b.End()
}

// tellLast shows when somebody was last here (§4.9): now, for who is online.
func (f *feat) tellLast(r *command.Run) {
	f.aboutAccount("Show when a user was last here", oneOfMany, func(e *feature.Env, tx *store.Tx, j jid.JID) func(*xml.Builder, *form.Writer) {
		at := f.LastSeen(tx, j.String())
		if e.Accounts.Get(j.String()) != nil {
			at = e.Now().Unix()
		}
		text := "never"
		if at > 0 {
			text = time.Unix(at, 0).UTC().Format("2006-01-02T15:04:05Z")
		}
		return func(_ *xml.Builder, w *form.Writer) {
			w.Field(form.Def{Var: "lastlogin", Label: "Last seen"}, text)
		}
	})(r)
}

// tellUser shows numbers of an account (§4.10).
func (f *feat) tellUser(r *command.Run) {
	f.aboutAccount("Show numbers of a user", accountJID, func(e *feature.Env, tx *store.Tx, j jid.JID) func(*xml.Builder, *form.Writer) {
		contacts := roster.Load(tx, j.String()).Len()
		var resources []string
		if a := e.Accounts.Get(j.String()); a != nil {
			for _, s := range a.Sessions {
				resources = append(resources, s.JID.Resource())
			}
		}
		return func(_ *xml.Builder, w *form.Writer) {
			w.Field(form.Def{Var: "rostersize", Label: "Contacts"}, strconv.Itoa(contacts))
			w.Field(form.Def{Var: "onlineresources", Type: form.TextMulti, Label: "Resources online"}, resources...)
		}
	})(r)
}

// registered looks for accounts off the loop: up to n of them, and how many there
// are, of all or of those that are disabled.
func registered(r *command.Run, n int, disabled bool, done func(list []string, total int)) {
	var list []string
	total := 0
	st, users := r.Store, r.Users
	scan := func() {
		_ = st.View(func(tx *store.Tx) error {
			return users.Each(tx, "", func(bare string) error {
				if disabled && !users.Disabled(tx, bare) {
					return nil
				}
				if total++; len(list) < n {
					list = append(list, bare)
				}
				return nil
			})
		})
	}
	if !r.Loop.Work(scan, func() { r.Router.Run(func() { done(list, total) }) }) {
		r.Fail(stanza.ResourceConstraint, "")
	}
}

// count is a command that counts accounts (§4.13, §4.14).
func (f *feat) count(field string, disabled bool) command.Step {
	return func(r *command.Run) {
		registered(r, 0, disabled, func(_ []string, total int) {
			show(r, func(w *form.Writer) { w.Value(field, strconv.Itoa(total)) })
		})
	}
}

// list is a command that lists accounts (§4.18, §4.19).
func (f *feat) list(field string, disabled bool) command.Step {
	return func(r *command.Run) {
		askList(r, func(r *command.Run, n int) {
			registered(r, n, disabled, func(list []string, total int) { tellList(r, field, list, n, total) })
		})
	}
}

func askList(r *command.Run, next func(r *command.Run, n int)) {
	def := form.Def{Var: "max_items", Type: form.ListSingle, Label: "Most addresses to show"}
	for _, n := range []string{"25", "50", "75", "100", "150", "200", "none"} {
		def.Options = append(def.Options, form.Option{Value: n})
	}
	ask(r, "How many?", func(r *command.Run) {
		v, ok := r.Form.Value("max_items")
		n, err := strconv.Atoi(v)
		switch {
		case !ok || v == "none" || v == "":
			next(r, maxList)
		case err != nil || n < 1:
			r.Refuse("max_items is a number, or none")
		default:
			next(r, min(n, maxList))
		}
	}, def)
}

// tellList shows a list, unless it would have to be cut though nobody asked for
// that.
func tellList(r *command.Run, field string, list []string, n, total int) {
	if n == maxList && total > n {
		r.Fail(stanza.NotAcceptable, "there are "+strconv.Itoa(total)+", more than "+strconv.Itoa(maxList)+" are not listed at a time")
		return
	}
	show(r, func(w *form.Writer) { w.Field(form.Def{Var: field, Type: form.JIDMulti}, list...) })
}

// online gathers the accounts with an available session, up to n of them from
// each loop, and how many there are.
func (f *feat) online(r *command.Run, n int, done func(list []string, total int)) {
	var list []string
	total, left := 0, len(f.envs)
	for i := range f.envs {
		e := f.envs[i].Load()
		post(e, func() {
			var mine []string
			all := 0
			e.Accounts.Each(func(a *account.Account) {
				if a.Present() {
					if all++; len(mine) < n {
						mine = append(mine, a.JID.String())
					}
				}
			})
			post(r.Env, func() {
				list, total = append(list, mine...), total+all
				if left--; left == 0 {
					slices.Sort(list)
					done(list[:min(n, len(list))], total)
				}
			})
		})
	}
}

func (f *feat) countOnline(r *command.Run) {
	f.online(r, 0, func(_ []string, total int) {
		show(r, func(w *form.Writer) { w.Value("onlineusersnum", strconv.Itoa(total)) })
	})
}

func (f *feat) listOnline(r *command.Run) {
	askList(r, func(r *command.Run, n int) {
		f.online(r, n, func(list []string, total int) { tellList(r, "onlineuserjids", list, n, total) })
	})
}
