// Package command runs ad-hoc commands (XEP-0050 1.3.0) for whoever has some: the
// server itself, a service, a room.
//
// Who has commands declares them and makes a Host of them, once for all loops:
//
//	host := command.NewHost(loops, command.Command{
//		Node: "http://example.org/greet", Name: "Greet", Start: greet,
//	})
//
// and gives it the requests that are for it, on the loop where they arrive:
//
//	case s.Type == stanza.Set && pl.Is("command", command.Space):
//		host.Execute(c, s)
//	case pl.Is("query", itemsSpace), pl.Is("query", infoSpace):
//		if host.Disco(c, s) { // a node of ours: it is answered
//			return
//		}
//
// command.Space belongs among the features that disco#info names. The server's own
// commands are a list in engine/features.go, handed to engine/feature/commands.
//
// A command is a function that gets a Run, and ends with one of its methods, at
// once or, after what takes time, later on the same loop:
//
//	func greet(r *command.Run) {
//		r.Ask(command.Page{
//			Form: func(b *xml.Builder) {
//				form.Start(b, form.Ask, "").Title("Whom?").Field(form.Def{Var: "name", Type: form.TextSingle}).End()
//			},
//			Next: func(r *command.Run) {
//				name, ok := r.Form.Value("name")
//				if !ok {
//					r.Refuse("a name is needed") // the page can be sent again
//					return
//				}
//				r.Done("Hello " + name)
//			},
//		})
//	}
//
// Run.Form borrows from the request, as all views do: what a step needs later it
// reads before it returns. Who may run a command is asked at every step.
package command

import (
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Space is the namespace of commands, and the disco node that lists them.
const Space = "http://jabber.org/protocol/commands"

// Command is something to do.
type Command struct {
	Node string // names it, among those of its Host
	Name string // for people
	// Allowed reports whether who, a full JID, may run the command, and sees it.
	// nil: everybody may whose requests reach the Host.
	Allowed func(c *feature.Ctx, who jid.JID) bool
	Start   Step
}

func (cmd *Command) allows(c *feature.Ctx, who jid.JID) bool {
	return cmd.Allowed == nil || cmd.Allowed(c, who)
}

// Step is one function of a command: its beginning, or what follows on a page.
type Step func(r *Run)

// Page is a form to be filled in.
type Page struct {
	Form func(b *xml.Builder) // builds the form
	Next Step                 // gets it filled in
	More bool                 // another page follows
}

// Run is one step being run. It ends with Ask, Done, Show, Refuse or Fail.
type Run struct {
	*feature.Env
	Who  jid.JID   // full JID of who runs the command
	Host jid.JID   // that the request is to, zero if to nobody in particular
	Form form.Form // what was filled in; until the step returns

	session *session
	request *feature.Request
	node    string
}

// Node is the command's.
func (r *Run) Node() string { return r.node }

// Ask shows a page. The command goes on when it comes back.
func (r *Run) Ask(p Page) {
	r.session.pages = append(r.session.pages, p)
	r.show()
}

// Done ends the command with a line for people, "" is none.
func (r *Run) Done(text string) { r.end(text, nil) }

// Show ends the command with a form of results.
func (r *Run) Show(build func(b *xml.Builder)) { r.end("", build) }

// Fail ends the command with an error.
func (r *Run) Fail(cond stanza.Condition, text string) {
	r.session.drop()
	r.request.Fail(cond, text)
}

// Error ends the command with what err means for a client; see
// feature.Request.Error.
func (r *Run) Error(err error) {
	r.session.drop()
	r.request.Error(err)
}

// Refuse says what is wrong with the form. The command stays at its page.
func (r *Run) Refuse(text string) {
	r.session.busy = false
	r.session.touch()
	r.request.FailWith(stanza.BadRequest, text, specific("bad-payload"))
}

// show answers with the last page.
func (r *Run) show() {
	s := r.session
	s.busy = false
	s.touch()
	p := &s.pages[len(s.pages)-1]
	r.answer("executing", func(b *xml.Builder) {
		forward := s.forward()
		b.Start("actions", "").Attr("execute", forward)
		if len(s.pages) > 1 {
			b.Start("prev", "").End()
		}
		b.Start(forward, "").End().End()
		p.Form(b)
	})
}

func (r *Run) end(text string, build func(b *xml.Builder)) {
	r.answer("completed", func(b *xml.Builder) {
		if build != nil {
			build(b)
		}
		if text != "" {
			b.Start("note", "").Attr("type", "info").Text(text).End()
		}
	})
	r.session.drop()
}

func (r *Run) answer(status string, build func(b *xml.Builder)) {
	id := r.session.id
	r.request.Result(func(b *xml.Builder) {
		b.Start("command", Space).Attr("node", r.node).Attr("sessionid", id).Attr("status", status)
		if build != nil {
			build(b)
		}
		b.End()
	})
}

// specific builds a condition of XEP-0050 §3.6.
func specific(name string) func(b *xml.Builder) {
	return func(b *xml.Builder) { b.Start(name, Space).End() }
}
