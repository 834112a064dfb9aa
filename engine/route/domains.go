package route

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

// domain is one of ours: of accounts, or of a service.
type domain struct {
	name    string
	service func(*feature.Ctx, *stanza.Stanza) // nil: of accounts
}

// domains finds a domain by its name. Nearly every stanza is for one of the first,
// which comparing finds sooner than hashing does.
type domains struct {
	first []domain
	rest  map[string]*domain
}

// few is how many domains are compared.
const few = 4

func (d *domains) add(one domain) {
	if len(d.first) < few {
		d.first = append(d.first, one)
		return
	}
	if d.rest == nil {
		d.rest = make(map[string]*domain)
	}
	d.rest[one.name] = &one
}

// find returns nil for a domain that is not ours.
func (d *domains) find(name string) *domain {
	for i := range d.first {
		if d.first[i].name == name {
			return &d.first[i]
		}
	}
	return d.rest[name]
}

// accounts reports whether name is a domain of accounts.
func (d *domains) accounts(name string) bool {
	one := d.find(name)
	return one != nil && one.service == nil
}
