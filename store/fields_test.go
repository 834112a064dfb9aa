package store

import (
	"encoding/binary"
	"testing"
)

func TestFields(t *testing.T) {
	b := AppendField(AppendField([]byte{7}, "text"), []byte("bytes"))
	b = binary.AppendUvarint(binary.AppendVarint(b, -300), 300)
	f := Fields{Rest: b}
	if c, s, v, i, u := f.Byte(), f.Text(), f.Bytes(), f.Int(), f.Uint(); c != 7 || s != "text" || string(v) != "bytes" || i != -300 || u != 300 || f.Bad || len(f.Rest) > 0 {
		t.Errorf("took %d %q %q %d %d, bad %v, rest %q", c, s, v, i, u, f.Bad, f.Rest)
	}
	for n := range b { // of a value that was cut
		f := Fields{Rest: b[:n]}
		f.Byte()
		f.Text()
		f.Bytes()
		f.Int()
		f.Uint()
		if !f.Bad || len(f.Rest) > 0 {
			t.Errorf("%d bytes of %d pass for the whole", n, len(b))
		}
	}
}

// A field that says that it is longer than memory is none.
func TestFieldsThatLie(t *testing.T) {
	for _, v := range []string{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x04abc"} {
		f := Fields{Rest: []byte(v)}
		if b := f.Bytes(); b != nil || !f.Bad {
			t.Errorf("%q has a field %q", v, b)
		}
	}
}
