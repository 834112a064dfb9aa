package config

import (
	"fmt"
	"net/url"
	"strings"
)

// Invites is the section "invites": invitations that users and the operator make
// (XEP-0401, XEP-0445, XEP-0379).
type Invites struct {
	Accounts string   `toml:"accounts" default:"admins" values:"nobody admins anybody" reload:"live" doc:"Whose invitations are good for an account, also where register.enabled is false: those of the accounts of admin.accounts, of everybody, or none. Those of meerkat account invite are, unless it is nobody. All users may invite others to become their contacts."`
	Life     Duration `toml:"life" default:"7d" min:"1m" max:"366d" reload:"live" doc:"How long an invitation is good."`
	PerUser  int      `toml:"per_user" default:"20" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Invitations that one account may have made and nobody used."`
	Page     bool     `toml:"page" default:"true" doc:"A web page for the invited at /invite/ of the HTTP listeners: who has no chat app yet learns of some."`
	Landing  string   `toml:"landing" default:"" reload:"live" doc:"Address of a page of your own for the invited, up to where the invitation begins, as \"https://example.org/invite/#\". Without it they get a link to the one built in, if there is HTTPS, else an xmpp: link only."`
}

// Check reports what the tags cannot say.
func (i *Invites) Check() error {
	if i.Landing == "" {
		return nil
	}
	if u, err := url.Parse(i.Landing); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("invites.landing is %q: want a web address, as \"https://example.org/invite/#\"", i.Landing)
	}
	return nil
}

// LandingAt is the address of the page for those who are invited to domain, up to
// where the invitation begins; "" if there is none.
func (c *Config) LandingAt(domain string) string {
	base := c.HTTP.Base(domain)
	switch {
	case c.Invites.Landing != "":
		return c.Invites.Landing
	case c.Invites.Page && strings.HasPrefix(base, "https://"):
		return base + "/invite/#"
	}
	return ""
}
