package account

import "testing"

func TestTalk(t *testing.T) {
	var f Flags
	a, b := f.New("a"), f.New("b")
	var talk Talk
	talk.With(7, 1)
	talk.Set(a)
	if talk.With(7, 1); !talk.Has(a) || talk.Has(b) {
		t.Errorf("the same again: %+v", talk)
	}
	if talk.With(7, 2); talk.Has(a) {
		t.Error("something has changed, and nothing is forgotten")
	}
	talk.Set(b)
	if talk.With(8, 2); talk.Has(b) {
		t.Error("another is taken for the one before")
	}
	if talk.With(7, 2); talk.Has(b) {
		t.Error("what was forgotten is back")
	}
}
