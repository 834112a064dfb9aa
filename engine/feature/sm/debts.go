package sm

import "meerkat/engine/loop"

// debts are the keepers of one loop that owe an acknowledgement.
type debts struct {
	loop  *loop.Loop
	timer loop.Timer
	list  []*keeper
}

// owe has k pay within patience.
func (d *debts) owe(k *keeper) {
	if k.state&listed == 0 {
		k.state |= listed
		d.list = append(d.list, k)
	}
	if !d.timer.Active() {
		d.timer.Owner = d
		d.loop.Set(&d.timer, patience)
	}
}

// Timeout has all pay.
func (d *debts) Timeout(*loop.Timer) {
	list := d.list
	d.list = nil
	for _, k := range list {
		k.state &^= listed
		k.pay()
	}
}
