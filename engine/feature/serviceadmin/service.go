package serviceadmin

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

var announcement = form.Def{Var: "announcement", Type: form.TextMulti, Label: "What to tell"}

// announce tells everybody who is online (XEP-0133 §4.23).
func (f *feat) announce(r *command.Run) {
	required := announcement
	required.Required = true
	ask(r, "Tell all users online", func(r *command.Run) {
		text := said(r, announcement.Var)
		if text == "" {
			r.Refuse("there is nothing to tell")
			return
		}
		f.tellAll(text)
		r.Log.Info("announced to all who are online", "by", r.Who.BareString())
		r.Done("")
	}, required)
}

// said is what a field of a form says, its lines in one text.
func said(r *command.Run, field string) string {
	return strings.TrimSpace(strings.Join(slices.Collect(r.Form.Field(field).Values()), "\n"))
}

// tellAll sends a headline to every available session.
func (f *feat) tellAll(text string) {
	f.onAll(func(e *feature.Env) { tellHere(e, text) })
}

// tellHere tells the sessions of a loop that are available now.
func tellHere(e *feature.Env, text string) {
	var all []*account.Session
	e.Accounts.Each(func(a *account.Account) {
		for _, s := range a.Sessions {
			if s.Available() {
				all = append(all, s)
			}
		}
	})
	tellSome(e, all, text)
}

// perTurn is how many sessions are told in one turn of a loop.
const perTurn = 500

func tellSome(e *feature.Env, list []*account.Session, text string) {
	n := min(perTurn, len(list))
	for _, s := range list[:n] {
		if s.Available() { // still
			headline(e, s, text)
		}
	}
	if n < len(list) {
		post(e, func() { tellSome(e, list[n:], text) })
	}
}

// headline sends s a message from its server.
func headline(e *feature.Env, s *account.Session, text string) {
	var b xml.Builder
	b.Reset(e.Scratch(), stanza.Client).Start("message", "").Attr("type", "headline").
		Attr("from", s.JID.Domain()).Attr("to", s.JID.String())
	out := b.Start("body", "").Text(text).End().End().Bytes()
	s.Sink.Write(out)
	e.Keep(out)
}

// ending is the end of the process that somebody has ordered.
type ending struct {
	mu    sync.Mutex
	until time.Time // another one is not taken before
}

// quit is a command that ends the process after a while (§4.31, §4.32).
func (f *feat) quit(restart bool) command.Step {
	title := map[bool]string{false: "Shut the server down", true: "Restart the server"}[restart]
	delay := form.Def{Var: "delay", Type: form.ListSingle, Label: "Seconds until then", Required: true}
	for _, s := range []string{"0", "30", "60", "90", "120", "180", "240", "300"} {
		delay.Options = append(delay.Options, form.Option{Value: s})
	}
	return func(r *command.Run) {
		ask(r, title, func(r *command.Run) {
			v, _ := r.Form.Value("delay")
			n, err := strconv.ParseUint(v, 10, 16)
			if err != nil {
				r.Refuse("delay is a number of seconds")
				return
			}
			f.quitAfter(r, restart, time.Duration(n)*time.Second)
		}, delay, announcement)
	}
}

func (f *feat) quitAfter(r *command.Run, restart bool, after time.Duration) {
	if !f.end.begin(r.Now(), after) {
		r.Fail(stanza.Conflict, "the server is about to end already")
		return
	}
	if text := said(r, announcement.Var); text != "" {
		f.tellAll(text)
	}
	r.Log.Warn("the server is about to end", "restart", restart, "after", after, "by", r.Who.BareString())
	r.Done("")
	if after == 0 {
		after = loop.Tick // the answer goes out first
	}
	r.Loop.Set(&loop.Timer{Owner: loop.Func(func() { f.Quit(restart) })}, after)
}

// begin reports whether nobody else has ordered an end.
func (e *ending) begin(now time.Time, after time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Before(e.until) {
		return false
	}
	e.until = now.Add(after)
	return true
}
