// Package invite lets users invite others to become their contacts, and to make an
// account here (XEP-0401 0.6.0), and has those who come become contacts without
// being asked (XEP-0379 0.3.3). How accounts are made by an invitation is in
// engine/feature/register.
package invite

import (
	"errors"
	"slices"
	"time"

	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/invite"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "urn:xmpp:invite"

var accepted = metric.NewCounter("meerkat_invites_accepted_total",
	"Subscriptions granted because of an invitation.")

// New returns the feature and its commands.
func New() (feature.Feature, []command.Command) {
	return feature.Feature{
			Name:  "invite",
			Spec:  "XEP-0379, XEP-0401",
			Start: start,
		}, []command.Command{
			{Node: space + "#invite", Name: "Invite somebody", Allowed: isOurs, Start: inviteContact},
			{Node: space + "#create-account", Name: "Invite somebody to make an account", Allowed: mayRegister, Start: inviteUser},
		}
}

// start ends what a crash has cut short on this loop, and sweeps what nobody has used,
// once.
func start(e *feature.Env) {
	resume(e)
	if e.Shard() != 0 {
		return
	}
	now := e.Now()
	e.Update(func(tx *store.Tx) error { return invite.Sweep(tx, now) }, func(err error) {
		if err != nil {
			e.Log.Warn("old invitations could not be removed", "err", err)
		}
	})
}

// resume has those become contacts who have made their accounts right before the
// server stopped: their requests have gone with it.
func resume(e *feature.Env) {
	var list []arrival
	e.View(func(tx *store.Tx) {
		invite.Waiting(tx, func(key invite.Key, in invite.Invite) {
			owner, err := jid.Parse(in.By)
			from, err2 := jid.Parse(in.For)
			if err == nil && err2 == nil && e.Loop.Group().For(in.By) == e.Loop {
				list = append(list, arrival{e, owner, from, key})
			}
		})
	})
	for i := range list {
		list[i].accept()
	}
}

// isOurs reports whether it is a session of ours that asks.
func isOurs(c *feature.Ctx, _ jid.JID) bool { return c.Session != nil }

// mayRegister reports whether who may invite others to make accounts.
func mayRegister(c *feature.Ctx, who jid.JID) bool { return allowed(c.Env, who) }

func allowed(e *feature.Env, who jid.JID) bool {
	switch e.Config.Invites.Accounts {
	case "anybody":
		return true
	case "admins":
		return slices.ContainsFunc(e.Config.Admin.Accounts, func(a string) bool {
			j, err := jid.Parse(a)
			return err == nil && j == who.Bare()
		})
	}
	return false
}

// inviteContact invites at once (XEP-0401 §6.1).
func inviteContact(r *command.Run) {
	who := r.Who.Bare()
	save(r, invite.Invite{Host: who.Domain(), By: who.String(), Register: allowed(r.Env, r.Who), Subscribe: true})
}

// inviteUser asks what for (§6.4).
func inviteUser(r *command.Run) {
	r.Ask(command.Page{Next: inviteNamed, Form: func(b *xml.Builder) {
		form.Start(b, form.Ask, "").Title("Invite somebody to make an account").
			Field(form.Def{Var: "username", Type: form.TextSingle, Label: "Name of the account"}).
			Field(form.Def{Var: "roster-subscription", Type: form.Boolean, Label: "Become a contact of yours"}).End()
	}})
}

func inviteNamed(r *command.Run) {
	who := r.Who.Bare()
	in := invite.Invite{Host: who.Domain(), By: who.String(), Register: true}
	in.Subscribe, _ = r.Form.Bool("roster-subscription")
	if name, _ := r.Form.Value("username"); name != "" {
		j, err := jid.New(name, who.Domain(), "")
		if err != nil {
			r.Refuse("no name of an account: " + name)
			return
		}
		in.User = j.String()
	}
	save(r, in)
}

// save stores an invitation and shows it.
func save(r *command.Run, in invite.Invite) {
	now, opt := r.Now(), &r.Config.Invites
	in.Expires = now.Add(time.Duration(opt.Life))
	limit, landing, token := opt.PerUser, r.Config.LandingAt(in.Host), ""
	r.Update(func(tx *store.Tx) (err error) {
		if in.User != "" && r.Users.Exists(tx, jid.MustParse(in.User)) {
			return stanza.Conflict
		}
		token, err = invite.New(tx, in, limit, now)
		return err
	}, func(err error) {
		switch {
		case errors.Is(err, invite.ErrReserved):
			r.Fail(stanza.Conflict, "")
		case err != nil:
			r.Error(err)
		default:
			r.Log.Debug("invited", "by", in.By, "account", in.User, "register", in.Register)
			show(r, in.Link(token, landing))
		}
	})
}

func show(r *command.Run, l invite.Link) {
	r.Show(func(b *xml.Builder) {
		w := form.Start(b, form.Result, space+"#invitation").
			Field(form.Def{Var: "uri", Type: form.TextSingle, Label: "Link"}, l.URI)
		if l.Landing != "" {
			w.Field(form.Def{Var: "landing-url", Type: form.TextSingle, Label: "Page"}, l.Landing)
		}
		w.Field(form.Def{Var: "expire", Type: form.TextSingle, Label: "Good until"}, l.Expires.UTC().Format("2006-01-02T15:04:05Z")).End()
	})
}

// PresenceIn is a stage before that of subscriptions: who asks with a token of the
// account's is granted it, and asked as well (XEP-0379 §3.5). A token that is not
// good is not looked at (§4.1).
func PresenceIn(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Type != stanza.Subscribe {
		return feature.Continue
	}
	token := string(s.Elem.Child("preauth", invite.Space).Attr("token"))
	if token == "" || s.From.Bare() == c.Owner {
		return feature.Continue
	}
	a := arrival{c.Env, c.Owner.Clone(), s.From.Bare().Clone(), invite.KeyOf(token)}
	good := false
	c.View(func(tx *store.Tx) { good = a.good(tx, c.Now()) })
	if !good {
		return feature.Continue
	}
	a.accept()
	return feature.Done
}

// arrival is somebody invited who wants to be a contact.
type arrival struct {
	env         *feature.Env
	owner, from jid.JID
	key         invite.Key
}

// good reports whether the invitation is good for who comes; that of who has made
// an account by it does not expire any more.
func (a *arrival) good(tx *store.Tx, now time.Time) bool {
	in, ok := invite.Find(tx, a.key, time.Time{})
	ok = ok && in.Subscribe && in.By == a.owner.String()
	return ok && (in.For == a.from.String() || in.For == "" && now.Before(in.Expires))
}

// accept approves the contact beforehand, asks it, and has its request come once
// more, without the token.
func (a *arrival) accept() {
	owner, from, limit, now := a.owner.String(), a.from.String(), a.env.Config.Limits.RosterItems, a.env.Now()
	var approved, asked roster.Change
	a.env.Update(func(tx *store.Tx) (err error) {
		if !a.good(tx, now) {
			return stanza.ItemNotFound
		}
		if approved, err = roster.Outbound(tx, owner, from, stanza.Subscribed, limit); err != nil {
			return err
		}
		if asked, err = roster.Outbound(tx, owner, from, stanza.Subscribe, limit); err != nil {
			return err
		}
		return invite.Remove(tx, a.key)
	}, func(err error) {
		if err == nil {
			accepted.Add(a.env.Shard(), 1)
			roster.Push(a.env, owner, approved)
			roster.Push(a.env, owner, asked)
		}
		a.subscribe(a.from, a.owner)
		if err == nil && asked.Effect&roster.Pass != 0 {
			a.subscribe(a.owner, a.from)
		}
	})
}

// subscribe sends a request.
func (a *arrival) subscribe(from, to jid.JID) {
	var b xml.Builder
	b.Reset(a.env.Scratch(), stanza.Client).Start("presence", "").Attr("type", "subscribe")
	out := b.Attr("from", from.String()).Attr("to", to.String()).End().Bytes()
	a.env.Router.Send(to, out)
	a.env.Keep(out)
}
