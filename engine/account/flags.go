package account

import "fmt"

// Flags hands out bits of Session, and slots, to the features that need one.
type Flags struct {
	names []string
	slots int
}

// Flag is one bit.
type Flag uint32

// New returns the next free bit. name is for whoever reads a panic: 32 are all.
func (f *Flags) New(name string) Flag {
	if len(f.names) == 32 {
		panic(fmt.Sprintf("account: no flag left for %s, taken: %v", name, f.names))
	}
	f.names = append(f.names, name)
	return 1 << (len(f.names) - 1)
}

// Has reports whether f is set.
func (s *Session) Has(f Flag) bool { return s.flags&uint32(f) != 0 }

// Set sets f.
func (s *Session) Set(f Flag) { s.flags |= uint32(f) }

// Clear clears f.
func (s *Session) Clear(f Flag) { s.flags &^= uint32(f) }
