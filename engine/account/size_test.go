package account

import (
	"testing"
	"unsafe"
)

// A million of each are kept at a time: the sizes are those of the allocator's
// classes, so that a field more is seen here before it costs 16 bytes a user.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n > 224 {
		t.Errorf("a Session has %d bytes, want at most 224", n)
	}
	if n := unsafe.Sizeof(Account{}); n > 80 {
		t.Errorf("an Account has %d bytes, want at most 80", n)
	}
}
