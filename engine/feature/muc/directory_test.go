package muc

import "testing"

// The rooms of a creator are counted whatever becomes of them.
func TestDirectoryCountsByCreator(t *testing.T) {
	var d directory
	d.put("a", listing{creator: "romeo"})
	d.put("b", listing{creator: "romeo"})
	d.put("b", listing{creator: "juliet"})
	d.put("c", listing{creator: "romeo"})
	d.update("a", "name", true)
	d.remove("c")
	d.remove("c")
	if r, j := d.madeBy("romeo"), d.madeBy("juliet"); r != 1 || j != 1 {
		t.Errorf("romeo has %d, juliet %d, want 1 and 1", r, j)
	}
	d.remove("a")
	d.remove("b")
	if len(d.m)+len(d.made) != 0 {
		t.Errorf("left: %v, %v", d.m, d.made)
	}
}
