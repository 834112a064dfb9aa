package serviceadmin

import (
	"slices"

	"meerkat/engine/auth"
	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// maxAccounts is how many accounts one command takes.
const maxAccounts = 1000

var password = form.Def{Var: "password", Type: form.Password, Label: "The password", Required: true}

// addUser makes an account (XEP-0133 §4.1).
func (f *feat) addUser(r *command.Run) {
	again := form.Def{Var: "password-verify", Type: form.Password, Label: "The password again", Required: true}
	ask(r, "Add a user", func(r *command.Run) {
		j, ok := named(r, "accountjid")
		if !ok {
			return
		}
		first, _ := r.Form.Value("password")
		if second, _ := r.Form.Value("password-verify"); first != second {
			r.Refuse("the passwords differ")
			return
		}
		f.withPassword(r, j, first, "added", r.Users.Create, nil)
	}, accountJID, password, again)
}

// changePassword gives an account another password and ends its sessions (§4.7).
func (f *feat) changePassword(r *command.Run) {
	ask(r, "Change the password of a user", func(r *command.Run) {
		if j, ok := named(r, "accountjid"); ok {
			v, _ := r.Form.Value("password")
			f.withPassword(r, j, v, "given a new password", r.Users.Replace, func(e *feature.Env) {
				kick(e, j, "the password has been changed")
			})
		}
	}, accountJID, password)
}

// withPassword stores credentials for j by put, and runs then on its loop.
func (f *feat) withPassword(r *command.Run, j jid.JID, password, what string,
	put func(*store.Tx, jid.JID, *auth.Credentials) error, then func(e *feature.Env)) {
	var creds auth.Credentials
	var err error
	iterations := r.Config.Limits.ScramIterations
	derive := func() { creds, err = auth.Derive(password, iterations) }
	stored := func(err error) {
		if err != nil {
			fail(r, j, err)
			return
		}
		r.Log.Info("account "+what, "jid", j.String(), "by", r.Who.BareString())
		if then != nil {
			f.on(j, r, then)
		}
		r.Done("")
	}
	if !r.Loop.Work(derive, func() {
		if err != nil {
			fail(r, j, err)
			return
		}
		r.Update(func(tx *store.Tx) error { return put(tx, j, &creds) }, stored)
	}) {
		r.Fail(stanza.ResourceConstraint, "")
	}
}

// operation does something to an account, on its loop, and calls done there.
type operation func(e *feature.Env, j jid.JID, done func(err error))

// onAccounts is a command that does the same to several accounts (§4.2 to §4.4).
func (f *feat) onAccounts(title string, op operation) command.Step {
	return func(r *command.Run) {
		ask(r, title, func(r *command.Run) {
			if list, ok := addresses(r); ok {
				f.oneByOne(r, list, op)
			}
		}, accountJIDs)
	}
}

// addresses reads accountjids, of which some may be full JIDs.
func addresses(r *command.Run) (list []jid.JID, ok bool) {
	for v := range r.Form.Field("accountjids").Values() {
		j, err := jid.Parse(v)
		if err != nil || !ours(r, j) || len(list) == maxAccounts {
			r.Refuse("no account of this server, or too many: " + v)
			return nil, false
		}
		list = append(list, j)
	}
	if len(list) == 0 {
		r.Refuse("no account is named")
	}
	return list, len(list) > 0
}

// oneByOne ends at the first account that the operation fails on.
func (f *feat) oneByOne(r *command.Run, list []jid.JID, op operation) {
	if len(list) == 0 {
		r.Done("")
		return
	}
	j := list[0]
	f.on(j, r, func(e *feature.Env) {
		op(e, j.Bare(), func(err error) {
			post(r.Env, func() {
				if err != nil {
					fail(r, j, err)
					return
				}
				r.Log.Info("accounts changed", "command", r.Node(), "jid", j.String(), "by", r.Who.BareString())
				f.oneByOne(r, list[1:], op)
			})
		})
	})
}

func (f *feat) remove(e *feature.Env, j jid.JID, done func(err error)) {
	exists := false
	e.View(func(tx *store.Tx) { exists = e.Users.Exists(tx, j) })
	if !exists {
		done(auth.ErrNoAccount)
		return
	}
	e.Router.Remove(j, done)
}

func (f *feat) disable(e *feature.Env, j jid.JID, done func(err error)) {
	e.Update(func(tx *store.Tx) error { return e.Users.SetDisabled(tx, j, true) }, func(err error) {
		if err == nil {
			kick(e, j, "the account has been disabled")
		}
		done(err)
	})
}

func (f *feat) enable(e *feature.Env, j jid.JID, done func(err error)) {
	e.Update(func(tx *store.Tx) error { return e.Users.SetDisabled(tx, j, false) }, done)
}

// endSessions ends all sessions of bare JIDs, and single ones (§4.5).
func (f *feat) endSessions(r *command.Run) {
	ask(r, "End sessions of users", func(r *command.Run) {
		list, ok := addresses(r)
		if !ok {
			return
		}
		for _, j := range list {
			f.on(j, r, func(e *feature.Env) { kick(e, j, "an administrator has ended the session") })
			r.Log.Info("sessions ended", "jid", j.String(), "by", r.Who.BareString())
		}
		r.Done("")
	}, accountJIDs)
}

// kick ends the sessions of j, a bare or a full JID, on its loop.
func kick(e *feature.Env, j jid.JID, text string) {
	a := e.Accounts.Get(j.BareString())
	if a == nil {
		return
	}
	for _, s := range slices.Clone(a.Sessions) {
		if j.IsBare() || s.JID == j {
			e.Router.Unbind(s)
			s.Sink.Kick("not-authorized", text)
		}
	}
}
