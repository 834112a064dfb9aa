// Package contact tells how people reach those who run the server (XEP-0157 1.1.1).
package contact

import (
	"meerkat/engine/config"
	"meerkat/engine/feature"
)

// New returns the feature. c has the addresses.
func New(c *config.Contact) feature.Feature {
	f := feature.Feature{Name: "contact", Spec: "XEP-0157"}
	info := &feature.Form{Type: "http://jabber.org/network/serverinfo"}
	for _, row := range []struct {
		name  string
		addrs []string
	}{ // in the order of their names
		{"abuse", c.Abuse}, {"admin", c.Admin}, {"feedback", c.Feedback}, {"sales", c.Sales},
		{"security", c.Security}, {"status", c.Status}, {"support", c.Support},
	} {
		if len(row.addrs) > 0 {
			info.Fields = append(info.Fields, feature.FormField{Var: row.name + "-addresses", Type: "list-multi", Values: row.addrs})
		}
	}
	if len(info.Fields) > 0 {
		f.Form = info
	}
	return f
}
