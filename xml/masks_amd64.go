package xml

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAVX2 chooses between the two ways to classify. Tests change it.
var hasAVX2 = cpu.X86.HasAVX2

// classify writes the masks of blocks of 64 bytes from src on. The second and
// the third row lie stride and 2*stride bytes behind dst.
func classify(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int) {
	if hasAVX2 {
		classifyAVX2(dst, stride, src, blocks)
		return
	}
	classifyGo(dst, stride, src, blocks)
}

//go:noescape
func classifyAVX2(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int)
