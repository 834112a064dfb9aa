package account

import (
	"fmt"
	"slices"
	"testing"
)

// What is noted comes back as it was, whatever is forgotten in between, and
// borrows nothing.
func TestDirected(t *testing.T) {
	s := &Session{}
	b := []byte("hall@rooms.test/romeo")
	for _, to := range []string{string(b), "hall@rooms.test", "attic@rooms.test/romeo", "attic@rooms.test/a/b", "juliet@test/x"} {
		copy(b, to)
		for range 2 { // again is no second one
			if !s.Direct(to) {
				t.Fatalf("%s is refused", to)
			}
		}
	}
	s.Undirect("attic@rooms.test/romeo")
	s.Undirect("nobody@test")
	want := []string{"hall@rooms.test/romeo", "hall@rooms.test", "attic@rooms.test/a/b", "juliet@test/x"}
	if got := s.DirectedTo(); !slices.Equal(got, want) {
		t.Errorf("noted are %q, want %q", got, want)
	}
	if got := s.Directed(); !slices.Equal(got, want) || s.DirectedTo() != nil {
		t.Errorf("in the end %q are given, and %q stay", got, s.DirectedTo())
	}
	for i := range maxDirected {
		s.Direct(fmt.Sprint("r", i, "@rooms.test/n"))
	}
	if s.Direct("one@more.test") {
		t.Error("there is no bound")
	}
}
