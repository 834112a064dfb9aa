//go:build !amd64

package xml

import "unsafe"

// hasAVX2 is changed by tests, to no effect.
var hasAVX2 = false

// classify writes the masks of blocks of 64 bytes from src on. The second and
// the third row lie stride and 2*stride bytes behind dst.
func classify(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int) {
	classifyGo(dst, stride, src, blocks)
}
