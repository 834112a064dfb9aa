package config

import (
	"fmt"
	"strings"
)

// Reports is the section "reports": what users say of those they block (XEP-0377).
// All of it is in the log.
type Reports struct {
	Forward []string `toml:"forward" default:"" reload:"live" doc:"Addresses on this server that every report is sent to as a message, as \"abuse@example.org\"."`
	PerUser int      `toml:"per_user" default:"20" min:"1" max:"100000" zero:"no limit" reload:"live" doc:"Reports of one account in an hour. What is more is not looked at; the block itself counts."`
}

// Check reports what the tags cannot say.
func (r *Reports) Check() error {
	for _, a := range r.Forward {
		if a == "" || strings.ContainsAny(a, " \t\r\n\"<>&") || strings.HasPrefix(a, "@") || strings.HasSuffix(a, "@") {
			return fmt.Errorf("reports.forward has %q: want an address, as \"abuse@example.org\"", a)
		}
	}
	return nil
}
