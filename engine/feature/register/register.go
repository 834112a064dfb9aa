// Package register lets people make, change and remove their account in band
// (XEP-0077 2.4), strangers also by invitation (XEP-0445 0.2.0).
package register

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/invite"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space         = "jabber:iq:register"
	streamFeature = "http://jabber.org/features/iq-register"
	tokenFeature  = "urn:xmpp:ibr-token:0"
)

var (
	made    = metric.NewCounter("meerkat_register_accounts_total", "Accounts made by clients.")
	removed = metric.NewCounter("meerkat_register_removed_total", "Accounts removed by their owners.")
	changed = metric.NewCounter("meerkat_register_passwords_total", "Passwords changed by their owners.")
	limited = metric.NewCounter("meerkat_register_limited_total",
		"Registrations refused because of limits.registrations_per_address.")
)

// feat counts registrations by address the way failed logins are counted. All
// loops share it: registrations are rare.
type feat struct {
	throttle *auth.Throttle
	mu       sync.Mutex
	busy     map[netip.Addr]bool // addresses that an account is being made for
}

// New returns the feature and what it answers before login. Whether strangers
// may register is an option that a reload can change.
func New(limits *config.Limits) (feature.Feature, []feature.PreAuth) {
	f := &feat{throttle: auth.NewThrottle(throttle(limits)), busy: make(map[netip.Addr]bool)}
	return feature.Feature{
		Name:  "register",
		Spec:  "XEP-0077, XEP-0445",
		Disco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Server|feature.Own, space, "query", f.show),
			feature.SetIQ(feature.Server|feature.Own, space, "query", f.set),
		},
		Stream: []feature.StreamFeature{{Append: offer}},
	}, []feature.PreAuth{{Space: space, Handle: f.stranger}, {Space: invite.Space, Handle: invited}}
}

func throttle(l *config.Limits) auth.ThrottleOptions {
	return auth.ThrottleOptions{Failures: l.RegistrationsPerAddress, Block: time.Duration(l.RegistrationInterval)}
}

// offer announces registration: with an invitation (XEP-0445 §3), and to strangers if
// they may. Some clients register as soon as they see the latter.
func offer(c *feature.Ctx, b *xml.Builder, _ string) {
	if welcome(c.Env) {
		b.Start("register", tokenFeature).End()
	}
	if c.Config.Register.Enabled {
		b.Start("register", streamFeature).End()
	}
}

// stranger is somebody who has not logged in (XEP-0077 §3.1).
func (f *feat) stranger(c *feature.PreAuthCtx, q *stanza.Stanza) {
	pl := q.Payload()
	switch {
	case !c.Config.Register.Enabled && guestOf(c) == nil || string(pl.Local()) != "query":
		c.Fail(q, stanza.ServiceUnavailable, "")
	case q.Type == stanza.Get:
		c.Result(q, func(b *xml.Builder) { form(b, guestOf(c)) })
	case pl.Child("remove", space).OK():
		c.Fail(q, stanza.UnexpectedRequest, "")
	default:
		f.create(c, q)
	}
}

func form(b *xml.Builder, g *guest) {
	b.Start("query", space)
	b.Start("instructions", "").Text("Choose a name and a password.").End()
	b.Start("username", "").Text(g.name()).End().Start("password", "").End()
	b.End()
}

func (f *feat) create(c *feature.PreAuthCtx, q *stanza.Stanza) {
	name, password := credentials(q)
	user, err := jid.New(name, c.Host, "")
	if name == "" || password == "" || err != nil {
		c.Fail(q, stanza.NotAcceptable, "a name and a password are needed")
		return
	}
	g := guestOf(c)
	if g == nil && !f.begin(c) {
		limited.Add(c.Shard(), 1)
		c.Fail(q, stanza.ResourceConstraint, "too many accounts were made from your address; try again later")
		return
	}
	req := c.Later(q)
	refuse := func(cond stanza.Condition, text string) {
		f.end(c, g)
		req.Fail(cond, text)
	}
	derive(c.Env, password, func(creds auth.Credentials, err error) {
		if err != nil {
			refuse(stanza.NotAcceptable, err.Error())
			return
		}
		now, limit := c.Now(), c.Config.Limits.RosterItems
		c.Update(func(tx *store.Tx) error {
			if err := c.Users.Create(tx, user, &creds); err != nil {
				return err
			}
			return g.enter(tx, user, now, limit)
		}, func(err error) {
			f.created(c, req, user, g, err)
			f.end(c, g)
		})
	}, func() { refuse(stanza.ResourceConstraint, "") })
}

