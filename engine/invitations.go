package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/invite"
	"meerkat/engine/jid"
	"meerkat/store"
)

// Invite makes an invitation to an account: of address, or of any name at a domain
// if address is one, or at the first domain if it is "". The error is
// auth.ErrExists if there is such an account, invite.ErrReserved if somebody else is
// invited to it.
func (a *Accounts) Invite(address string) (invite.Link, error) {
	in, err := a.invitation(address)
	if err != nil {
		return invite.Link{}, err
	}
	var token string
	err = a.update(func(tx *store.Tx) (err error) {
		if in.User != "" && a.users.Exists(tx, jid.MustParse(in.User)) {
			return auth.ErrExists
		}
		token, err = invite.New(tx, in, 0, time.Now())
		return err
	})
	return in.Link(token, a.config.LandingAt(in.Host)), err
}

func (a *Accounts) invitation(address string) (in invite.Invite, err error) {
	if a.config.Invites.Accounts == "nobody" {
		return in, errors.New("invitations are turned off: invites.accounts is \"nobody\"")
	}
	if address == "" {
		address = a.domains[0]
	}
	j, err := jid.Parse(address)
	switch {
	case err != nil:
		return in, fmt.Errorf("%q is no address: %w", address, err)
	case j.IsFull():
		return in, fmt.Errorf("%q is no account: want name@domain, or a domain", address)
	case !a.serves(j.Domain()):
		return in, fmt.Errorf("%s is not served here: domains is %s", j.Domain(), strings.Join(a.domains, ", "))
	}
	in = invite.Invite{Host: j.Domain(), Register: true, Expires: time.Now().Add(time.Duration(a.config.Invites.Life)).Truncate(time.Second).UTC()}
	if j.HasLocal() {
		in.User = j.String()
	}
	return in, nil
}
