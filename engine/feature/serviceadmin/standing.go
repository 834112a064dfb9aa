package serviceadmin

import (
	"strconv"
	"strings"

	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	motdSent = metric.NewCounter("meerkat_motd_sent_total",
		"Sessions that were given the message of the day when they came.")
	welcomeSent = metric.NewCounter("meerkat_welcome_sent_total",
		"Accounts that were given the welcome message when they came the first time.")
)

// standing is a text that stays until it is deleted, for those who come.
type standing struct {
	doc   store.Doc // the text, of the whole server, under the name of nobody
	field form.Def
	now   []string // by loop, as that knows it; "" is none
}

const nobody = "."

// maxStanding is how long such a text may be, in bytes: many sessions get it.
const maxStanding = 8 << 10

var (
	motds    = store.NewDoc("motd")
	welcomes = store.NewDoc("welcome")
	// welcomed has the accounts that have been given the welcome message.
	welcomed = store.NewDoc("welcomed")
)

func newStanding(doc store.Doc, name, label string, loops int) standing {
	return standing{doc, form.Def{Var: name, Type: form.TextMulti, Label: label, Required: true}, make([]string, loops)}
}

// read takes what is stored, so that all loops end with the same when several
// administrators set one at a time.
func (t *standing) read(e *feature.Env) {
	e.View(func(tx *store.Tx) { t.now[e.Shard()] = string(t.doc.Get(tx, nobody)) })
}

// set is a command that takes another text, and tells who is online at once
// (XEP-0133 §4.24).
func (f *feat) set(t *standing, title string) command.Step {
	return func(r *command.Run) {
		ask(r, title, func(r *command.Run) { f.take(r, t, true) }, t.field)
	}
}

// edit is a command that shows the text there is, and takes another for those who
// come from now on (§4.25, §4.27).
func (f *feat) edit(t *standing, title string) command.Step {
	return func(r *command.Run) {
		var lines []string
		if text := t.now[r.Shard()]; text != "" {
			lines = strings.Split(text, "\n")
		}
		r.Ask(command.Page{
			Next: func(r *command.Run) { f.take(r, t, false) },
			Form: func(b *xml.Builder) { form.Start(b, form.Ask, space).Title(title).Field(t.field, lines...).End() },
		})
	}
}

func (f *feat) take(r *command.Run, t *standing, tell bool) {
	switch text := said(r, t.field.Var); {
	case text == "":
		r.Refuse("there is nothing to tell")
	case len(text) > maxStanding:
		r.Refuse("that is longer than " + strconv.Itoa(maxStanding) + " bytes")
	default:
		f.keep(r, t, text, tell)
	}
}

// drop is a command that deletes the text, whether there is one or not (§4.26, §4.28).
func (f *feat) drop(t *standing) command.Step {
	return func(r *command.Run) { f.keep(r, t, "", false) }
}

// keep stores the text, "" for none, and lets all loops know.
func (f *feat) keep(r *command.Run, t *standing, text string, tell bool) {
	r.Update(func(tx *store.Tx) error {
		if text == "" {
			return t.doc.Delete(tx, nobody)
		}
		return t.doc.Put(tx, nobody, []byte(text))
	}, func(err error) {
		if err != nil {
			r.Error(err)
			return
		}
		f.onAll(func(e *feature.Env) {
			t.read(e)
			if tell {
				tellHere(e, text)
			}
		})
		r.Log.Info("what is told to who comes has changed", "command", r.Node(), "by", r.Who.BareString())
		r.Done("")
	})
}

// arrived is the stage behind the broadcast that tells a session what there is to
// tell, the first time that it is available.
func (f *feat) arrived(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
	if c.Session.Has(f.told) || !c.Session.Available() {
		return feature.Continue
	}
	c.Session.Set(f.told)
	if text := f.welcome.now[c.Shard()]; text != "" {
		f.greet(c, text)
	}
	if text := f.motd.now[c.Shard()]; text != "" {
		headline(c.Env, c.Session, text)
		motdSent.Add(c.Shard(), 1)
	}
	return feature.Continue
}

// greet welcomes an account that has never been here before: nobody has seen it
// leave. It is noted first, so that this is done once.
func (f *feat) greet(c *feature.Ctx, text string) {
	env, s, who := c.Env, c.Session, c.Owner.Clone()
	if !f.isNew(c) {
		return
	}
	first := false
	env.Update(func(tx *store.Tx) error {
		first = env.Users.Exists(tx, who) && welcomed.Get(tx, who.String()) == nil
		if !first {
			return nil
		}
		return welcomed.Put(tx, who.String(), []byte{1})
	}, func(err error) {
		if err != nil {
			env.Log.Error("a new account is not welcomed", "account", who.String(), "err", err)
		} else if first {
			headline(env, s, text)
			welcomeSent.Add(env.Shard(), 1)
		}
	})
}

func (f *feat) isNew(c *feature.Ctx) (is bool) {
	for _, o := range c.Account.Sessions {
		if o != c.Session && o.Has(f.told) {
			return false
		}
	}
	c.View(func(tx *store.Tx) {
		owner := c.Owner.String()
		is = f.LastSeen(tx, owner) == 0 && welcomed.Get(tx, owner) == nil
	})
	return is
}

// thaw notes that a session from before a restart has come already.
func (f *feat) thaw(c *feature.Ctx, _ []byte) {
	if c.Session.Available() {
		c.Session.Set(f.told)
	}
}
