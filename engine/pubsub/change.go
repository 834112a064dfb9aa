package pubsub

import (
	"slices"

	"meerkat/engine/form"
)

// change is a form that has been filled in, in memory of its own: it is applied
// when the request is carried out.
type change struct {
	to      Config
	fields  []int // of options: those that the form has
	unknown bool  // it has others, too
}

// readChange takes a form apart.
func readChange(f form.Form) (ch change, err error) {
	for name, field := range f.Fields() {
		i := slices.IndexFunc(options, func(o option) bool { return o.Var == name })
		if i < 0 {
			ch.unknown = true
			continue
		}
		if !options[i].set(&ch.to, field) {
			return ch, errConfig
		}
		ch.fields = append(ch.fields, i)
	}
	return ch, nil
}

// apply returns c with the fields of the form as they are there. Where more items
// are asked for than most, that is most.
func (ch *change) apply(c Config, most int) Config {
	for _, i := range ch.fields {
		options[i].copy(&c, &ch.to)
	}
	if c.MaxItems > most {
		c.MaxItems = Max
	}
	return c
}
