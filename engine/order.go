package engine

import (
	"meerkat/engine/feature"
	"meerkat/engine/feature/invite"
	"meerkat/engine/feature/last"
	"meerkat/engine/feature/offline"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
)

// The way of every stanza through the features. The order is written here and
// nowhere else.

// filterOut is what every stanza to somebody else passes first, filterIn what
// every one from somebody passes.
func (f *features) filterOut() []feature.Stage {
	return []feature.Stage{
		f.blocking.FilterOut,
		f.strange.FilterOut, // so many in an hour
	}
}
func (f *features) filterIn() []feature.Stage {
	return []feature.Stage{
		f.push.FilterIn, // answers of app servers
		f.blocking.FilterIn,
		last.Guard,   // not everybody may ask how long a resource is idle
		f.mam.Behind, // behind messages that wait for their commit
	}
}

// outbound is what a message from one of our sessions passes.
func (f *features) outbound() []feature.Stage {
	return []feature.Stage{
		offline.Genuine, // first: no stamps in the server's name
		f.pep.Outbound,  // answers to who wants to subscribe; how far a chat has been read
		f.mam.Outbound( // into the sender's archive; once it is there
			f.carbons.Outbound, // to the sender's other sessions, with its id
		),
	}
}

// inbound is what a message for one of our accounts passes.
func (f *features) inbound() []feature.Stage {
	return []feature.Stage{
		f.mam.Inbound( // into the recipient's archive; once it is there, with its id
			f.push.Inbound,                   // clients that are away are woken
			f.offline.Spool,                  // behind those that are just being handed out
			f.carbons.Inbound(route.Deliver), // to resources, by type and priority: RFC 6121 §8.5; then copies
			f.offline.Keep,                   // only if nobody has it
		),
	}
}

// presenceOut is what presence from one of our sessions passes.
func (f *features) presenceOut() []feature.Stage {
	return []feature.Stage{
		offline.Genuine,        // no stamps in the server's name
		f.avatar.PresenceOut,   // the hash of the account's picture
		f.presence.PresenceOut, // state, broadcast, subscriptions
		f.last.PresenceOut,     // the time of a logout
		f.kept.PresenceOut,     // messages kept for who has just come
		f.sm.PresenceOut,       // what a session comes back as
		f.caps.PresenceOut,     // what its client can do, and the events that it wants
		f.admin.PresenceOut,    // the message of the day for who has just come
	}
}

// broadcast is what presence passes that the server has changed and sends again
// for a session.
func (f *features) broadcast(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if v := f.presence.PresenceOut(c, s); v == feature.Done {
		return v
	}
	return f.sm.PresenceOut(c, s)
}

// presenceIn is what presence for one of our accounts passes.
func (f *features) presenceIn() []feature.Stage {
	return []feature.Stage{
		invite.PresenceIn, // who comes by invitation is asked for nothing more
		f.push.PresenceIn, // clients that are away are woken to be asked
		f.pep.PresenceIn,  // asks for the events of who may be seen now
		f.presence.PresenceIn,
	}
}

// notices is what events for one of our accounts pass, and what asks for them.
func (f *features) notices() []feature.Stage {
	return []feature.Stage{f.pep.Notice(f.blocking.FilterIn)}
}
