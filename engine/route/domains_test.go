package route

import (
	"fmt"
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

func TestDomains(t *testing.T) {
	var d domains
	service := func(*feature.Ctx, *stanza.Stanza) {}
	for i := range 3 * few {
		one := domain{name: fmt.Sprintf("d%d.test", i)}
		if i%2 == 1 {
			one.service = service
		}
		d.add(one)
	}
	for i := range 3 * few {
		name := fmt.Sprintf("d%d.test", i)
		if one := d.find(name); one == nil || one.name != name || d.accounts(name) != (i%2 == 0) {
			t.Errorf("%s: found %+v", name, one)
		}
	}
	for _, name := range []string{"", "d0.tes", "d0.test.", "D0.test", "d99.test"} {
		if d.find(name) != nil || d.accounts(name) {
			t.Errorf("%q is found", name)
		}
	}
}
