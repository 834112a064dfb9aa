// Package serviceadmin has the commands for administrators of XEP-0133 1.3.0:
// accounts, sessions, numbers, announcements, the end of the process. They are for
// the accounts of admin.accounts.
package serviceadmin

import (
	"errors"
	"slices"
	"sync/atomic"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// space is the prefix of the commands' nodes, and the FORM_TYPE of their forms.
const space = "http://jabber.org/protocol/admin"

// Options are what the commands need of others.
type Options struct {
	Loops int
	// LastSeen returns what is known of when somebody was last here, as Unix
	// seconds; 0 is nothing.
	LastSeen func(tx *store.Tx, owner string) int64
	// Quit ends the process, to begin anew if restart. nil: nobody can.
	Quit func(restart bool)
}

type feat struct {
	Options
	envs []atomic.Pointer[feature.Env] // by loop
	end  ending
	told account.Flag // the session has come, and so been told what follows

	motd, welcome standing
}

// New returns the commands, and the feature that they work through.
func New(flags *account.Flags, opt Options) (feature.Feature, []command.Command) {
	f := &feat{
		Options: opt, envs: make([]atomic.Pointer[feature.Env], opt.Loops),
		told:    flags.New("motd"),
		motd:    newStanding(motds, "motd", "The message of the day", opt.Loops),
		welcome: newStanding(welcomes, "welcome", "What newly registered users are told", opt.Loops),
	}
	return feature.Feature{
		Name:        "serviceadmin",
		Spec:        "XEP-0133",
		Start:       f.start,
		PresenceOut: f.arrived,
		Thaw:        f.thaw,
	}, f.commands()
}

func (f *feat) start(e *feature.Env) {
	f.envs[e.Shard()].Store(e)
	f.motd.read(e)
	f.welcome.read(e)
}

func (f *feat) commands() (list []command.Command) {
	for _, c := range []struct {
		node, name string
		start      command.Step
	}{
		{"add-user", "Add a user", f.addUser},
		{"delete-user", "Delete users", f.onAccounts("Delete users", f.remove)},
		{"disable-user", "Disable users", f.onAccounts("Disable users", f.disable)},
		{"reenable-user", "Let disabled users in again", f.onAccounts("Let disabled users in again", f.enable)},
		{"end-user-session", "End sessions of users", f.endSessions},
		{"change-user-password", "Change the password of a user", f.changePassword},
		{"get-user-roster", "Show the roster of a user", f.tellRoster},
		{"get-user-lastlogin", "Show when a user was last here", f.tellLast},
		{"user-stats", "Show numbers of a user", f.tellUser},
		{"get-registered-users-num", "Count users", f.count("registeredusersnum", false)},
		{"get-disabled-users-num", "Count disabled users", f.count("disabledusersnum", true)},
		{"get-online-users-num", "Count users online", f.countOnline},
		{"get-registered-users-list", "List users", f.list("registereduserjids", false)},
		{"get-disabled-users-list", "List disabled users", f.list("disableduserjids", true)},
		{"get-online-users-list", "List users online", f.listOnline},
		{"announce", "Tell all users online", f.announce},
		{"set-motd", "Set the message of the day", f.set(&f.motd, "Set the message of the day")},
		{"edit-motd", "Edit the message of the day", f.edit(&f.motd, "Edit the message of the day")},
		{"delete-motd", "Delete the message of the day", f.drop(&f.motd)},
		{"set-welcome", "Set the welcome message", f.edit(&f.welcome, "Set the welcome message")},
		{"delete-welcome", "Delete the welcome message", f.drop(&f.welcome)},
	} {
		list = append(list, command.Command{Node: space + "#" + c.node, Name: c.name, Allowed: isAdmin, Start: c.start})
	}
	if f.Quit != nil {
		list = append(list,
			command.Command{Node: space + "#shutdown", Name: "Shut the server down", Allowed: isAdmin, Start: f.quit(false)},
			command.Command{Node: space + "#restart", Name: "Restart the server", Allowed: isAdmin, Start: f.quit(true)})
	}
	return list
}

// isAdmin reports whether who is one of admin.accounts.
func isAdmin(c *feature.Ctx, who jid.JID) bool {
	return slices.ContainsFunc(c.Config.Admin.Accounts, func(a string) bool {
		j, err := jid.Parse(a)
		return err == nil && j == who.Bare()
	})
}

// on runs fn as a handler on the loop of j.
func (f *feat) on(j jid.JID, r *command.Run, fn func(e *feature.Env)) {
	e := f.envs[r.Loop.Group().For(j.BareString()).Index].Load()
	post(e, func() { fn(e) })
}

// onAll runs fn as a handler on every loop.
func (f *feat) onAll(fn func(e *feature.Env)) {
	for i := range f.envs {
		e := f.envs[i].Load()
		post(e, func() { fn(e) })
	}
}

// post runs fn as a handler on the loop of e, from any loop.
func post(e *feature.Env, fn func()) { e.Loop.Post(func() { e.Router.Run(fn) }) }

// ask shows one form, with a field for each def.
func ask(r *command.Run, title string, next command.Step, defs ...form.Def) {
	r.Ask(command.Page{Next: next, Form: func(b *xml.Builder) {
		w := form.Start(b, form.Ask, space).Title(title)
		for _, d := range defs {
			w.Field(d)
		}
		w.End()
	}})
}

// show ends a command with fields of results.
func show(r *command.Run, fields func(w *form.Writer)) {
	r.Show(func(b *xml.Builder) {
		w := form.Start(b, form.Result, space)
		fields(w)
		w.End()
	})
}

var (
	accountJID  = form.Def{Var: "accountjid", Type: form.JIDSingle, Label: "Address of the account", Required: true}
	accountJIDs = form.Def{Var: "accountjids", Type: form.JIDMulti, Label: "Addresses of the accounts", Required: true}
)

// named reads the address of an account that could be one of ours.
func named(r *command.Run, field string) (j jid.JID, ok bool) {
	v, _ := r.Form.Value(field)
	j, err := jid.Parse(v)
	if err != nil || !ours(r, j) || j.IsFull() {
		r.Refuse("no account of this server: " + v)
		return j, false
	}
	return j, true
}

func ours(r *command.Run, j jid.JID) bool {
	return j.HasLocal() && slices.ContainsFunc(r.Config.Domains, func(d string) bool {
		h, err := jid.Domain(d)
		return err == nil && h.String() == j.Domain()
	})
}

// fail ends a command with what an error of an account means.
func fail(r *command.Run, j jid.JID, err error) {
	switch {
	case errors.Is(err, auth.ErrNoAccount):
		r.Fail(stanza.ItemNotFound, "there is no account "+j.String())
	case errors.Is(err, auth.ErrExists):
		r.Fail(stanza.Conflict, "there is an account "+j.String())
	case errors.Is(err, auth.ErrPassword):
		r.Fail(stanza.NotAcceptable, err.Error())
	default:
		r.Error(err)
	}
}
