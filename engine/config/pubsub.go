package config

import (
	"fmt"
	"strings"
)

// PubSub is the section "pubsub": publish-subscribe nodes of nobody's account
// (XEP-0060). Those of accounts are under limits.pep_*.
type PubSub struct {
	Name        string `toml:"name" default:"pubsub" doc:"What stands before each of domains, with a dot between, as the domain of its nodes. \"\" is no such service. Nodes of another name stay in the store."`
	Create      string `toml:"create" default:"admins" values:"anybody admins" reload:"live" doc:"Who may make nodes: every account of domains, or those of admin.accounts."`
	Nodes       int    `toml:"nodes" default:"10000" min:"1" max:"10000000" zero:"no limit" reload:"live" doc:"Nodes of one domain. Who wants one more hears resource-constraint."`
	Items       int    `toml:"items" default:"1000" min:"1" max:"1000000" reload:"live" doc:"Items that a node may keep, and what max_items = max means. The oldest make room for new ones."`
	ItemBytes   Size   `toml:"item_bytes" default:"256kB" min:"1kB" max:"16MB" zero:"no limit" reload:"live" doc:"Bytes of one item. Who publishes a larger one hears payload-too-big."`
	Bytes       Size   `toml:"bytes" default:"1GB" min:"10kB" max:"1TB" zero:"no limit" reload:"live" doc:"Bytes of all items of one domain together."`
	Subscribers int    `toml:"subscribers" default:"10000" min:"1" max:"10000000" zero:"no limit" reload:"live" doc:"Subscriptions of one node, and addresses that are something else to it."`
}

// Check reports what the tags cannot say. taken are the names of other services.
func (p *PubSub) Check(domains []string, taken ...string) error {
	if strings.ContainsAny(p.Name, "@/ \t\r\n\"'<>&") {
		return fmt.Errorf("pubsub.name is %q, which cannot begin a domain", p.Name)
	}
	for _, name := range taken {
		if p.Name != "" && strings.EqualFold(p.Name, name) {
			return fmt.Errorf("pubsub.name is %q, as that of another service", p.Name)
		}
	}
	for _, d := range domains {
		for _, other := range domains {
			if p.Name != "" && strings.EqualFold(p.Name+"."+d, other) {
				return fmt.Errorf("pubsub.name makes %q the domain of nodes, which is among domains", other)
			}
		}
	}
	return nil
}
