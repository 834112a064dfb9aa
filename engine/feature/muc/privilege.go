package muc

import "meerkat/engine/stanza"

// role is what an occupant may do while it is here (XEP-0045 §5.1), in order.
type role uint8

const (
	noRole role = iota
	visitor
	participant
	moderator
)

var roleNames = [...]string{"none", "visitor", "participant", "moderator"}

func (r role) String() string { return roleNames[r] }

func parseRole(s string) (role, bool) {
	for i, n := range roleNames {
		if n == s {
			return role(i), true
		}
	}
	return 0, false
}

// affiliation is what a user is to a room (§5.2), in order.
type affiliation int8

const (
	outcast affiliation = iota - 1
	none
	member
	admin
	owner
)

var affiliationNames = [...]string{"outcast", "none", "member", "admin", "owner"}

func (a affiliation) String() string { return affiliationNames[a+1] }

func parseAffiliation(s string) (affiliation, bool) {
	for i, n := range affiliationNames {
		if n == s {
			return affiliation(i - 1), true
		}
	}
	return 0, false
}

// privilege is one row of the table in §5.1.1.
type privilege uint8

const (
	receive privilege = iota
	announce
	changeNick
	sendPrivate
	invite
	speak
	setSubject
	kick
	giveVoice
	takeVoice
)

// leastRole is the table of §5.1.1: the role from which on a privilege is had,
// before the room's configuration gives more or less.
var leastRole = [...]role{
	receive: visitor, announce: visitor, changeNick: visitor, sendPrivate: visitor, invite: visitor,
	speak: participant, setSubject: participant,
	kick: moderator, giveVoice: moderator, takeVoice: moderator,
}

func (r role) may(p privilege) bool { return r >= leastRole[p] }

// initialRoles is the table of §5.1.2: by whether the room is moderated, by
// affiliation from outcast on.
var initialRoles = [2][owner + 2]role{
	{noRole, participant, participant, moderator, moderator},
	{noRole, visitor, participant, moderator, moderator},
}

func initialRole(moderated bool, a affiliation) role {
	i := 0
	if moderated {
		i = 1
	}
	return initialRoles[i][a+1]
}

// roleChanges is the table of §5.1.3: who may make an occupant of one role one
// of another: a moderator of which affiliation.
var roleChanges = [moderator + 1][moderator + 1]affiliation{
	visitor:     {noRole: none, visitor: none, participant: none, moderator: admin},
	participant: {noRole: none, visitor: none, participant: none, moderator: admin},
	moderator:   {noRole: admin, visitor: admin, participant: admin, moderator: none},
}

// standing is what somebody is in a room.
type standing struct {
	role role
	aff  affiliation
}

// mayChangeRole judges whether by may give of another role (§5.1.3, §8.2-§8.4,
// §9.6, §9.7).
func mayChangeRole(by, of standing, to role) stanza.Condition {
	need := roleChanges[of.role][to]
	switch {
	case by.role < moderator && !(by.aff >= admin):
		return stanza.Forbidden
	case of.role == to:
		return stanza.OK
	case of.aff >= admin && (to != noRole || of.aff > by.aff):
		return stanza.NotAllowed // nobody takes voice or moderation from admins
	case by.aff < need && to == moderator:
		return stanza.Forbidden
	case by.aff < need:
		return stanza.NotAllowed
	}
	return stanza.OK
}

// affiliationChanges is the table of §5.2.1, §5.2.2: who may change one
// affiliation into another, from outcast on.
var affiliationChanges = [owner + 2][owner + 2]affiliation{
	{admin, admin, admin, owner, owner},
	{admin, admin, admin, owner, owner},
	{admin, admin, admin, owner, owner},
	{owner, owner, owner, owner, owner},
	{owner, owner, owner, owner, owner},
}

// mayChangeAffiliation judges whether by may make of something else.
func mayChangeAffiliation(by, of, to affiliation) stanza.Condition {
	need := affiliationChanges[of+1][to+1]
	switch {
	case by >= need:
		return stanza.OK
	case by == admin && to == outcast: // §9.1: not above one's own
		return stanza.NotAllowed
	}
	return stanza.Forbidden
}

// mayList judges whether by, a member at least by §5.2.1, may see a list of an
// affiliation. roles is who may by configuration.
func mayList(by standing, a affiliation, roles roleSet) bool {
	switch {
	case by.aff >= admin:
		return true
	case a == outcast || a == none:
		return false
	}
	return by.aff == member && (by.role == noRole || roles.has(by.role))
}
