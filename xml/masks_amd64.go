package xml

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasAVX2 chooses between the two ways to classify. Tests change it.
var hasAVX2 = cpu.X86.HasAVX2

// classifyAVX2 is classifyGo for processors with AVX2.
//
//go:noescape
func classifyAVX2(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int)

// marksAVX2 is marksGo for processors with AVX2.
//
//go:noescape
func marksAVX2(dst *[4]uint64, src unsafe.Pointer, blocks int)
