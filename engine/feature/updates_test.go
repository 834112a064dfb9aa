package feature

import "testing"

// A refused update ends before those that were issued earlier: who waits for
// all of them must not take that for theirs.
func TestSettlingWaitsForEveryUpdate(t *testing.T) {
	var u updates
	var calls []string
	when := func(name string) { u.whenSettled(func() { calls = append(calls, name) }) }
	when("nothing issued")
	first, second, refused := u.issue(), u.issue(), u.issue()
	when("three")
	u.end(refused)
	u.end(first)
	if len(calls) != 1 {
		t.Fatalf("called %q while one update is under way", calls)
	}
	fourth := u.issue()
	when("four")
	u.end(second)
	if len(calls) != 2 || calls[1] != "three" {
		t.Fatalf("called %q, want also who waited for three", calls)
	}
	u.end(fourth)
	if len(calls) != 3 || u.settled != 4 || len(u.ended) != 0 {
		t.Errorf("called %q, %d settled, %d open; want all", calls, u.settled, len(u.ended))
	}
}
