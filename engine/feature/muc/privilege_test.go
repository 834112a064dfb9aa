package muc

import (
	"testing"

	"meerkat/engine/config"
	"meerkat/engine/stanza"
)

// XEP-0045 §5.1.1, row by row: none, visitor, participant, moderator.
func TestPrivilegesOfRoles(t *testing.T) {
	for _, row := range []struct {
		name string
		p    privilege
		want [4]bool
	}{
		{"receive", receive, [4]bool{false, true, true, true}},
		{"announce presence", announce, [4]bool{false, true, true, true}},
		{"change nick", changeNick, [4]bool{false, true, true, true}},
		{"private messages", sendPrivate, [4]bool{false, true, true, true}},
		{"invite", invite, [4]bool{false, true, true, true}},
		{"speak", speak, [4]bool{false, false, true, true}},
		{"subject", setSubject, [4]bool{false, false, true, true}},
		{"kick", kick, [4]bool{false, false, false, true}},
		{"grant voice", giveVoice, [4]bool{false, false, false, true}},
		{"revoke voice", takeVoice, [4]bool{false, false, false, true}},
	} {
		for r := noRole; r <= moderator; r++ {
			if got := r.may(row.p); got != row.want[r] {
				t.Errorf("%s: a %v may: %v", row.name, r, got)
			}
		}
	}
}

// §5.1.2: moderated and not, by affiliation.
func TestInitialRoles(t *testing.T) {
	for _, row := range []struct {
		moderated bool
		aff       affiliation
		want      role
	}{
		{true, none, visitor}, {true, member, participant}, {true, admin, moderator}, {true, owner, moderator},
		{false, none, participant}, {false, member, participant}, {false, admin, moderator}, {false, owner, moderator},
		{true, outcast, noRole}, {false, outcast, noRole},
	} {
		if got := initialRole(row.moderated, row.aff); got != row.want {
			t.Errorf("moderated %v, %v: %v, want %v", row.moderated, row.aff, got, row.want)
		}
	}
}

// §5.1.3 and §8.2, §8.3, §8.4, §9.6, §9.7: who makes whom what.
func TestChangesOfRoles(t *testing.T) {
	plain, anAdmin, anOwner := standing{moderator, none}, standing{moderator, admin}, standing{moderator, owner}
	speaker, guest := standing{participant, none}, standing{visitor, none}
	for _, row := range []struct {
		by, of standing
		to     role
		want   stanza.Condition
	}{
		{plain, guest, participant, stanza.OK},
		{plain, speaker, visitor, stanza.OK},
		{plain, guest, noRole, stanza.OK},
		{plain, speaker, noRole, stanza.OK},
		{plain, standing{participant, member}, visitor, stanza.OK},
		{plain, guest, moderator, stanza.Forbidden},
		{plain, speaker, moderator, stanza.Forbidden},
		{plain, plain, participant, stanza.NotAllowed},
		{plain, plain, noRole, stanza.NotAllowed},
		{plain, anAdmin, noRole, stanza.NotAllowed},
		{plain, anOwner, noRole, stanza.NotAllowed},
		{plain, anAdmin, visitor, stanza.NotAllowed},
		{anAdmin, plain, participant, stanza.OK},
		{anAdmin, plain, visitor, stanza.OK},
		{anAdmin, plain, noRole, stanza.OK},
		{anAdmin, speaker, moderator, stanza.OK},
		{anAdmin, guest, moderator, stanza.OK},
		{anAdmin, anOwner, noRole, stanza.NotAllowed},
		{anAdmin, anOwner, participant, stanza.NotAllowed},
		{anAdmin, anAdmin, participant, stanza.NotAllowed},
		{anOwner, anAdmin, participant, stanza.NotAllowed},
		{anOwner, anAdmin, visitor, stanza.NotAllowed},
		{anOwner, anAdmin, noRole, stanza.OK},
		{anOwner, plain, participant, stanza.OK},
		{speaker, guest, participant, stanza.Forbidden},
		{speaker, guest, noRole, stanza.Forbidden},
		{guest, guest, participant, stanza.Forbidden},
		{standing{noRole, none}, guest, noRole, stanza.Forbidden},
		{standing{noRole, owner}, guest, participant, stanza.OK},
	} {
		if got := mayChangeRole(row.by, row.of, row.to); got != row.want {
			t.Errorf("%v makes %v a %v: %d, want %d", row.by, row.of, row.to, got, row.want)
		}
	}
}

// §5.2.1, §5.2.2: all changes of one affiliation into another, by all.
func TestChangesOfAffiliations(t *testing.T) {
	for by := outcast; by <= owner; by++ {
		for of := outcast; of <= owner; of++ {
			for to := outcast; to <= owner; to++ {
				high := of >= admin || to >= admin
				want := stanza.Forbidden
				switch {
				case by == owner, by == admin && !high:
					want = stanza.OK
				case by == admin && to == outcast:
					want = stanza.NotAllowed
				}
				if got := mayChangeAffiliation(by, of, to); got != want {
					t.Errorf("%v makes %v %v: %d, want %d", by, of, to, got, want)
				}
			}
		}
	}
}

// §5.2.1, "Retrieve Member List", and getmemberlist.
func TestWhoSeesLists(t *testing.T) {
	for _, row := range []struct {
		by   standing
		a    affiliation
		set  roleSet
		want bool
	}{
		{standing{participant, none}, member, everyRole, false},
		{standing{noRole, outcast}, member, everyRole, false},
		{standing{participant, member}, member, everyRole, true},
		{standing{participant, member}, owner, everyRole, true},
		{standing{participant, member}, outcast, everyRole, false},
		{standing{participant, member}, member, 1 << moderator, false},
		{standing{moderator, admin}, outcast, 0, true},
		{standing{noRole, owner}, owner, 0, true},
	} {
		if got := mayList(row.by, row.a, row.set); got != row.want {
			t.Errorf("%v sees %vs: %v", row.by, row.a, got)
		}
	}
}

// allowpm, changesubject and allowinvites change the table (§5.1.1, note *).
func TestConfigurationChangesPrivileges(t *testing.T) {
	r := &room{set: initial(&config.Default().Rooms)}
	for _, row := range []struct {
		pm   string
		want [4]bool // from noRole on
	}{
		{pmAnyone, [4]bool{false, true, true, true}},
		{pmParticipants, [4]bool{false, false, true, true}},
		{pmModerators, [4]bool{false, false, false, true}},
		{pmNone, [4]bool{}},
	} {
		r.set.PM = row.pm
		for by := noRole; by <= moderator; by++ {
			if got := r.maySendPrivate(by); got != row.want[by] {
				t.Errorf("allowpm %s: a %v may: %v", row.pm, by, got)
			}
		}
	}
	for _, on := range []bool{false, true} {
		r.set.Subject, r.set.Invites = on, on
		if got := r.maySetSubject(participant); got != on {
			t.Errorf("changesubject %v: a participant may: %v", on, got)
		}
		if r.maySetSubject(visitor) || !r.maySetSubject(moderator) {
			t.Error("a visitor sets the subject, or a moderator does not")
		}
		if got := r.mayInvite(standing{participant, none}); got != on {
			t.Errorf("allowinvites %v: a participant may: %v", on, got)
		}
		if !r.mayInvite(standing{moderator, admin}) {
			t.Error("an admin may not invite")
		}
	}
}
