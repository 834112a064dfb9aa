package xml

import (
	"testing"
	"unsafe"
)

// checkMasks classifies b, without its last block, in both ways, and compares
// with the classes of each byte.
func checkMasks(t *testing.T, b []byte) {
	const stride = 8
	blocks := len(b)/block - 1
	var both [2][3 * stride]uint64
	in := unsafe.Pointer(unsafe.SliceData(b))
	classify(&both[0][0], stride*8, in, min(blocks, stride))
	classifyGo(&both[1][0], stride*8, in, min(blocks, stride))
	if both[0] != both[1] {
		t.Fatalf("%q:\n%x\n%x", b, both[0], both[1])
	}
	checkMarks(t, b, min(blocks, jumpBlocks))
	for i, c := range b[:min(blocks, stride)*block] {
		for row, flag := range []uint8{isNameChar, isPlainAttr, isPlainText} {
			got := both[0][row*stride+i/block]>>(i%block)&1 == 1
			if want := class[c]&flag == 0; got != want {
				t.Fatalf("byte %#x, row %d: %v", c, row, got)
			}
		}
	}
}

// FuzzMasks compares the two ways to classify.
func FuzzMasks(f *testing.F) {
	f.Add(make([]byte, 3*block))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkMasks(t, append(b, make([]byte, 2*block)...))
	})
}

func TestMasksAgree(t *testing.T) {
	var in [4*block + 64]byte
	for i := range in {
		in[i] = byte(i*7 + i/256)
	}
	for range 3 {
		for i := range in {
			in[i] = in[i]*5 + 3
		}
		checkMasks(t, in[:])
	}
	for i := range 256 {
		in[i] = byte(i)
	}
	checkMasks(t, in[:])
}

// checkMarks compares both ways to mark with the bytes.
func checkMarks(t *testing.T, b []byte, blocks int) {
	var both [2][jumpBlocks]marks
	in := unsafe.Pointer(unsafe.SliceData(b))
	mark(&both[0][0], in, blocks)
	marksGo(&both[1][0], in, blocks)
	if both[0] != both[1] {
		t.Fatalf("%q:\n%x\n%x", b, both[0], both[1])
	}
	for i, c := range b[:blocks*block] {
		for row, mark := range "<>'\"" {
			if got := both[0][i/block][row]>>(i%block)&1 == 1; got != (c == byte(mark)) {
				t.Fatalf("byte %#x, mark %c: %v", c, mark, got)
			}
		}
	}
}
