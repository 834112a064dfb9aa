package config

import (
	"fmt"
	"net"
)

// External is the section "external": services beside this one that clients are
// told of (XEP-0215).
type External struct {
	Services []ExternalService `toml:"services" default:"" reload:"live" doc:"STUN, TURN and other services, as {type = \"turn\", address = \"turn.example.org:3478\", transport = \"udp\", secret = \"...\", lifetime = \"1d\"}. With a secret shared with the TURN server clients get credentials for that time; else username and password as they stand here, if any."`
}

// ExternalService is one of them.
type ExternalService struct {
	Type      string   `toml:"type"`      // "stun", "turn", "stuns", "turns", or another of the registry
	Address   string   `toml:"address"`   // host:port
	Transport string   `toml:"transport"` // "udp", "tcp", or ""
	Username  string   `toml:"username"`
	Password  string   `toml:"password"`
	Secret    string   `toml:"secret"`
	Lifetime  Duration `toml:"lifetime"` // of credentials made with Secret; 0: a day
}

// Check reports services that clients could not use.
func (e *External) Check() error {
	for _, s := range e.Services {
		if _, _, err := net.SplitHostPort(s.Address); err != nil || s.Type == "" {
			return fmt.Errorf("external.services has %q of type %q: want type = \"turn\", address = \"host:port\"", s.Address, s.Type)
		}
		if s.Secret != "" && s.Username != "" {
			return fmt.Errorf("external.services has %s with a secret and a username: the secret makes the username, so one of them is too many", s.Address)
		}
	}
	return nil
}
