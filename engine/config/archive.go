package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Archive is the section "archive": the history of conversations (XEP-0313).
type Archive struct {
	Enabled   bool            `toml:"enabled" default:"true" doc:"Messages are kept on the server, so that all of a user's devices can show them. What is kept already stays when this is turned off, and can still be read."`
	Default   string          `toml:"default" default:"roster" values:"always roster never" reload:"live" doc:"Whose messages are kept for users who have not said themselves (XEP-0441): everybody's, those of their contacts, nobody's. Each message that is kept waits for the disk."`
	Retention Duration        `toml:"retention" default:"365d" min:"1h" max:"36500d" zero:"for ever" reload:"live" doc:"How long messages are kept. Older ones are not shown; the disk gets their space back when their whole month is older."`
	Domains   []DomainArchive `toml:"domains" default:"" reload:"live" doc:"Domains with another retention, as {domain = \"example.org\", retention = \"30d\"}. 0 is for ever."`
	Page      int             `toml:"page" default:"250" min:"10" max:"10000" reload:"live" doc:"Most messages in one answer; a client asks for the next page. One that names no number gets at most 50."`
}

// DomainArchive is the retention of one domain.
type DomainArchive struct {
	Domain    string   `toml:"domain"`
	Retention Duration `toml:"retention"` // 0: for ever
}

// Check reports what the tags cannot say.
func (a *Archive) Check(domains []string) error {
	for i, d := range a.Domains {
		same := func(other string) bool { return strings.EqualFold(other, d.Domain) }
		if !slices.ContainsFunc(domains, same) {
			return fmt.Errorf("archive.domains has %q, which is not among domains", d.Domain)
		}
		if slices.ContainsFunc(a.Domains[:i], func(other DomainArchive) bool { return same(other.Domain) }) {
			return fmt.Errorf("archive.domains has %q twice", d.Domain)
		}
		if d.Retention != 0 && time.Duration(d.Retention) < time.Hour {
			return fmt.Errorf("archive.domains has %v for %q: want at least 1h, or 0 for ever", d.Retention, d.Domain)
		}
	}
	return nil
}
