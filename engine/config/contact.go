package config

import (
	"fmt"
	"net/url"
)

// Contact is the section "contact": how people reach those who run the server, as
// clients show it (XEP-0157).
type Contact struct {
	Abuse    []string `toml:"abuse" default:"" doc:"Addresses for reports of abuse, as \"mailto:abuse@example.org\", \"xmpp:abuse@example.org\" or \"https://example.org/abuse\"."`
	Admin    []string `toml:"admin" default:"" doc:"Addresses of the administrators."`
	Feedback []string `toml:"feedback" default:"" doc:"Addresses for praise and complaints."`
	Sales    []string `toml:"sales" default:"" doc:"Addresses of those who sell."`
	Security []string `toml:"security" default:"" doc:"Addresses for reports of weaknesses."`
	Status   []string `toml:"status" default:"" doc:"Addresses of pages that say how the server is."`
	Support  []string `toml:"support" default:"" doc:"Addresses where users find help."`
}

// Check wants URIs.
func (c *Contact) Check() error {
	for _, list := range [][]string{c.Abuse, c.Admin, c.Feedback, c.Sales, c.Security, c.Status, c.Support} {
		for _, a := range list {
			if u, err := url.Parse(a); err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" {
				return fmt.Errorf("contact has %q: want a URI, as \"mailto:abuse@example.org\" or \"xmpp:abuse@example.org\"", a)
			}
		}
	}
	return nil
}
