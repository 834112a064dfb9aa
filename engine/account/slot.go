package account

// Slots holds what features keep with a session or an account, by Slot.
type Slots []any

// Slot is one feature's place in Slots, for values of type T. The zero value of
// what nothing was put into is nil.
type Slot[T any] struct{ i int }

// NewSlot returns the next free place.
func NewSlot[T any](f *Flags) Slot[T] {
	f.slots++
	return Slot[T]{f.slots - 1}
}

// Of returns what s has in the slot, or nil.
func (t Slot[T]) Of(s Slots) *T {
	if t.i >= len(s) || s[t.i] == nil {
		return nil
	}
	return s[t.i].(*T)
}

// Put puts v, which may be nil, into the slot.
func (t Slot[T]) Put(s *Slots, v *T) {
	if v == nil && t.i >= len(*s) {
		return
	}
	for len(*s) <= t.i {
		*s = append(*s, nil)
	}
	if v == nil {
		(*s)[t.i] = nil
		return
	}
	(*s)[t.i] = v
}
