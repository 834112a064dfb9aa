package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// How rows lie in a log, numbers little endian:
//
//	file   the 16 bytes of logMagic, then frames
//	frame  magic, length of the rows, count of the rows, checksum of these three,
//	       u32 each; rows. A commit writes one, and is there with the whole of it.
//	row    length of the row, checksum of what follows, u32; seq u64; tag u32;
//	       length of the owner u16; owner; value, packed as in a Log
//
// A row that has been wiped has no owner, and zeros for a value.
const (
	logMagic    = "meerkat archive\n"
	frameMagic  = 0x46524b4d
	frameHeader = 16
	rowHeader   = 22

	// maxFrame bounds what Open reads at a time: a batch, and the largest update.
	maxFrame = maxBatchBytes + MaxValue + 1<<20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Rows are rows on their way into the archive. They can be made on any
// goroutine. The zero Rows is empty.
type Rows struct {
	b    []byte
	n    int
	last uint64
}

// Add adds a row; v is copied. seq is from the owner's Clock, tag from Tag or 0.
func (r *Rows) Add(owner string, seq uint64, tag uint32, v []byte) error {
	if err := checkOwnerValue(owner, v); err != nil {
		return err
	}
	at := len(r.b)
	r.b = append(r.b, make([]byte, rowHeader)...)
	r.b = append(r.b, owner...)
	r.b = appendPacked(r.b, v)
	row := r.b[at:]
	binary.LittleEndian.PutUint64(row[8:], seq)
	binary.LittleEndian.PutUint32(row[16:], tag)
	binary.LittleEndian.PutUint16(row[20:], uint16(len(owner)))
	seal(row)
	r.n++
	r.last = max(r.last, seq)
	return nil
}

// seal sets length and checksum of a row.
func seal(row []byte) {
	binary.LittleEndian.PutUint32(row, uint32(len(row)))
	binary.LittleEndian.PutUint32(row[4:], crc32.Checksum(row[8:], castagnoli))
}

// Len returns how many rows there are.
func (r *Rows) Len() int { return r.n }

// Bytes returns how many bytes they will take.
func (r *Rows) Bytes() int { return len(r.b) }

// Reset makes r empty and keeps up to keep bytes of its memory.
func (r *Rows) Reset(keep int) {
	if cap(r.b) > keep {
		r.b = nil
	}
	*r = Rows{b: r.b[:0]}
}

// appendPacked appends v as pack stores it.
func appendPacked(dst, v []byte) []byte {
	if len(v) < packMin {
		return append(append(dst, packedPlain), v...)
	}
	at := len(dst)
	dst = append(dst, make([]byte, 1+s2.MaxEncodedLen(len(v)))...)
	z := s2.Encode(dst[at+1:], v)
	if len(z) < len(v) {
		dst[at] = packedS2
		return dst[:at+1+len(z)]
	}
	return append(append(dst[:at], packedPlain), v...)
}

// row is a row as it lies in a frame, borrowed.
type row struct {
	seq    uint64
	tag    uint32
	owner  []byte // empty: wiped
	packed []byte
	size   int
}

// parseRow reads the row that b begins with.
func parseRow(b []byte) (row, error) {
	if len(b) < rowHeader {
		return row{}, damaged("a row of %d bytes", len(b))
	}
	n := int(binary.LittleEndian.Uint32(b))
	owner := int(binary.LittleEndian.Uint16(b[20:]))
	if n < rowHeader+owner+1 || n > len(b) {
		return row{}, damaged("a row of %d bytes in %d", n, len(b))
	}
	if crc32.Checksum(b[8:n], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return row{}, damaged("a row with a wrong checksum")
	}
	return readRow(b), nil
}

// readRow is parseRow for a row that is known to be sound.
func readRow(b []byte) row {
	n := int(binary.LittleEndian.Uint32(b))
	owner := int(binary.LittleEndian.Uint16(b[20:]))
	return row{
		seq:    binary.LittleEndian.Uint64(b[8:]),
		tag:    binary.LittleEndian.Uint32(b[16:]),
		owner:  b[rowHeader : rowHeader+owner],
		packed: b[rowHeader+owner : n],
		size:   n,
	}
}

// eachRow calls fn for each row of a frame's body and its offset there.
func eachRow(b []byte, fn func(off int, r row) error) error {
	for off := 0; off < len(b); {
		r, err := parseRow(b[off:])
		if err == nil {
			err = fn(off, r)
		}
		if err != nil {
			return err
		}
		off += r.size
	}
	return nil
}

// appendFrameHeader appends the header of a frame of n rows in size bytes.
func appendFrameHeader(dst []byte, size, n int) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// parseFrameHeader returns the length and count of the rows of a frame.
func parseFrameHeader(b []byte) (size, n int, err error) {
	if len(b) < frameHeader {
		return 0, 0, damaged("a frame cut off after %d bytes", len(b))
	}
	if binary.LittleEndian.Uint32(b) != frameMagic ||
		binary.LittleEndian.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli) {
		return 0, 0, damaged("no frame")
	}
	size = int(binary.LittleEndian.Uint32(b[4:]))
	if size > maxFrame {
		return 0, 0, damaged("a frame of %d bytes", size)
	}
	return size, int(binary.LittleEndian.Uint32(b[8:])), nil
}

// place is where a row is, as an index has it: seq u64, offset u64, tag u32. An
// offset of 0 is a row that has been wiped.
type place struct {
	seq uint64
	off int64
	tag uint32
}

const placeSize = 20

func appendPlace(dst []byte, e place) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, e.seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.off))
	return binary.LittleEndian.AppendUint32(dst, e.tag)
}

// placeAt reads place i of b.
func placeAt(b []byte, i int) place {
	b = b[i*placeSize : (i+1)*placeSize]
	return place{
		seq: binary.LittleEndian.Uint64(b),
		off: int64(binary.LittleEndian.Uint64(b[8:])),
		tag: binary.LittleEndian.Uint32(b[16:]),
	}
}

// wrongRow is the error of an index that does not fit its log.
func wrongRow(path string, e place) error {
	return fmt.Errorf("%s: byte %d: %w", path, e.off, damaged("not the row that the index means"))
}
