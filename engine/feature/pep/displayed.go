package pep

import (
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Namespaces of XEP-0490: of the node and what is in it, and of the server's part.
const (
	displayedSpace  = "urn:xmpp:mds:displayed:0"
	displayedAssist = "urn:xmpp:mds:server-assist:0"
)

var assisted = metric.NewCounter("meerkat_pep_displayed_total",
	"Items about what has been read that were published because of messages (XEP-0490).")

// displayedConfig is how the node is made where it is not there: for the owner alone,
// with an item for each chat (XEP-0490 §7).
func displayedConfig(usual pubsub.Config) pubsub.Config {
	usual.Access, usual.MaxItems, usual.Last = pubsub.Whitelist, pubsub.Max, pubsub.Never
	return usual
}

// displayed publishes what a message says of how far its sender has read the chat, and
// leaves that out of the message: it is nobody else's business (XEP-0490 §4.5.3, §5.2).
func (f *Feature) displayed(c *feature.Ctx, s *stanza.Stanza) {
	e := s.Elem.Child("displayed", displayedSpace)
	if !e.OK() {
		return
	}
	also := s.Strip
	s.Strip = func(child xml.Elem) bool { return child.Is("displayed", displayedSpace) || also != nil && also(child) }
	if s.Type == stanza.Error {
		return
	}
	owner := c.Owner.String()
	it := pubsub.Item{ID: s.To.Clone().String(), Time: c.Now(), Payload: e.AppendTo(nil, pubsub.Space)}
	f.publishDisplayed(c, owner, it)
}

// publishDisplayed stores the item. Nothing more is read from the session until then,
// and what acknowledges the message waits for it.
func (f *Feature) publishDisplayed(c *feature.Ctx, owner string, it pubsub.Item) {
	env, session, lim := c.Env, c.Session, f.host.Limits(c.Config)
	cfg := displayedConfig(f.host.Default)
	session.Hold()
	session.Unsettled |= 1 << (env.Shard() & 63)
	var ev *pubsub.Event
	env.Update(func(tx *store.Tx) (err error) {
		ev, err = f.host.Publish(tx, lim, owner, displayedSpace, it, &cfg)
		return err
	}, func(err error) {
		session.Release()
		switch {
		case err == nil:
			assisted.Add(env.Shard(), 1)
			ev.Send(env)
		case feature.Condition(err) == stanza.InternalServerError:
			env.Log.Error("what has been read could not be stored", "account", owner, "err", err)
		default:
			env.Log.Debug("what has been read is too much", "account", owner, "err", err)
		}
	})
}