// begin reports whether c's address may make an account now: one at a time, or
// many at once would all find the limit not reached.
func (f *feat) begin(c *feature.PreAuthCtx) bool {
	limits := &c.Config.Limits
	f.throttle.SetOptions(throttle(limits))
	if limits.RegistrationsPerAddress <= 0 {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	addr := network(c.Remote)
	if f.busy[addr] || f.throttle.Blocked(c.Remote, c.Now()) {
		return false
	}
	f.busy[addr] = true
	return true
}

// end is the end of what begin allowed, to who needs leave.
func (f *feat) end(c *feature.PreAuthCtx, g *guest) {
	if g != nil {
		return
	}
	f.mu.Lock()
	delete(f.busy, network(c.Remote))
	f.mu.Unlock()
}

// network is what counts as one address: for IPv6 its /64.
func network(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a
	}
	p, _ := a.Prefix(64) // fails only for other bit counts
	return p.Addr()
}

func (f *feat) created(c *feature.PreAuthCtx, req *feature.PreAuthRequest, user jid.JID, g *guest, err error) {
	var cond stanza.Condition
	switch {
	case errors.Is(err, auth.ErrExists), errors.Is(err, invite.ErrReserved):
		req.Fail(stanza.Conflict, "")
	case errors.As(err, &cond):
		req.Fail(cond, "")
	case err != nil:
		c.Log.Error("an account could not be stored", "account", user.String(), "err", err)
		req.Fail(feature.Condition(err), "")
	default:
		if g == nil {
			f.throttle.Failed(c.Remote, c.Now())
		}
		made.Add(c.Shard(), 1)
		c.Log.Debug("account registered", "account", user.String(), "address", c.Remote.String(), "invited", g != nil)
		req.Result(nil)
		g.meet(c, user)
	}
}

// derive makes credentials off the loop; busy is called if nobody has time.
func derive(e *feature.Env, password string, done func(auth.Credentials, error), busy func()) {
	var creds auth.Credentials
	var err error
	iterations := e.Config.Limits.ScramIterations
	if !e.Loop.Work(func() { creds, err = auth.Derive(password, iterations) }, func() { done(creds, err) }) {
		busy()
	}
}

func credentials(q *stanza.Stanza) (name, password string) {
	pl := q.Payload()
	return string(pl.Child("username", space).Text()), string(pl.Child("password", space).Text())
}

// show tells somebody who has logged in as whom (XEP-0077 §3.1, example 2).
func (f *feat) show(c *feature.Ctx, q *stanza.Stanza) {
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", space).Start("registered", "").End()
		b.Start("username", "").Text(c.Owner.Local()).End().Start("password", "").End()
		b.End()
	})
}

// set removes the account (XEP-0077 §3.2) or changes its password (§3.3).
func (f *feat) set(c *feature.Ctx, q *stanza.Stanza) {
	pl := q.Payload()
	if rm := pl.Child("remove", space); rm.OK() {
		if pl.First().Next().OK() {
			c.Fail(q, stanza.BadRequest, "")
			return
		}
		f.remove(c, q)
		return
	}
	name, password := credentials(q)
	user, err := jid.New(name, c.Owner.Domain(), "")
	switch {
	case name == "" || password == "":
		c.Fail(q, stanza.BadRequest, "")
	case err != nil || user != c.Owner:
		c.Fail(q, stanza.NotAllowed, "only the own password can be changed")
	default:
		change(c, q, password)
	}
}

func (f *feat) remove(c *feature.Ctx, q *stanza.Stanza) {
	env, owner, req := c.Env, c.Owner, c.Later(q)
	env.Router.Remove(owner, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		removed.Add(env.Shard(), 1)
		env.Log.Debug("account removed by its owner", "account", owner.String())
		req.Result(nil)
	})
}

func change(c *feature.Ctx, q *stanza.Stanza, password string) {
	env, owner, req := c.Env, c.Owner, c.Later(q)
	derive(env, password, func(creds auth.Credentials, err error) {
		if err != nil {
			req.Fail(stanza.NotAcceptable, err.Error())
			return
		}
		env.Update(func(tx *store.Tx) error { return env.Users.Replace(tx, owner, &creds) }, func(err error) {
			if err != nil {
				req.Error(err)
				return
			}
			changed.Add(env.Shard(), 1)
			req.Result(nil)
		})
	}, func() { req.Fail(stanza.ResourceConstraint, "") })
}
