package store

import "encoding/binary"

// AppendField appends v to a value in the making, with its length in front (an
// unsigned varint), for Fields.
func AppendField[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// Fields takes a value apart that was made of bytes, varints and fields of
// AppendField. Past the end, or where it makes no sense, it gives zeros and is Bad.
type Fields struct {
	Rest []byte // what has not been taken
	Bad  bool
}

// Byte takes one byte.
func (f *Fields) Byte() byte {
	if len(f.Rest) == 0 {
		f.Bad = true
		return 0
	}
	c := f.Rest[0]
	f.Rest = f.Rest[1:]
	return c
}

// Uint takes an unsigned varint.
func (f *Fields) Uint() uint64 {
	n, size := binary.Uvarint(f.Rest)
	return took(f, n, size)
}

// Int takes a signed varint.
func (f *Fields) Int() int64 {
	n, size := binary.Varint(f.Rest)
	return took(f, n, size)
}

func took[N int64 | uint64](f *Fields, n N, size int) N {
	if size <= 0 {
		f.Bad, f.Rest = true, nil
		return 0
	}
	f.Rest = f.Rest[size:]
	return n
}

// Bytes takes a field. It borrows the value.
func (f *Fields) Bytes() []byte {
	n := f.Uint()
	if n > uint64(len(f.Rest)) {
		f.Bad, f.Rest = true, nil
		return nil
	}
	v := f.Rest[:n:n]
	f.Rest = f.Rest[n:]
	return v
}

// Text takes a field as a string of its own.
func (f *Fields) Text() string { return string(f.Bytes()) }
