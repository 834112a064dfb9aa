// Package commands offers the server's ad-hoc commands (XEP-0050). What they are
// is in engine/features.go, how they run in engine/command.
package commands

import (
	"meerkat/engine/command"
	"meerkat/engine/feature"
)

// New returns the feature. loops is how many loops there are.
func New(loops int, list ...command.Command) feature.Feature {
	host := command.NewHost(loops, list...)
	return feature.Feature{
		Name:    "commands",
		Spec:    "XEP-0050",
		Disco:   []string{command.Space},
		Node:    host.Disco,
		IQ:      []feature.IQ{feature.SetIQ(feature.Server, command.Space, "command", host.Execute)},
		Unbound: host.Gone,
	}
}
