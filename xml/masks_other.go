//go:build !amd64

package xml

import "unsafe"

// hasAVX2 is changed by tests, to no effect.
var hasAVX2 = false

func classifyAVX2(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int) {
	classifyGo(dst, stride, src, blocks)
}

func marksAVX2(dst *[4]uint64, src unsafe.Pointer, blocks int) { marksGo(dst, src, blocks) }
