package pubsub

import (
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Error is why a request fails: a condition of RFC 6120 and, unless Name is "",
// one of XEP-0060's own. Feature is what "unsupported" names. Hit counts it when a
// client hears of it, if it is not nil.
type Error struct {
	Condition stanza.Condition
	Name      string
	Feature   string
	Hit       *metric.Counter
}

// Error names the conditions.
func (e *Error) Error() string { return "pubsub: " + e.Condition.String() + " " + e.Name }

// Unwrap lets feature.Condition see the condition.
func (e *Error) Unwrap() error { return e.Condition }

// The failures of XEP-0060, by section.
var (
	errMalformed      = &Error{Condition: stanza.BadRequest}
	errNoNode         = &Error{Condition: stanza.ItemNotFound}                                          // everywhere
	errNoItem         = &Error{Condition: stanza.ItemNotFound}                                          // §6.5.9, §7.2.3
	errForbidden      = &Error{Condition: stanza.Forbidden}                                             // everywhere
	errNodeRequired   = &Error{Condition: stanza.BadRequest, Name: "nodeid-required"}                   // §7.2.3.3, §8.2.3.3
	errInvalidJID     = &Error{Condition: stanza.BadRequest, Name: "invalid-jid"}                       // §6.1.3.1
	errPresence       = &Error{Condition: stanza.NotAuthorized, Name: "presence-subscription-required"} // §6.1.3.2, §6.5.9.6
	errRosterGroup    = &Error{Condition: stanza.NotAuthorized, Name: "not-in-roster-group"}            // §6.1.3.3, §6.5.9.7
	errClosed         = &Error{Condition: stanza.NotAllowed, Name: "closed-node"}                       // §6.1.3.4, §6.5.9.8
	errPending        = &Error{Condition: stanza.NotAuthorized, Name: "pending-subscription"}           // §6.1.3.7
	errTooMany        = &Error{Condition: stanza.PolicyViolation, Name: "too-many-subscriptions"}       // §6.1.3.9
	errNotSubscribed  = &Error{Condition: stanza.UnexpectedRequest, Name: "not-subscribed"}             // §6.2.3.2
	errSubscribersGet = &Error{Condition: stanza.NotAuthorized, Name: "not-subscribed"}                 // §6.5.9.3
	errBadSubID       = &Error{Condition: stanza.NotAcceptable, Name: "invalid-subid"}                  // §6.2.3.5
	errPayloadTooBig  = &Error{Condition: stanza.NotAcceptable, Name: "payload-too-big"}                // §7.1.3.4
	errInvalidPayload = &Error{Condition: stanza.BadRequest, Name: "invalid-payload"}                   // §7.1.3.5
	errItemRequired   = &Error{Condition: stanza.BadRequest, Name: "item-required"}                     // §7.1.3.6, §7.2.3.4
	errPayloadMissing = &Error{Condition: stanza.BadRequest, Name: "payload-required"}                  // §7.1.3.6
	errItemForbidden  = &Error{Condition: stanza.BadRequest, Name: "item-forbidden"}                    // §7.1.3.6
	errPrecondition   = &Error{Condition: stanza.Conflict, Name: "precondition-not-met"}                // §7.1.5
	errTooManyItems   = &Error{Condition: stanza.NotAllowed, Name: "max-items-exceeded"}                // "Batch Processing"
	errExists         = &Error{Condition: stanza.Conflict}                                              // §8.1.2
	errAccessModel    = &Error{Condition: stanza.NotAcceptable, Name: "unsupported-access-model"}       // §8.1.3
	errConfig         = &Error{Condition: stanza.NotAcceptable}                                         // §8.2.5, §8.8.2.3, §8.9.2.4
	errFull           = &Error{Condition: stanza.ResourceConstraint}                                    // a quota
	errAnswerTooBig   = &Error{Condition: stanza.NotAcceptable}                                         // more was asked for than one answer has
)

// unsupported says that a feature is not there, in general or for this node.
func unsupported(name string) *Error {
	return &Error{Condition: stanza.FeatureNotImplemented, Name: "unsupported", Feature: name}
}

// specific builds the condition of XEP-0060's own, nil if there is none.
func (e *Error) specific() func(b *xml.Builder) {
	if e.Name == "" {
		return nil
	}
	return func(b *xml.Builder) {
		b.Start(e.Name, errorSpace).OptAttr("feature", e.Feature).End()
	}
}

// refuse answers q with err.
func refuse(c *feature.Ctx, q *stanza.Stanza, err error) {
	refused.Add(c.Shard(), 1)
	if e, ok := err.(*Error); ok {
		c.FailWith(q, e.Condition, e.specific())
		return
	}
	cond := feature.Condition(err)
	if cond == stanza.InternalServerError {
		c.Log.Error("a request about nodes could not be carried out", "owner", c.Owner.String(), "err", err)
	}
	c.Fail(q, cond, "")
}

// refuseLater is refuse for a request that waited.
func refuseLater(e *feature.Env, req *feature.Request, err error) {
	refused.Add(e.Shard(), 1)
	if err, ok := err.(*Error); ok {
		req.FailWith(err.Condition, "", err.specific())
		return
	}
	req.Error(err)
}
