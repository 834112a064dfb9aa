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

var motdSent = metric.NewCounter("meerkat_motd_sent_total",
	"Sessions that were given the message of the day when they came.")

// motds has the message of the day, of the whole server, under the name of nobody.
var motds = store.NewDoc("motd")

const nobody = "."

// maxMotd is how long a message of the day may be, in bytes: every session gets it.
const maxMotd = 8 << 10

var motdField = form.Def{Var: "motd", Type: form.TextMulti, Label: "The message of the day", Required: true}

// setMotd takes a message of the day, which who is online gets at once, and others
// when they come (XEP-0133 §4.24).
func (f *feat) setMotd(r *command.Run) {
	ask(r, "Set the message of the day", func(r *command.Run) { f.takeMotd(r, true) }, motdField)
}

// editMotd puts the same in other words (§4.25): who has it is not told again.
func (f *feat) editMotd(r *command.Run) {
	var lines []string
	if text := f.motd[r.Shard()]; text != "" {
		lines = strings.Split(text, "\n")
	}
	r.Ask(command.Page{
		Next: func(r *command.Run) { f.takeMotd(r, false) },
		Form: func(b *xml.Builder) {
			form.Start(b, form.Ask, space).Title("Edit the message of the day").Field(motdField, lines...).End()
		},
	})
}

func (f *feat) takeMotd(r *command.Run, tell bool) {
	switch text := said(r, motdField.Var); {
	case text == "":
		r.Refuse("there is nothing to tell")
	case len(text) > maxMotd:
		r.Refuse("a message of the day has " + strconv.Itoa(maxMotd) + " bytes at most")
	default:
		f.keepMotd(r, text, tell)
	}
}

// deleteMotd ends it (§4.26), whether there is one or not.
func (f *feat) deleteMotd(r *command.Run) { f.keepMotd(r, "", false) }

// keepMotd stores the message of the day, "" for none, and lets all loops know.
func (f *feat) keepMotd(r *command.Run, text string, tell bool) {
	r.Update(func(tx *store.Tx) error {
		if text == "" {
			return motds.Delete(tx, nobody)
		}
		return motds.Put(tx, nobody, []byte(text))
	}, func(err error) {
		if err != nil {
			r.Error(err)
			return
		}
		f.onAll(func(e *feature.Env) {
			f.readMotd(e)
			if tell {
				tellHere(e, text)
			}
		})
		r.Log.Info("message of the day changed", "command", r.Node(), "by", r.Who.BareString())
		r.Done("")
	})
}

// readMotd takes what is stored, so that all loops end with the same when several
// administrators set one at a time.
func (f *feat) readMotd(e *feature.Env) {
	e.View(func(tx *store.Tx) { f.motd[e.Shard()] = string(motds.Get(tx, nobody)) })
}

// arrived is the stage behind the broadcast that gives a session the message of the
// day, the first time that it is available.
func (f *feat) arrived(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
	if c.Session.Has(f.told) || !c.Session.Available() {
		return feature.Continue
	}
	c.Session.Set(f.told)
	if text := f.motd[c.Shard()]; text != "" {
		headline(c.Env, c.Session, text)
		motdSent.Add(c.Shard(), 1)
	}
	return feature.Continue
}

// thaw notes that a session from before a restart has come already.
func (f *feat) thaw(c *feature.Ctx, _ []byte) {
	if c.Session.Available() {
		c.Session.Set(f.told)
	}
}
