package muc

import (
	"slices"
	"strconv"
	"strings"

	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/xml"
)

// commands are what accounts of admin.accounts may do at the service (XEP-0050).
func (op *Operator) commands() (list []command.Command) {
	for _, c := range []struct {
		node, name string
		start      command.Step
	}{
		{"rooms#list", "List rooms", op.askList},
		{"rooms#show", "Show a room", op.askShow},
		{"rooms#destroy", "Destroy a room", op.askDestroy},
		{"rooms#affiliation", "Give a user an affiliation", op.askAffiliation},
	} {
		list = append(list, command.Command{Node: c.node, Name: c.name, Allowed: isOperator, Start: c.start})
	}
	return list
}

func isOperator(c *feature.Ctx, who jid.JID) bool {
	return slices.Contains(c.Config.Admin.Accounts, who.BareString())
}

var (
	roomField   = form.Def{Var: "room", Type: form.JIDSingle, Label: "Address of the room"}
	reasonField = form.Def{Var: "reason", Type: form.TextSingle, Label: "Reason"}
	venueField  = form.Def{Var: "venue", Type: form.JIDSingle, Label: "Another room to go to"}
	userField   = form.Def{Var: "user", Type: form.JIDSingle, Label: "Address of the user"}
	prefixField = form.Def{Var: "prefix", Type: form.TextSingle, Label: "Beginning of their addresses"}
	givesField  = form.Def{Var: "affiliation", Type: form.ListSingle, Label: "Affiliation", Options: []form.Option{
		{Label: "Owner", Value: "owner"}, {Label: "Admin", Value: "admin"}, {Label: "Member", Value: "member"},
		{Label: "None", Value: "none"}, {Label: "Outcast", Value: "outcast"}}}
)

// ask shows a page with these fields, and begins what they say: it gets their
// values in order, and calls done on any loop. Then then ends the command.
func ask(r *command.Run, title string, begin func(v []string, done func(error)), then func(r *command.Run), fields ...form.Def) {
	r.Ask(command.Page{
		Form: func(b *xml.Builder) {
			w := form.Start(b, form.Ask, "").Title(title)
			for _, d := range fields {
				w.Field(d)
			}
			w.End()
		},
		Next: func(r *command.Run) {
			var values []string
			for _, d := range fields {
				v, _ := r.Form.Value(d.Var)
				values = append(values, strings.Clone(v))
			}
			begin(values, func(err error) {
				r.Loop.Post(func() { r.Router.Run(func() { end(r, values, err, then) }) })
			})
		},
	})
}

func end(r *command.Run, values []string, err error, then func(r *command.Run)) {
	if err != nil {
		r.Fail(conditionOf(err), err.Error())
		return
	}
	if then == nil { // something has changed
		r.Log.Info("a room was changed", "command", r.Node(), "values", values, "by", r.Who.BareString())
		r.Done("")
		return
	}
	then(r)
}

func (op *Operator) askList(r *command.Run) {
	l := &census{op: op, most: maxListed}
	ask(r, "List rooms", func(v []string, done func(error)) {
		l.prefix = v[0]
		l.begin(done)
	}, func(r *command.Run) {
		r.Show(func(b *xml.Builder) {
			w := form.Start(b, form.Result, "").Title("Rooms and their occupants")
			for _, i := range l.page() {
				w.Field(form.Def{Var: i.JID, Type: form.TextSingle, Label: i.Name}, strconv.Itoa(i.Occupants))
			}
			w.End()
		})
	}, prefixField)
}

// maxListed bounds the rooms that a command lists; the beginning of their
// addresses tells more apart.
const maxListed = 200

func (op *Operator) askShow(r *command.Run) {
	var i Info
	ask(r, "Show a room", func(v []string, done func(error)) { op.show(v[0], &i, done) },
		func(r *command.Run) { r.Show(i.build) }, roomField)
}

func (i *Info) build(b *xml.Builder) {
	w := form.Start(b, form.Result, "").Title(i.JID).
		Field(form.Def{Var: "name", Type: form.TextSingle, Label: "Name"}, i.Name).
		Field(form.Def{Var: "description", Type: form.TextSingle, Label: "Description"}, i.Description).
		Field(form.Def{Var: "subject", Type: form.TextSingle, Label: "Subject"}, i.Subject).
		Field(form.Def{Var: "occupants", Type: form.TextSingle, Label: "Occupants"}, strconv.Itoa(i.Occupants)).
		Field(form.Def{Var: "persistent", Type: form.Boolean, Label: "Stays when it is empty"}, form.Bool(i.Persistent)).
		Field(form.Def{Var: "public", Type: form.Boolean, Label: "Is listed"}, form.Bool(i.Public)).
		Field(form.Def{Var: "members_only", Type: form.Boolean, Label: "For members only"}, form.Bool(i.MembersOnly)).
		Field(form.Def{Var: "moderated", Type: form.Boolean, Label: "Moderated"}, form.Bool(i.Moderated)).
		Field(form.Def{Var: "protected", Type: form.Boolean, Label: "Has a password"}, form.Bool(i.Protected))
	for _, a := range []affiliation{owner, admin, member, outcast} {
		w.Field(form.Def{Var: a.String(), Type: form.JIDMulti, Label: a.String()}, i.with(a)...)
	}
	w.End()
}

// with returns the users of an affiliation, sorted.
func (i *Info) with(a affiliation) (list []string) {
	for bare, is := range i.Affiliations {
		if is == a.String() {
			list = append(list, bare)
		}
	}
	slices.Sort(list)
	return list
}

func (op *Operator) askDestroy(r *command.Run) {
	ask(r, "Destroy a room", func(v []string, done func(error)) {
		op.destroy(v[0], destruction{reason: v[1], venue: v[2]}, done)
	}, nil, roomField, reasonField, venueField)
}

func (op *Operator) askAffiliation(r *command.Run) {
	ask(r, "Give a user an affiliation", func(v []string, done func(error)) {
		op.affiliate(v[0], v[1], v[2], done)
	}, nil, roomField, userField, givesField)
}
